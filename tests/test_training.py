"""The engine: the same bits from any interruption, the same mathematics in every mode."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from bert import checkpoint, cli, flags, options
from bert.input_pipeline import cut_to_longest
from bert.optimization import AdamWeightDecay, WarmupLinearDecay
from bert.training.steps import Steps
from tests import commands
from tests import model_references as references

ROWS = "small_both"  # 109 records, S 32, P 5
LONG = ["input_ids", "input_mask", "segment_ids"]
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


def assert_same_bits(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def largest_difference(one: dict, other: dict) -> float:
    assert one.keys() == other.keys()
    return max(float(np.max(np.abs(one[name] - other[name]))) for name in one)


def test_same_seed_same_bits_other_seed_others(tmp_path):
    one, again, other = (trained(tmp_path / str(i), seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert_same_bits(one, again)
    assert losses(tmp_path / "0") == losses(tmp_path / "1") != losses(tmp_path / "2")
    assert largest_difference(one, other) > 0.01


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


def test_accumulated_pieces_equal_the_large_batch(tmp_path):
    one = trained(tmp_path / "one", **NO_DROPOUT, learning_rate=1e-3)
    pieces = trained(tmp_path / "pieces", **NO_DROPOUT, learning_rate=1e-3, gradient_accumulation_steps=4)
    np.testing.assert_allclose(losses(tmp_path / "one"), losses(tmp_path / "pieces"), atol=1e-5)
    weights = [name for name in one if not checkpoint.is_training_state(name)]
    # After one step the gradients are compared; later steps amplify the rounding of sums in another order.
    assert largest_difference({n: one[n] for n in weights}, {n: pieces[n] for n in weights}) < 1e-4


def test_one_accumulated_step_is_the_large_batch_within_1e_6(tmp_path):
    flags = {**NO_DROPOUT, "num_train_steps": 1, "num_warmup_steps": 0, "learning_rate": 1e-3}
    one, pieces = (trained(tmp_path / str(k), **flags, gradient_accumulation_steps=k) for k in (1, 4))
    assert largest_difference(one, pieces) < 1e-6


def test_recomputed_layers_give_the_same_bits_with_dropout(tmp_path):
    """Of packed rows tests/test_layouts.py compares the gradients; here last bits have 20 steps to grow."""
    kept, recomputed = (trained(tmp_path / str(k), recompute=k, length_grouping=True) for k in (False, True))
    assert largest_difference(kept, recomputed) < 1e-5
    np.testing.assert_allclose(losses(tmp_path / "False"), losses(tmp_path / "True"), rtol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_alike(tmp_path, precision):
    values = trained(tmp_path / "half", **NO_DROPOUT, learning_rate=1e-3, mixed_precision=precision)
    trained(tmp_path / "whole", **NO_DROPOUT, learning_rate=1e-3)
    assert all(value.dtype in (np.float32, np.int64) for value in values.values())
    np.testing.assert_allclose(losses(tmp_path / "half"), losses(tmp_path / "whole"), rtol=0.02)
    assert ("loss_scale" in values) == (precision == "float16")


def test_a_loss_scale_too_large_is_halved_and_no_weight_harmed(tmp_path, monkeypatch):
    monkeypatch.setattr("bert.optimization.FIRST_LOSS_SCALE", 2.0**30)
    values = trained(tmp_path / "run", **NO_DROPOUT, mixed_precision="float16")
    assert values["loss_scale"] < 2.0**30
    assert values["loss_scale/skipped_steps"] > 0
    assert all(np.isfinite(value).all() for value in values.values())
    found = losses(tmp_path / "run")
    assert np.mean(found[-3:]) < np.mean(found[:3])


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(tmp_path):
    flags = flags_of(tmp_path / "run", save_checkpoints_steps=5)
    commands.run("run_pretraining", **{**flags, "num_train_steps": 5})
    before = commands.listing(tmp_path / "run" / "output")
    outcome = commands.run("run_pretraining", **{**flags, "num_train_steps": 10**9, "learning_rate": 1e38})
    assert "the loss is nan" in outcome.error or "the loss is inf" in outcome.error
    for part in ("step ", "learning rate ", "gradient norm ", "; the batch: records "):
        assert part in outcome.error
    after = commands.listing(tmp_path / "run" / "output")
    assert {n: v for n, v in after.items() if "ckpt-5" in n} == {n: v for n, v in before.items() if "ckpt-5" in n}


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


def test_evaluation_on_the_way_keeps_the_best(tmp_path):
    flags = flags_of(tmp_path / "run", do_eval=True, eval_every_steps=5, best_metric="masked_lm_accuracy")
    outcome = commands.run("run_pretraining", **flags)
    output = tmp_path / "run" / "output"
    entries = [json.loads(line) for line in (output / "evaluations.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [5, 10, 15, 20]
    best = max(entries, key=lambda entry: entry["masked_lm_accuracy"])
    assert [path.name for path in (output / "best").glob("*.index")] == [f"model.ckpt-{best['step']}.index"]
    results = commands.results(output)
    assert int(results["global_step"]) == best["step"]
    assert float(results["masked_lm_accuracy"]) == pytest.approx(best["masked_lm_accuracy"])
    assert f"best/model.ckpt-{best['step']}" in outcome.stderr
    again = commands.run("run_pretraining", **{**flags, "do_train": False, "eval_every_steps": 0})
    assert f"best/model.ckpt-{best['step']} (step {best['step']})" in again.stderr
    assert commands.results(output) == results


def test_early_stopping_and_what_a_second_start_does(tmp_path):
    # A learning rate that makes everything worse: the first evaluation stays the best.
    flags = flags_of(tmp_path / "run", do_eval=True, learning_rate=1.0, num_warmup_steps=0, num_train_steps=50)
    flags |= {"eval_every_steps": 4, "early_stopping_patience": 2}
    outcome = commands.run("run_pretraining", **flags)
    assert "Stopping early at step" in outcome.stderr
    steps = len(losses(tmp_path / "run"))
    assert steps < 50
    again = commands.run("run_pretraining", **flags)
    assert again.status == 0
    assert len(losses(tmp_path / "run")) == steps


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


def test_an_unknown_metric_is_refused_with_the_names(tmp_path):
    flags = flags_of(tmp_path / "run", do_eval=True, eval_every_steps=5, best_metric="f1")
    assert "--best_metric is 'f1', expected one of" in commands.run("run_pretraining", **flags).error


def test_event_files_hold_what_the_steps_measured(tmp_path):
    trained(tmp_path / "run", iterations_per_loop=1)
    path = next((tmp_path / "run" / "output").glob("events.out.tfevents.*"))
    events = list(tf.compat.v1.train.summary_iterator(str(path)))
    assert events[0].file_version == "brain.Event:2"
    found = {event.step: {v.tag: v.simple_value for v in event.summary.value} for event in events[1:]}
    assert [np.float32(loss) for loss in losses(tmp_path / "run")] == [
        np.float32(found[step]["loss"]) for step in sorted(found)
    ]
    assert {"learning_rate", "masked_lm_accuracy", "examples/s", "tokens/s"} <= set(found[20])


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


def losses_so_far(folder) -> list[str]:
    return (folder / "output" / "metrics.jsonl").read_text().splitlines()


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


def padded_to_forty(batch: dict) -> dict:
    return {name: tf.pad(value, [[0, 0], [0, 16]]) if name in LONG else value for name, value in batch.items()}


def golden_steps(
    golden,
    accumulation: int = 1,
    recompute: bool = False,
    padded: bool = False,
    cut: bool = False,
    packed: bool = False,
    halved: bool = False,
) -> dict[str, np.ndarray]:
    """The ten reference steps of the micro model, through the compiled steps of a real run."""
    folder = golden / "model" / "micro"
    model = references.pretraining_model(folder)
    model.recompute, model.encoder.packed, model.halved = recompute, packed, halved
    optimizer = AdamWeightDecay(WarmupLinearDecay(1e-4, 10, 3))
    optimizer.build(model.trainable_variables)
    arrays = np.load(folder / "train_batches.npz")
    batches = [references.batch_of(arrays, f"b{index}/") for index in range(10)]
    batches = {name: tf.stack([batch[name] for batch in batches]) for name in batches[0]}
    dataset = tf.data.Dataset.from_tensor_slices({**batches, "record": tf.zeros([10, 8], tf.int64)})
    if padded:
        dataset = dataset.map(padded_to_forty)
    if cut:
        dataset = dataset.map(lambda batch: cut_to_longest(batch, LONG))
    assert {int(batch["input_ids"].shape[1]) for batch in dataset} == {40 if padded and not cut else 24}
    steps = Steps(model, tf.distribute.get_strategy(), optimizer, accumulation=accumulation)
    rows = steps.train(iter(dataset), tf.constant(10))
    return {name: value.numpy() for name, value in rows.items()}


@pytest.mark.parametrize(
    "mode",
    [
        {},
        {"accumulation": 2},
        {"accumulation": 8},
        {"recompute": True},
        {"padded": True},
        {"padded": True, "cut": True},
        {"padded": True, "packed": True},
        {"packed": True, "accumulation": 2, "recompute": True},
        {"halved": True},
        {"halved": True, "padded": True, "packed": True},
        {"halved": True, "accumulation": 2, "recompute": True},
    ],
)
def test_the_reference_trajectory_holds_in_every_mode(golden, mode):
    expected = np.load(golden / "model" / "micro" / "trajectory.npz")
    found = golden_steps(golden, **mode)
    np.testing.assert_allclose(found["loss"], expected["loss"], atol=1e-5)
    np.testing.assert_allclose(found["learning_rate"], expected["lr_used"], atol=1e-9)
    np.testing.assert_allclose(found["gradient_norm"], expected["global_norm"], atol=1e-4 if mode else 1e-5)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        ((), ""),
        (("max_seq_length",), ": lower --max_seq_length"),
        (("batch_size", "max_seq_length"), ": lower --batch_size or --max_seq_length"),
        (
            [field.name for field in dataclasses.fields(flags.TrainingFlags)],
            ": lower --train_batch_size or --max_seq_length, or give --gradient_accumulation_steps, --recompute or "
            "--mixed_precision=bfloat16",
        ),
    ],
)
def test_out_of_memory_names_the_flags_that_the_command_has(capsys, names, advice):
    fields = [(name, str, options.option("", "")) for name in names]
    settings_class = dataclasses.make_dataclass("Settings", fields, frozen=True)

    def main(_):
        tf.zeros([2**45])  # 128 TiB, which no machine here has

    with pytest.raises(SystemExit) as end:
        cli.run(settings_class, main, ["command"])
    assert end.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"error: out of memory{advice}"
