"""The output folder of a run: whose it is, what may be in it, and what is not believed."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from bert import checkpoint
from tests import commands
from tests.training_runs import flags_of


@pytest.fixture
def selected(tmp_path):
    """A run that keeps its best checkpoint, stopped at step 8 of 12."""
    flags = flags_of(tmp_path, num_train_steps=8, save_checkpoints_steps=4, do_eval=True, eval_every_steps=2)
    outcome = commands.run("run_pretraining", **flags)
    assert outcome.status == 0, outcome.stderr
    return {**flags, "num_train_steps": 12}


@pytest.mark.parametrize("damage", ["", "{}\n", "null\n[]\n5\n", "\0\0\n", '{"step": "x"}\n', "cut"])
def test_other_evaluations_than_those_of_the_checkpoint_are_refused(selected, damage):
    """Without them another model would be the best, and nobody would know."""
    path = selected["output_dir"] / "evaluations.jsonl"
    text = path.read_text()
    path.write_text("".join(text.splitlines(keepends=True)[:-1]) if damage == "cut" else damage)
    before = commands.listing(selected["output_dir"] / "best")
    message = commands.run("run_pretraining", **selected).error
    assert message.startswith(f"{path}: not as it was when the checkpoint of step 8 was saved")
    assert commands.listing(selected["output_dir"] / "best") == before
    path.write_text(text)
    outcome = commands.run("run_pretraining", **selected)
    assert outcome.status == 0, outcome.stderr


def test_a_second_run_is_told_who_has_the_folder(tmp_path):
    """The first run goes on, unharmed; a lock dies with its process, so a third run is welcome."""
    flags = flags_of(tmp_path, num_train_steps=100_000, save_checkpoints_steps=5)
    argv = [sys.executable, "run_pretraining.py", *(f"--{name}={value}" for name, value in flags.items())]
    first = subprocess.Popen(argv, cwd=commands.TESTS.parent, stderr=subprocess.DEVNULL)
    try:
        while not any(flags["output_dir"].glob("model.ckpt-*.index")):  # of a quick machine the first is soon gone
            assert first.poll() is None
            time.sleep(0.2)
        message = commands.run("run_pretraining", **flags).error
        assert f"another run works here (process {first.pid} on " in message
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    latest = checkpoint.CheckpointFolder(str(flags["output_dir"])).latest()
    outcome = commands.run("run_pretraining", **{**flags, "num_train_steps": int(latest.rpartition("-")[2]) + 1})
    assert outcome.status == 0, outcome.stderr


@pytest.mark.parametrize("evaluation", [{}, {"do_eval": True, "eval_every_steps": 5, "save_checkpoints_steps": 10}])
def test_a_folder_that_vanishes_is_one_line(evaluation, tmp_path):
    flags = flags_of(tmp_path, num_train_steps=100_000, **{"save_checkpoints_steps": 5, **evaluation})
    argv = [sys.executable, "run_pretraining.py", *(f"--{name}={value}" for name, value in flags.items())]
    run = subprocess.Popen(argv, cwd=commands.TESTS.parent, stderr=subprocess.PIPE, text=True)
    while not any(flags["output_dir"].glob("model.ckpt-*.index")):
        assert run.poll() is None
        time.sleep(0.2)
    os.rename(flags["output_dir"], tmp_path / "elsewhere")
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("error: ")
    assert str(flags["output_dir"]) in stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": None}, "'settings' is null, expected an object"),
        ({"config": 5}, "'config' is 5, expected an object"),
        ({"do_lower_case": "yes"}, "'do_lower_case' is \"yes\", expected true or false"),
    ],
)
def test_a_run_json_with_values_of_other_types_is_refused(tmp_path, change, message):
    flags = flags_of(tmp_path, num_train_steps=2)
    assert commands.run("run_pretraining", **flags).status == 0
    path = flags["output_dir"] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert commands.run("run_pretraining", **flags).error == f"{path}: {message}"


def test_half_an_encoder_is_refused_unless_allowed(tmp_path):
    flags = flags_of(tmp_path / "whole", num_train_steps=2)
    assert commands.run("run_pretraining", **flags).status == 0
    prefix = str(flags["output_dir"] / "model.ckpt-2")
    shapes = checkpoint.read_shapes(prefix)
    half = {name: np.asarray(value) for name, value in checkpoint.each_value(prefix, shapes) if "layer_1" not in name}
    checkpoint.write_variables(str(tmp_path / "half.ckpt"), half)
    further = flags_of(tmp_path / "further", num_train_steps=2, init_checkpoint=tmp_path / "half.ckpt")
    message = commands.run("run_pretraining", **further).error
    assert "lacks 16 variables of the encoder: bert/encoder/layer_1/" in message
    assert message.endswith("give --allow_partial_checkpoint to start these random")
    assert not further["output_dir"].exists()
    outcome = commands.run("run_pretraining", "--allow_partial_checkpoint", **further)
    assert outcome.status == 0, outcome.stderr
    assert "STARTS RANDOM" in outcome.stderr
