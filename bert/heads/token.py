"""One class per word (figure 4, d)."""

import math
from typing import Any

import keras
import tensorflow as tf

from bert import encoders
from bert.config import BertConfig
from bert.heads.base import (
    CLASSIFIER_DROPOUT,
    CLASSIFIER_STDDEV,
    HeadedModel,
    Mean,
    ProjectedClasses,
    Tensors,
    correct,
    cross_entropy,
    weighted,
)
from bert.layers import Dropout
from bert.measures import Measure, loss


@keras.saving.register_keras_serializable(package="bert")
class TokenClassifier(HeadedModel):
    """One class of C per position (figure 4, d): batch features of `records.TAGGING`."""

    stands_on = encoders.WITH_WORDS
    declared_measures = (Measure("token_accuracy"),)

    def __init__(self, config: BertConfig | dict, classes: int, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.encoder.pooler.trainable = False  # saved, but nothing reads it: no gradient, no slots (docs/parity.md 9)
        self.classes = classes
        self.dropout = Dropout(CLASSIFIER_DROPOUT, name="classifier_dropout")
        self.projection = ProjectedClasses(classes, CLASSIFIER_STDDEV, name="")  # variables at the root
        self.build()

    def build_head(self) -> None:
        self.dropout.build((None, None, self.config.hidden_size))
        self.projection.build((None, self.config.hidden_size))

    def call(self, batch: Tensors, training: bool = False, seed: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns `logits`, float32 [B, S, C]."""
        seed = self.dropout_seed(training, seed)
        sequence = self.dropout(self.encode(batch, seed=seed)["sequence_output"], seed=seed)  # [B, S, H]
        logits = self.projection(tf.reshape(sequence, [-1, self.config.hidden_size]))  # [B * S, C]
        logits = tf.reshape(tf.cast(logits, tf.float32), [*tf.unstack(tf.shape(sequence)[:2]), self.classes])
        return {"logits": logits}

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        return (loss("cross_entropy", math.log(self.classes)),)

    def loss_weights(self, batch: Tensors) -> dict[str, tf.Tensor]:
        return {"cross_entropy": tf.reduce_sum(self._weights(batch))}

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        return {"cross_entropy": weighted(cross_entropy(outputs["logits"], batch["label_ids"]), self._weights(batch))}

    def measures(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        return {"token_accuracy": weighted(correct(outputs["logits"], batch["label_ids"]), self._weights(batch))}

    def _weights(self, batch: Tensors) -> tf.Tensor:
        """1.0 where a word is predicted, [B, S]; a row that only fills the batch has none."""
        return tf.cast(batch["label_weights"], tf.float32) * batch["is_real_example"][:, tf.newaxis]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}
