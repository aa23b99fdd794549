"""Draws the curves of one or more runs from their TensorBoard event files, for when no TensorBoard is at hand.

    python -m examples.plot_curves --output_dir=pretraining_output --picture=curves.png --tags=loss,learning_rate

Each run is a faint line of the measured values and a bold line of their running mean. Needs matplotlib.
"""

import collections
import dataclasses
import glob
import os
from collections.abc import Sequence

import numpy as np

from bert import cli
from bert.errors import InputError
from bert.options import option, required
from examples import pictures

AUTOMATIC_WINDOWS = 30  # without --window, a window is this part of a run's points
EXACT = ("learning_rate",)  # set, not measured: no noise to average away, and a mean would round off its peak


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    output_dir: str = required("Folder of the run, or several, separated by commas.")
    picture: str = required("The picture to write; its file name ending sets the format (.png, .svg, .pdf).")
    tags: str = option("loss,learning_rate", "What to draw, one panel each, separated by commas.")
    window: int = option(0, "Points that the bold line averages; 0: a thirtieth of all points, 1: no average.")

    def check(self) -> None:
        if self.window < 0:
            raise InputError(f"--window is {self.window}, expected 0 or more")


def main(settings: Settings) -> None:
    tags = settings.tags.split(",")
    with pictures.panels(settings.picture, tags, "step") as panels:
        for folder in settings.output_dir.split(","):
            scalars = read_scalars(folder)
            for tag, panel in zip(tags, panels, strict=True):
                if tag not in scalars:
                    raise InputError(f"--tags: {folder} has no '{tag}', it has {', '.join(sorted(scalars))}")
                steps, values = zip(*sorted(scalars[tag].items()), strict=True)
                window = 1 if tag in EXACT else settings.window or max(1, len(values) // AUTOMATIC_WINDOWS)
                (raw,) = panel.plot(steps, values, linewidth=0.8, alpha=0.25)
                name = os.path.basename(os.path.normpath(folder))
                panel.plot(steps, running_mean(values, window), linewidth=1.6, color=raw.get_color(), label=name)


def running_mean(values: Sequence[float], window: int) -> np.ndarray:
    """The mean of each value and its neighbours, `window` in all, half of them on each side; fewer at the ends.

    An even window counts as the next odd one. So the line does not lag behind the values.
    """
    count, half = len(values), window // 2
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])  # [count + 1]
    first = np.maximum(np.arange(count) - half, 0)
    last = np.minimum(np.arange(count) + half + 1, count)
    return (sums[last] - sums[first]) / (last - first)


def read_scalars(folder: str) -> dict[str, dict[int, float]]:
    """Tag -> step -> value, over all event files of a folder; a later start replaces the steps it repeated."""
    import tensorflow as tf  # --help does not wait for it

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
