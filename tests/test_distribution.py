"""Several devices and several workers give what one device gives, and only the chief writes."""

import json
import os
import re
import socket
import subprocess

import numpy as np
import pytest

from bert import distribution
from bert.errors import InputError
from tests import commands
from tests.training_runs import (
    NO_DROPOUT,
    ROWS,
    command_of,
    flags_of,
    last_values,
    losses,
    run_as_process,
    trained,
    wait_for_step,
)

CHANGES = {**NO_DROPOUT, "learning_rate": 1e-3, "do_eval": True, "num_train_steps": 10}
TWO_CPUS = (
    "import tensorflow as tf\n"
    "tf.config.set_logical_device_configuration(tf.config.list_physical_devices('CPU')[0], "
    "[tf.config.LogicalDeviceConfiguration()] * 2)"
)


def results(folder) -> dict[str, float]:
    return {name: float(value) for name, value in commands.results(folder / "output").items()}


def assert_same_run(one, other) -> None:
    np.testing.assert_allclose(losses(one), losses(other), atol=1e-5)
    assert results(one) == pytest.approx(results(other), abs=1e-5)
    ours, theirs = last_values(one / "output"), last_values(other / "output")
    assert ours.keys() == theirs.keys()
    assert int(ours["global_step"]) == int(theirs["global_step"])


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    trained(folder, **CHANGES)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [1, 2])
def test_two_devices_give_the_losses_of_one(one_device, tmp_path, pieces):
    flags = flags_of(tmp_path, **CHANGES, distribution="mirrored", gradient_accumulation_steps=pieces)
    done = run_as_process(flags, before=TWO_CPUS)
    assert done.returncode == 0, done.stderr
    assert "2 replica(s) on CPU" in done.stderr
    assert_same_run(one_device, tmp_path)


MASKED = "masked_lm_positions", "masked_lm_ids", "masked_lm_weights"
TELL_OF_PACKING = """
from bert.modeling import BertModel
packed = BertModel._packed

def told(*arguments):
    print("rows are packed")
    return packed(*arguments)

BertModel._packed = told
"""


def shortened(row: dict, length: int) -> dict:
    """The record with padding behind its first WordPieces, and nothing to guess there."""
    cut = {name: row[name][:length] + [0] * (len(row[name]) - length) for name in ("input_ids", "input_mask")}
    places = row["masked_lm_positions"]
    guessed = {
        name: [value * (place < length) for place, value in zip(places, row[name], strict=True)] for name in MASKED
    }
    return {**row, **cut, **guessed}


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [1, 2])
def test_packed_rows_on_two_devices_give_the_losses_of_one(tmp_path, pieces):
    rows = [shortened(row, 12 + number % 20) for number, row in enumerate(commands.golden_rows(ROWS))]
    one, two = (flags_of(tmp_path / name, **CHANGES) for name in ("one", "two"))
    for flags in (one, two):
        commands.write_records(flags["input_file"], rows)
    assert commands.run("run_pretraining", **one).status == 0
    two |= {"distribution": "mirrored", "gradient_accumulation_steps": pieces}
    done = run_as_process(two, before=TWO_CPUS + TELL_OF_PACKING)
    assert done.returncode == 0, done.stderr
    assert "rows are packed" in done.stdout
    assert_same_run(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_two_devices_with_dropout_and_half_precision_run(tmp_path):
    flags = flags_of(tmp_path, num_train_steps=5, distribution="mirrored", mixed_precision="float16", recompute=True)
    done = run_as_process(flags, before=TWO_CPUS)
    assert done.returncode == 0, done.stderr
    assert np.isfinite(losses(tmp_path)).all()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start_workers(flags: dict) -> list[subprocess.Popen]:
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "PYTHONPATH": str(commands.TESTS.parent), "TF_CONFIG": json.dumps(task)}
        processes.append(
            subprocess.Popen(
                command_of(flags), stderr=subprocess.PIPE, text=True, env=environment, cwd=commands.TESTS.parent
            )
        )
    return processes


def finished(processes: list[subprocess.Popen]) -> list[str]:
    outputs = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    return outputs


