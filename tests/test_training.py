"""The engine: the same mathematics in every mode."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from bert import checkpoint, cli, flags, options
from bert.input_pipeline import cut_to_longest
from bert.optimization import AdamWeightDecay, WarmupLinearDecay
from bert.training.steps import Steps
from tests import commands
from tests import model_references as references
from tests.training_runs import NO_DROPOUT, assert_same_bits, flags_of, largest_difference, losses, trained

LONG = ["input_ids", "input_mask", "segment_ids"]


def test_same_seed_same_bits_other_seed_others(tmp_path):
    one, again, other = (trained(tmp_path / str(i), seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert_same_bits(one, again)
    assert losses(tmp_path / "0") == losses(tmp_path / "1") != losses(tmp_path / "2")
    assert largest_difference(one, other) > 0.01


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
