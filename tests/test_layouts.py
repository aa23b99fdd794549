"""Packed rows: the same losses and gradients as from the padded batch, whatever the lengths of its rows."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bert import heads, layouts
from bert.config import BertConfig
from bert.layouts import PackedRows

S, C, P = 16, 3, 4
CONFIG = BertConfig(50, 16, 2, 2, 32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
DROPOUT = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
SEED = tf.constant([3, 4])
LENGTHS = [16, 3, 9, 9, 1, 12, 5, 8, 16, 2, 7]  # more than one block, and rows that fill it

MODELS = {
    "classes": lambda: heads.SequenceClassifier(CONFIG, C),
    "words": lambda: heads.TokenClassifier(CONFIG, C),
    "masked words": lambda: heads.PretrainingModel(CONFIG),
    "vectors": lambda: heads.TwoTower(CONFIG, "mean"),
    "largest values": lambda: heads.TwoTower(CONFIG, "max"),
}


def batch_of(lengths: list[int], model: str) -> dict[str, tf.Tensor]:
    draw, count = np.random.default_rng(0), len(lengths)
    mask = (np.arange(S) < np.array(lengths)[:, None]).astype(np.int32)
    ids = draw.integers(1, 50, [count, S]) * mask
    places = np.stack([draw.integers(0, length, P) for length in lengths])
    labels = draw.integers(0, C, [count, S if model == "words" else 1])
    batch = {
        "input_ids": ids,
        "input_mask": mask,
        "segment_ids": draw.integers(0, 2, [count, S]) * mask,
        "label_ids": labels,
        "label_weights": mask,
        "masked_lm_positions": places,
        "masked_lm_ids": draw.integers(1, 50, [count, P]),
        "next_sentence_labels": draw.integers(0, 2, [count, 1]),
        "positive_input_ids": ids[::-1].copy(),
        "positive_input_mask": mask[::-1].copy(),
    }
    features = {name: tf.constant(value, tf.int32) for name, value in batch.items()}
    ones = {"is_real_example": tf.ones([count]), "masked_lm_weights": tf.ones([count, P])}
    if model not in ("vectors", "largest values"):
        features = {name: value for name, value in features.items() if not name.startswith("positive")}
    return {**features, **ones}


def loss_and_gradients(model: heads.HeadedModel, batch: dict[str, tf.Tensor], packed: bool) -> list[np.ndarray]:
    model.encoder.packed = packed

    @tf.function
    def compute() -> list[tf.Tensor]:
        variables = [variable.value for variable in model.trainable_variables]
        with tf.GradientTape() as tape:
            terms = model.loss_terms(batch, model(batch, seed=SEED))
            loss = tf.add_n([term.value for term in terms.values()])
        return [loss, *(tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables))]

    return [value.numpy() for value in compute()]


def without_dropout(model: heads.HeadedModel) -> heads.HeadedModel:
    if hasattr(model, "dropout"):
        model.dropout.rate = 0.0
    return model


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_packed_rows_have_the_losses_and_gradients_of_the_batch(name, recompute):
    keras.utils.set_random_seed(1)
    model = without_dropout(MODELS[name]())
    model.recompute = recompute
    batch = batch_of(LENGTHS, name)
    for found, expected in zip(*(loss_and_gradients(model, batch, flag) for flag in (True, False)), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_packed_rows_have_the_same_dropout_when_they_are_computed_again():
    keras.utils.set_random_seed(1)
    model, batch = heads.PretrainingModel(dataclasses.replace(CONFIG, **DROPOUT)), batch_of(LENGTHS, "masked words")
    kept = loss_and_gradients(model, batch, packed=True)
    model.recompute = True
    for found, expected in zip(loss_and_gradients(model, batch, packed=True), kept, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_no_answer_begins_in_padding_that_was_not_computed():
    """Where no row has padding, all is as it is; else only words have a share in the softmax."""
    keras.utils.set_random_seed(1)
    model, batch = heads.SpanModel(CONFIG), batch_of(LENGTHS, "classes")
    model.encoder.packed = True
    outputs = model(batch, seed=SEED)
    chances = tf.nn.softmax(outputs["start_logits"]).numpy()
    assert np.abs(chances[batch["input_mask"].numpy() == 0]).max() == 0.0
    model.encoder.packed = False
    words = batch["input_mask"].numpy() == 1
    expected = model(batch, seed=SEED)["start_logits"].numpy()[words]
    np.testing.assert_allclose(outputs["start_logits"].numpy()[words], expected, atol=1e-6)


def test_an_encoder_that_cannot_pack_scores_padding_as_before():
    config = dataclasses.replace(CONFIG, encoder="lstm")
    keras.utils.set_random_seed(1)
    model, batch = heads.SpanModel(config), batch_of(LENGTHS, "classes")
    expected = model(batch, seed=SEED)["start_logits"].numpy()
    model.encoder.packed = True
    np.testing.assert_array_equal(model(batch, seed=SEED)["start_logits"].numpy(), expected)


@given(st.lists(st.integers(1, S), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_every_token_has_a_slot_of_its_own_and_comes_back(lengths):
    mask = tf.constant((np.arange(S) < np.array(lengths)[:, None]).astype(np.int32))
    layout = PackedRows.of(mask)
    count, listed = sum(lengths), int(tf.size(layout.sources))
    assert count < listed <= count + layouts.LIST_MULTIPLE
    assert listed % layouts.LIST_MULTIPLE == 0
    places = tf.range(listed)[:, tf.newaxis]
    parts = layout.split(places)
    inside = np.concatenate(
        [part.numpy()[mask.numpy() == 1, 0] for part, mask in zip(parts, layout.masks, strict=True)]
    )
    assert sorted(inside.tolist()) == list(range(count))
    assert (layout.joined(parts, read=False).numpy()[:count] == places.numpy()[:count]).all()
    unfolded = layout.unfolded(places + 1).numpy()[:, :, 0]
    assert (unfolded[mask.numpy() == 1] == np.arange(count) + 1).all()
    assert (unfolded[mask.numpy() == 0] == 0).all()
