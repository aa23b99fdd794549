"""The losses of the three heads on a sequence, worked by hand in numpy, and their way into `.keras` files and back."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from bert.config import BertConfig
from bert.heads import MultiLabelClassifier, Regressor, SequenceClassifier
from tests import commands

CONFIG = BertConfig.from_dict(commands.TINY)
LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0], [0.3, 0.2, 0.1], [9.0, 9.0, 9.0]], np.float32)
REAL = np.array([1.0, 1.0, 1.0, 0.0], np.float32)  # the last row only fills the batch
WEIGHTS = (1.0, 2.0, 0.5)


def terms(model, label_ids, logits=LOGITS) -> tuple[float, float]:
    """The loss term in training and in evaluation."""
    batch = {"label_ids": tf.constant(label_ids), "is_real_example": tf.constant(REAL)}
    outputs = {"logits": tf.constant(logits)}
    (training,), (evaluation,) = (
        values(batch, outputs).values() for values in (model.loss_terms, model.evaluation_terms)
    )
    assert float(training.weight) == pytest.approx(float(next(iter(model.loss_weights(batch).values()))))
    return float(training.value), float(evaluation.value)


def test_a_class_weighs_in_training_only():
    labels = np.array([0, 1, 1, 0])
    losses = -special.log_softmax(LOGITS, axis=1)[np.arange(4), labels][:3]
    weights = np.array(WEIGHTS)[labels][:3]
    found = terms(SequenceClassifier(CONFIG, 3, WEIGHTS), labels[:, None].astype(np.int32))
    assert found == pytest.approx((np.sum(losses * weights) / weights.sum(), losses.mean()), rel=1e-6)


def test_each_of_several_labels_is_a_decision_of_its_own():
    labels = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0], [1, 1, 1]], np.int32)
    yes, no = -special.log_expit(LOGITS), -special.log_expit(-LOGITS)
    plain = np.where(labels, yes, no).mean(1)[:3].mean()
    weighted = np.where(labels, yes * np.array(WEIGHTS), no).mean(1)[:3].mean()
    assert terms(MultiLabelClassifier(CONFIG, 3, WEIGHTS), labels) == pytest.approx((weighted, plain), rel=1e-6)
    assert terms(MultiLabelClassifier(CONFIG, 3), labels) == pytest.approx((plain, plain), rel=1e-6)


def test_several_labels_are_right_together():
    labels = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]], np.int32)
    batch = {"label_ids": tf.constant(labels), "is_real_example": tf.constant(REAL)}
    measures = MultiLabelClassifier(CONFIG, 3).measures(batch, {"logits": tf.constant(LOGITS)})
    assert float(measures["accuracy"].value) == pytest.approx(2 / 3)  # the second row has a label too many


def test_a_number_s_loss_is_its_squared_error():
    labels = np.array([[0.5], [1.0], [-1.0], [7.0]], np.float32)
    squared = np.mean((LOGITS[:3, 0] - labels[:3, 0]) ** 2)
    assert terms(Regressor(CONFIG), labels, LOGITS[:, :1]) == pytest.approx((squared, squared))


@pytest.mark.parametrize(
    "model",
    [SequenceClassifier(CONFIG, 3, WEIGHTS), MultiLabelClassifier(CONFIG, 3), Regressor(CONFIG, label_variance=2.0)],
    ids=lambda model: type(model).__name__,
)
def test_keras_files_keep_weights_and_settings(model, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    batch = {name: tf.ones([2, 4], tf.int32) for name in ("input_ids", "input_mask", "segment_ids")}
    assert np.array_equal(loaded(batch)["logits"], model(batch)["logits"])
    assert loaded.declared_losses == model.declared_losses
    assert getattr(loaded, "class_weights", None) == getattr(model, "class_weights", None)