@pytest.mark.slow
def test_two_workers_give_the_losses_of_one(one_device, tmp_path):
    outputs = finished(start_workers(flags_of(tmp_path, **CHANGES)))
    assert all("2 replica(s)" in output for output in outputs)
    assert_same_run(one_device, tmp_path)
    assert len(list((tmp_path / "output").glob("events.out.tfevents.*"))) == 1  # of the chief alone


@pytest.mark.slow
def test_a_worker_that_dies_and_returns(tmp_path):
    flags = flags_of(tmp_path, **{**CHANGES, "num_train_steps": 100, "save_checkpoints_steps": 10})
    chief, other = start_workers(flags)
    assert wait_for_step(chief, tmp_path, 25)
    other.kill()
    other.communicate()
    stderr = chief.communicate(timeout=240)[1]
    assert chief.returncode == 1
    assert "error: another worker is gone; start the same command" in stderr
    assert "Traceback" not in stderr
    outputs = finished(start_workers(flags))
    steps = {re.search(r"Going on from .*model\.ckpt-(\d+)", output)[1] for output in outputs}
    assert len(steps) == 1
    assert int(steps.pop()) >= 20
    assert int(last_values(tmp_path / "output")["global_step"]) == 100
    assert len(losses(tmp_path)) == 100


def test_a_batch_that_cannot_be_spread_is_refused(tmp_path):
    flags = flags_of(tmp_path, train_batch_size=9, gradient_accumulation_steps=2)
    assert "--train_batch_size is 9, expected a multiple of 2" in commands.run("run_pretraining", **flags).error


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}'])
def test_a_tf_config_that_is_none_is_named(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="TF_CONFIG is "):
        distribution.create_strategy()


TWO_WORKERS = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"cluster": {"worker": 1}}, "'cluster.worker' is 1, expected a list, each a text"),
        ({"cluster": {"worker": "host:1"}}, "'cluster.worker' is \"host:1\", expected a list, each a text"),
        ({"cluster": {"worker": ["a:1", 2]}}, "'cluster.worker[1]' is 2, expected a text"),
        ({"cluster": TWO_WORKERS}, "has no 'task', expected an object"),
        (
            {"cluster": TWO_WORKERS, "task": {"type": "worker"}},
            "has no 'task.index', expected a whole number or a text",
        ),
        ({"cluster": TWO_WORKERS, "task": {"type": 1, "index": 0}}, "'task.type' is 1, expected a text"),
        (
            {"cluster": TWO_WORKERS, "task": {"type": "worker", "index": 2}},
            "'task' is worker 2, expected one of worker 0, worker 1",
        ),
        (
            {
                "cluster": {"evaluator": [], **TWO_WORKERS},
                "task": {"type": "worker", "index": "2"},
            },  # TensorFlow takes it
            "'task' is worker 2, expected one of worker 0, worker 1",
        ),
        (
            {"cluster": {"chief": ["c:1"], **TWO_WORKERS}, "task": {"type": "ps", "index": 0}},
            "'task' is ps 0, expected one of chief 0, worker 0, worker 1",
        ),
        (
            {"cluster": {"chief": [], **TWO_WORKERS}, "task": {"type": "worker", "index": 0}},
            "'cluster.chief' names 0, expected one",
        ),
        (
            {"cluster": {"master": ["m:1"], **TWO_WORKERS}, "task": {"type": "worker", "index": 0}},
            "'cluster' has 'master', expected some of chief, worker, evaluator, ps",
        ),
    ],
)
def test_a_tf_config_with_wrong_values_is_named(monkeypatch, values, problem):
    monkeypatch.setenv("TF_CONFIG", json.dumps(values))
    with pytest.raises(InputError) as refused:
        distribution.create_strategy()
    assert str(refused.value).startswith("TF_CONFIG")
    assert str(refused.value).endswith(f": {problem}")


def test_a_chief_is_counted_among_the_workers(monkeypatch):
    cluster = {"chief": ["c:1"], **TWO_WORKERS}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "chief", "index": 0}}))
    assert distribution.workers() == ["c:1", "a:1", "b:1"]


def test_multi_worker_without_workers_is_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match=r"`distribution`=multi_worker: .*TF_CONFIG names no workers"):
        distribution.create_strategy("multi_worker")


def test_use_tpu_and_another_distribution_are_refused():
    with pytest.raises(InputError, match="`use_tpu` is True and `distribution` is mirrored"):
        distribution.create_strategy("mirrored", use_tpu=True)
