"""examples/plot_curves.py: the running mean by hand, and a picture of a run's event files."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

from bert.training.tensorboard import EventFile
from examples import plot_curves
from tests import commands

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (1, [4.0, 1.0, 7.0, 0.0, 8.0]),
        (3, [2.5, 4.0, 8 / 3, 5.0, 4.0]),  # (4+1)/2, (4+1+7)/3, (1+7+0)/3, (7+0+8)/3, (0+8)/2
        (2, [2.5, 4.0, 8 / 3, 5.0, 4.0]),  # as 3
        (99, [4.0] * 5),  # all of them, 20/5
    ],
)
def test_running_mean_by_hand(window, expected):
    assert plot_curves.running_mean([4.0, 1.0, 7.0, 0.0, 8.0], window) == pytest.approx(expected)


def test_a_later_start_replaces_the_steps_it_repeated(tmp_path):
    for start, values in ((0, {1: 9.0, 2: 8.0, 3: 7.0}), (1, {2: 6.0})):
        events = EventFile(str(tmp_path), start)
        for step, value in values.items():
            events.write(step, {"loss": value})
        events.close()
    assert plot_curves.read_scalars(str(tmp_path))["loss"] == {1: 9.0, 2: 6.0, 3: 7.0}


def test_draws_several_runs(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        events = EventFile(str(tmp_path / name), 0)
        for step in range(1, 5):
            events.write(step, {"loss": 1 / step})
        events.close()
    picture = tmp_path / "curves.png"
    folders = f"{tmp_path / 'a'},{tmp_path / 'b'}/"
    argv = [sys.executable, "-m", "examples.plot_curves", f"--output_dir={folders}", f"--picture={picture}"]
    done = subprocess.run([*argv, "--tags=loss"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "curves.png"]


def test_what_is_missing_for_a_picture_is_told(tmp_path, monkeypatch):
    def error(name: str) -> str:
        outcome = commands.run("examples.plot_curves", output_dir=tmp_path, picture=tmp_path / name)
        assert (outcome.status, list(tmp_path.iterdir())) == (1, [])
        return outcome.error

    if importlib.util.find_spec("matplotlib"):
        ending = "expected one that ends in .png, .svg or .pdf"
        assert error("curves.text") == f"{tmp_path}/curves.text is no name of a picture, {ending}"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert error("curves.png") == f"{tmp_path}/curves.png needs matplotlib (pip install matplotlib)"
