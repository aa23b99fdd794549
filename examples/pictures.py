"""Pictures of curves, drawn with matplotlib, which the project does not require."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from bert import files
from bert.errors import InputError


@contextlib.contextmanager
def panels(path: str, titles: Sequence[str], across: str) -> Iterator[Sequence[Any]]:
    """Gives a panel for each title, to plot into, and then writes the picture; the ending of its name is the format.

    Raises InputError where matplotlib is not installed, and for an ending that it does not know.
    """
    try:
        import matplotlib
    except ImportError:
        raise InputError(f"{path} needs matplotlib (pip install matplotlib)") from None
    matplotlib.use("Agg")  # draws into files, without a screen
    from matplotlib import pyplot

    figure, (axes,) = pyplot.subplots(1, len(titles), figsize=(5 * len(titles), 3.6), squeeze=False)
    ending = os.path.splitext(path)[1].removeprefix(".").lower()
    if ending not in figure.canvas.get_supported_filetypes():
        raise InputError(f"{path} is no name of a picture, expected one that ends in .png, .svg or .pdf")
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(title)
        panel.set_xlabel(across)
        panel.grid(alpha=0.3)
    yield axes
    if len(axes[0].get_legend_handles_labels()[1]) > 1:
        axes[0].legend(fontsize="small", framealpha=0.9)
    figure.tight_layout()
    with files.replaced(path) as temporary:
        figure.savefig(temporary, dpi=120, format=ending)
    pyplot.close(figure)
    print(f"Wrote {path}")
