"""Trainings that were stopped, killed or have lost a part: the same bits from any interruption."""

import os
import random
import signal
import threading
import time

import pytest

from tests import commands
from tests.training_runs import (
    assert_same_bits,
    flags_of,
    last_values,
    losses,
    losses_so_far,
    run_as_process,
    start,
    trained,
    wait_for_step,
)


def test_a_run_in_two_parts_has_the_bits_of_a_whole_one(tmp_path):
    whole = trained(tmp_path / "whole")
    first = flags_of(tmp_path / "parts", save_checkpoints_steps=7)
    # Killed, in effect, after the checkpoint of step 14: what came later is taken away or damaged.
    commands.run("run_pretraining", **first)
    for file in (tmp_path / "parts" / "output").glob("model.ckpt-20*"):
        file.unlink()
    outcome = commands.run("run_pretraining", **first)
    assert "model.ckpt-14 (step 14)" in outcome.stderr
    assert_same_bits(whole, last_values(tmp_path / "parts" / "output"))
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[::-1]])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage):
    whole = trained(tmp_path / "run", save_checkpoints_steps=5)
    data = tmp_path / "run" / "output" / "model.ckpt-20.data-00000-of-00001"
    data.write_bytes(damage(data.read_bytes()))
    outcome = commands.run("run_pretraining", **flags_of(tmp_path / "run", save_checkpoints_steps=5))
    assert "model.ckpt-20: damaged" in outcome.stderr
    assert "trying the checkpoint before it" in outcome.stderr
    assert "Going on from" in outcome.stderr
    assert "model.ckpt-15 (step 15)" in outcome.stderr
    assert_same_bits(whole, last_values(tmp_path / "run" / "output"))


def test_all_checkpoints_damaged_is_an_error(tmp_path):
    trained(tmp_path / "run")
    for data in (tmp_path / "run" / "output").glob("*.data-*"):
        data.write_bytes(b"")
    outcome = commands.run("run_pretraining", **flags_of(tmp_path / "run"))
    assert "no whole checkpoint left" in outcome.error


def test_changed_flags_are_named(tmp_path):
    trained(tmp_path / "run")
    outcome = commands.run("run_pretraining", **flags_of(tmp_path / "run", num_train_steps=22, learning_rate=0.02))
    assert "--learning_rate was 0.01, now it is 0.02." in outcome.stderr
    assert "--num_train_steps was 20, now it is 22." in outcome.stderr
    assert "--seed was" not in outcome.stderr


def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(tmp_path):
    """A limit on the size of files stands for the full disk; both are an error of the write."""
    flags = flags_of(tmp_path / "run", save_checkpoints_steps=10)
    commands.run("run_pretraining", **{**flags, "num_train_steps": 10})
    before = last_values(tmp_path / "run" / "output")
    size = max(file.stat().st_size for file in (tmp_path / "run" / "output").iterdir())
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size // 2}, {size // 2}))"
    done = run_as_process(flags, before=limit)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert_same_bits(before, last_values(tmp_path / "run" / "output"))


def stop_in_first_step(folder) -> threading.Thread:
    """Sends this process Ctrl-C while it compiles the first step of the run in `folder`."""

    def send() -> None:
        while not (folder / "output" / "metrics.jsonl").exists():
            time.sleep(0.01)
        time.sleep(0.2)  # the log is opened just before signals are caught
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_an_evaluation_that_a_signal_came_before_is_made_up_for(tmp_path):
    changes = {"do_eval": True, "num_train_steps": 3, "eval_every_steps": 1, "save_checkpoints_steps": 1}
    whole = trained(tmp_path / "whole", **changes)
    flags = flags_of(tmp_path / "stopped", **changes)
    thread = stop_in_first_step(tmp_path / "stopped")
    outcome = commands.run("run_pretraining", **flags)
    thread.join()
    assert outcome.status == 130
    assert "stopped: saved step 1 of 3 as" in outcome.stderr
    output = tmp_path / "stopped" / "output"
    # Killed, in effect, once more: between the evaluation that was missing and the checkpoint that knows of it.
    entry = (tmp_path / "whole" / "output" / "evaluations.jsonl").read_text().splitlines()[0]
    (output / "evaluations.jsonl").write_text(f"{entry}\n")
    assert commands.run("run_pretraining", **flags).status == 0
    assert_same_bits(whole, last_values(output))
    evaluations = [path / "output" / "evaluations.jsonl" for path in (tmp_path / "whole", tmp_path / "stopped")]
    assert evaluations[0].read_text() == evaluations[1].read_text()


@pytest.mark.slow
def test_killed_at_random_places_it_ends_with_the_same_bits(tmp_path):
    changes = {"num_train_steps": 400, "save_checkpoints_steps": 20, "iterations_per_loop": 3, "learning_rate": 1e-3}
    whole = trained(tmp_path / "whole", **changes)
    flags = flags_of(tmp_path / "killed", **changes)
    generator = random.Random(0)
    kills = []
    for place in sorted(generator.sample(range(1, 380), 4)):
        process = start(flags)
        if wait_for_step(process, tmp_path / "killed", place):
            time.sleep(generator.random() * 0.05)
            process.kill()
            kills.append(len(losses_so_far(tmp_path / "killed")))
        process.wait()
        process.stderr.close()
    done = run_as_process(flags)
    assert done.returncode == 0, done.stderr
    print(f"killed after steps {kills}, then ended")
    assert len(kills) >= 2
    assert_same_bits(whole, last_values(tmp_path / "killed" / "output"))
    assert losses(tmp_path / "whole") == losses(tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_first(tmp_path, number):
    changes = {"num_train_steps": 100_000, "iterations_per_loop": 3, "learning_rate": 1e-3}
    flags = flags_of(tmp_path / "run", **changes)
    process = start(flags)
    assert wait_for_step(process, tmp_path / "run", 10)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    step = int(last_values(tmp_path / "run" / "output")["global_step"])
    assert step == len(losses(tmp_path / "run"))
    assert f"stopped: saved step {step} of 100000 as" in stderr.splitlines()[-1]
