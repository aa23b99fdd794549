"""Where an answer starts and ends (figure 4, c)."""

import math
from typing import Any

import keras
import tensorflow as tf

from bert import encoders
from bert.config import BertConfig
from bert.heads.base import (
    CLASSIFIER_STDDEV,
    HeadedModel,
    Mean,
    ProjectedClasses,
    Tensors,
    correct,
    cross_entropy,
    weighted,
)
from bert.layers import Shape
from bert.measures import Measure, loss
from bert.transformer import MASKED_SCORE


class SpanHeads(keras.layers.Layer):
    """The folder `cls` of a question answering checkpoint: scores of a start and of an end, at every position."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_size = config.hidden_size
        self.squad = ProjectedClasses(2, CLASSIFIER_STDDEV, name="squad")

    def build(self, input_shape: Shape | None = None) -> None:
        self.squad.build((None, self.hidden_size))
        self.built = True

    def call(self, x: tf.Tensor) -> list[tf.Tensor]:
        shape = tf.shape(x)  # [B, S, H]
        logits = tf.reshape(self.squad(tf.reshape(x, [-1, self.hidden_size])), [shape[0], shape[1], 2])
        return tf.unstack(logits, axis=-1)


@keras.saving.register_keras_serializable(package="bert")
class SpanModel(HeadedModel):
    """Where an answer starts and ends (figure 4, c): batch features of `records.SQUAD_TRAINING` or SQUAD_PREDICTION."""

    stands_on = encoders.WITH_WORDS
    declared_measures = (Measure("exact_spans"),)

    def __init__(self, config: BertConfig | dict, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.encoder.pooler.trainable = False  # saved, but nothing reads it: no gradient, no slots (docs/parity.md 9)
        self.heads = SpanHeads(self.config, name="cls")
        self.build()

    def build_head(self) -> None:
        self.heads.build()

    def call(self, batch: Tensors, training: bool = False, seed: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns `start_logits` and `end_logits`, float32 [B, S]."""
        seed = self.dropout_seed(training, seed)
        start, end = (tf.cast(x, tf.float32) for x in self.heads(self.encode(batch, seed=seed)["sequence_output"]))
        outputs = {"start_logits": start, "end_logits": end}
        is_packed = self.encoder.packs(batch["input_mask"], seed)
        return _of_words(batch, outputs) if is_packed else outputs  # the padding of packed rows was not computed

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        return (loss("span_loss", math.log(self.config.max_position_embeddings)),)

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        # Like the original's, the softmax runs over all positions the batch has, padding and question among them.
        start = cross_entropy(outputs["start_logits"], batch["start_positions"][:, 0])
        end = cross_entropy(outputs["end_logits"], batch["end_positions"][:, 0])
        return {"span_loss": weighted((start + end) / 2.0, batch["is_real_example"])}

    def evaluation_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        """The loss of the words alone, as training on packed rows has it, whatever padding is beside them."""
        return self.loss_terms(batch, _of_words(batch, outputs))

    def measures(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        outputs = _of_words(batch, outputs)
        start = correct(outputs["start_logits"], batch["start_positions"][:, 0])
        end = correct(outputs["end_logits"], batch["end_positions"][:, 0])
        return {"exact_spans": weighted(start * end, batch["is_real_example"])}


def _of_words(batch: Tensors, logits: Tensors) -> dict[str, tf.Tensor]:
    """Logits [B, S] with which no answer starts or ends at padding."""
    padding = MASKED_SCORE * (1.0 - tf.cast(batch["input_mask"], tf.float32))  # [B, S]
    return {name: value + padding for name, value in logits.items()}
