"""Draws what runs measured, from their TensorBoard event files: a picture where no TensorBoard is at hand.

    python examples/plot_curves.py --output_dir=pretraining_output --picture=curves.png --tags=loss,learning_rate

Needs matplotlib.
"""

import collections
import dataclasses
import glob
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from bert import cli
from bert.errors import InputError
from bert.options import option, required


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    output_dir: str = required("Folder of the run, or several, separated by commas.")
    picture: str = required("The picture to write; its name's ending says of what kind (.png, .svg, .pdf).")
    tags: str = option("loss,learning_rate", "What to draw, a panel each, separated by commas.")


def main(settings: Settings) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    tags, folders = settings.tags.split(","), settings.output_dir.split(",")
    figure, panels = pyplot.subplots(1, len(tags), figsize=(4.5 * len(tags), 3.2), squeeze=False)
    for folder in folders:
        scalars = read_scalars(folder)
        for tag, panel in zip(tags, panels[0], strict=True):
            if tag not in scalars:
                raise InputError(f"--tags: {folder} has no '{tag}', it has {', '.join(sorted(scalars))}")
            panel.plot(*zip(*sorted(scalars[tag].items()), strict=True), linewidth=1, label=os.path.basename(folder))
            panel.set_title(tag)
            panel.set_xlabel("step")
            panel.grid(alpha=0.3)
    if len(folders) > 1:
        panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(settings.picture, dpi=120)
    print(f"Wrote {settings.picture}")


def read_scalars(folder: str) -> dict[str, dict[int, float]]:
    """Tag -> step -> value, over all event files of a folder; a later start replaces the steps it did again."""
    import tensorflow as tf

    paths = sorted(glob.glob(os.path.join(folder, "events.out.tfevents.*")), key=os.path.getmtime)
    if not paths:
        raise InputError(f"--output_dir: {folder} holds no event file")
    scalars: dict[str, dict[int, float]] = collections.defaultdict(dict)
    for path in paths:
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                scalars[value.tag][event.step] = value.simple_value
    return scalars


if __name__ == "__main__":
    cli.run(Settings, main)
