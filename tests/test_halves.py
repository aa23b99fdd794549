"""Halves: the losses, gradients and outputs of the whole batch, whichever half a row is in."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bert import halves, heads
from bert.commands import run_classifier
from bert.config import BertConfig
from bert.prediction.forward import TensorFlowForward
from bert.training import run
from bert.training.steps import REAL, RECORD, Steps
from tests import commands
from tests.test_layouts import CONFIG, LENGTHS, MODELS, S, batch_of, without_dropout
from tests.training_runs import assert_same_bits, flags_of, last_values, trained

SEED = tf.constant([3, 4])
WIDE = {"hidden_size": 128, "num_hidden_layers": 1, "intermediate_size": 32}


def gradients_of(model: heads.HeadedModel, batch: dict[str, tf.Tensor], halved: bool) -> list[np.ndarray]:
    """Of the loss, of every variable, and the sums of everything that a step tells."""
    model.halved = halved
    steps = Steps(model, tf.distribute.get_strategy(), type("Unscaled", (), {"scaled": staticmethod(lambda x: x)}))
    gradients, pairs = tf.function(steps._gradients)(batch, model.loss_weights(batch), SEED)
    is_tied = isinstance(model, heads.PretrainingModel)  # to the words that are guessed: all rows have a gradient
    assert is_tied or isinstance(gradients[0], tf.IndexedSlices)
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients] + [
        part.numpy() for name in sorted(pairs) for part in pairs[name][:2]
    ]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_gradients_of_the_halves_are_those_of_the_batch(name, packed):
    keras.utils.set_random_seed(1)
    model, batch = without_dropout(MODELS[name]()), batch_of(LENGTHS, name)  # 11 rows: the halves differ
    model.encoder.packed = packed
    for found, expected in zip(*(gradients_of(model, batch, flag) for flag in (True, False)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=5e-6)


def test_a_row_alone_is_no_two_halves():
    keras.utils.set_random_seed(1)
    model, batch = without_dropout(MODELS["classes"]()), batch_of([5], "classes")
    for found, expected in zip(*(gradients_of(model, batch, flag) for flag in (True, False)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_halves_draw_their_dropout_by_themselves():
    """Two rows that are alike, in one half each, have other masks."""
    keras.utils.set_random_seed(1)
    model, batch = MODELS["vectors"](), batch_of([7, 7], "vectors")
    model.halved = True
    alike = {name: tf.repeat(value[:1], 2, axis=0) for name, value in batch.items() if not name.startswith("positive")}
    assert np.ptp(model(alike)["vector"].numpy(), axis=0).max() < 1e-6
    model.encoder.encoder.encoder_layers[0].attention.residual.dropout.rate = 0.5
    assert np.ptp(model(alike, seed=SEED)["vector"].numpy(), axis=0).max() > 1e-3


@pytest.mark.parametrize("rows", [1, 4, 11])
def test_outputs_come_in_the_order_of_the_rows(rows):
    keras.utils.set_random_seed(1)
    model, batch = MODELS["words"](), batch_of(LENGTHS[:rows], "words")
    steps = Steps(model, tf.distribute.get_strategy())
    model.halved = True
    found = steps.predict({**batch, RECORD: tf.range(rows)})
    assert found[RECORD].numpy().tolist() == list(range(rows))
    assert found[REAL].shape == [rows]
    for name, expected in model(batch).items():
        np.testing.assert_allclose(found[name].numpy(), expected.numpy(), atol=1e-6)


@given(st.lists(st.integers(1, S), min_size=2, max_size=20))
@settings(max_examples=40, deadline=None)
def test_halves_of_like_lengths_share_the_rows_and_the_tokens(lengths):
    mask = tf.constant((np.arange(S) < np.array(lengths)[:, None]).astype(np.int32))
    first, second = halves.of_like_lengths({"input_mask": mask, "row": tf.range(len(lengths))})
    assert sorted([*first["row"].numpy(), *second["row"].numpy()]) == list(range(len(lengths)))
    assert first["row"].shape[0] - second["row"].shape[0] in (0, 1)
    for half in (first, second):
        assert (half["input_mask"].numpy() == mask.numpy()[half["row"].numpy()]).all()
    tokens = [int(tf.reduce_sum(half["input_mask"])) for half in (first, second)]
    assert abs(tokens[0] - tokens[1]) <= max(lengths)


def test_a_wide_model_ends_with_the_same_bits_though_it_was_stopped(tmp_path):
    whole = trained(tmp_path / "whole", **WIDE)
    flags = flags_of(tmp_path / "parts", save_checkpoints_steps=7, **WIDE)
    assert commands.run("run_pretraining", **flags).status == 0
    for file in (tmp_path / "parts" / "output").glob("model.ckpt-20*"):
        file.unlink()
    assert "model.ckpt-14 (step 14)" in commands.run("run_pretraining", **flags).stderr
    assert_same_bits(whole, last_values(tmp_path / "parts" / "output"))


@pytest.mark.parametrize(
    ("hidden_size", "encoder", "is_worth_it"),
    [(127, "bert", False), (128, "bert", True), (128, "lstm", True), (300, "average", False)],
)
def test_small_models_are_not_worth_it(hidden_size, encoder, is_worth_it):
    config = BertConfig(vocab_size=10, hidden_size=hidden_size, num_attention_heads=1, encoder=encoder)
    has_cores = len(os.sched_getaffinity(0)) > 1
    assert halves.suit(config) is is_worth_it
    assert halves.pay(config, tf.distribute.get_strategy()) is (is_worth_it and has_cores)


@pytest.mark.parametrize(
    ("flags", "rows"),
    [
        ({"do_train": True, "do_eval": True, "eval_batch_size": 1}, 16),
        ({"do_eval": True, "eval_batch_size": 3}, 3),
        ({"do_eval": True, "eval_batch_size": 3, "do_predict": True, "predict_batch_size": 1}, 1),
    ],
)
def test_the_rows_that_decide_about_cores_are_those_that_go_through_the_model(monkeypatch, flags, rows):
    found = []
    monkeypatch.setattr(halves, "use_own_cores", lambda strategy, rows: found.append(rows))
    told = {"task_name": "cola", "data_dir": "a", "output_dir": "b", "vocab_file": "c", "bert_config_file": "d"}
    asked = run_classifier.Settings(**told, train_batch_size=32, gradient_accumulation_steps=2, **flags)
    run.open_devices_to_train(asked, BertConfig(vocab_size=10, hidden_size=128, num_attention_heads=1))
    assert found == [rows]


def test_batches_at_once_give_the_answers_of_batches_in_turns():
    keras.utils.set_random_seed(1)
    model = heads.SequenceClassifier(CONFIG, 3)
    features = {name: value.numpy() for name, value in batch_of([*LENGTHS] * 40, "classes").items()}
    forward = TensorFlowForward(model)
    expected = np.stack(forward(features)["logits"])
    forward.at_once = 2
    np.testing.assert_array_equal(np.stack(forward(features)["logits"]), expected)


@pytest.mark.parametrize(("batch_size", "micro_batches", "sizes"), [(2, 1, WIDE), (2, 2, WIDE), (2, 1, {})])
def test_a_run_deals_out_the_cores_before_anything_is_computed(tmp_path, batch_size, micro_batches, sizes):
    """One thread an operation, where there are two cores and halves; a row alone, and a small model, have no halves,
    and keep both."""
    flags = flags_of(tmp_path, num_train_steps=1, train_batch_size=batch_size, **sizes)
    flags["gradient_accumulation_steps"] = micro_batches
    words = [f"--{name}={value}" for name, value in flags.items()]
    program = (
        "import sys, tensorflow as tf, run_pretraining\n"
        "from bert import cli\n"
        "try:\n"
        "    cli.run(run_pretraining.Settings, run_pretraining.main, sys.argv)\n"
        "finally:\n"
        "    print('threads', tf.config.threading.get_intra_op_parallelism_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    is_dealt = len(os.sched_getaffinity(0)) == 2 and batch_size // micro_batches > 1 and sizes == WIDE
    assert f"threads {int(is_dealt)}\n" in done.stdout
