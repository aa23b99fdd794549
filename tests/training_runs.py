"""Tiny pre-trainings, in this process and in their own, and what the tests compare of two of them."""

import json
import os
import subprocess
import sys
import time

import numpy as np

from bert import checkpoint
from tests import commands

ROWS = "small_both"  # 109 records, S 32, P 5
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def flags_of(folder, **changes) -> dict:
    """The flags of a tiny pre-training run; the config's keys among `changes` go into its config."""
    config = {name: changes.pop(name) for name in list(changes) if name in commands.TINY}
    folder.mkdir(exist_ok=True)
    return {
        "bert_config_file": commands.write_config(folder, **config),
        "input_file": commands.write_records(folder / "records", commands.golden_rows(ROWS)),
        "output_dir": folder / "output",
        "max_seq_length": 32,
        "max_predictions_per_seq": 5,
        "train_batch_size": 8,
        "learning_rate": 0.01,
        "num_warmup_steps": 5,
        "num_train_steps": 20,
        "do_train": True,
        **changes,
    }


def trained(folder, **changes) -> dict[str, np.ndarray]:
    """Runs the training and returns all values of its last checkpoint."""
    flags = flags_of(folder, **changes)
    outcome = commands.run("run_pretraining", **flags)
    assert outcome.status == 0, outcome.stderr
    return last_values(folder / "output")


def last_values(output) -> dict[str, np.ndarray]:
    prefix = checkpoint.CheckpointFolder(str(output)).latest()
    return checkpoint.read_values(prefix, checkpoint.read_shapes(prefix))


def losses(folder) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "output" / "metrics.jsonl").read_text().splitlines()]


def losses_so_far(folder) -> list[str]:
    return (folder / "output" / "metrics.jsonl").read_text().splitlines()


def assert_same_bits(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def largest_difference(one: dict, other: dict) -> float:
    assert one.keys() == other.keys()
    return max(float(np.max(np.abs(one[name] - other[name]))) for name in one)


def command_of(flags: dict, before: str = "") -> list[str]:
    """run_pretraining.py in a process of its own; `before` is run first."""
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    program = (
        f"{before}\nimport sys, run_pretraining\nfrom bert import cli\n"
        f"cli.run(run_pretraining.Settings, run_pretraining.main, ['run_pretraining.py', *sys.argv[1:]])"
    )
    return [sys.executable, "-c", program, *arguments]


def run_as_process(flags: dict, before: str = "") -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(commands.TESTS.parent)}
    return subprocess.run(
        command_of(flags, before), capture_output=True, text=True, env=environment, cwd=commands.TESTS.parent
    )


def start(flags: dict) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(commands.TESTS.parent)}
    return subprocess.Popen(
        command_of(flags), stderr=subprocess.PIPE, text=True, env=environment, cwd=commands.TESTS.parent
    )


def wait_for_step(process: subprocess.Popen, folder, step: int) -> bool:
    """Waits until the run has logged a step; False if it ended before."""
    log = folder / "output" / "metrics.jsonl"
    while process.poll() is None:
        if log.exists() and log.read_bytes().count(b"\n") >= step:
            return True
        time.sleep(0.005)
    return False
