"""One vector per question, so that questions of the same answer lie close together."""

import math
from typing import Any

import keras
import tensorflow as tf

from bert import halves
from bert.config import BertConfig
from bert.heads.base import HeadedModel, Mean, Tensors, correct, cross_entropy, weighted
from bert.measures import Measure, loss
from bert.pooling import pool

POSITIVE, NEGATIVE = "positive_", "negative_{}_"  # what the names of a partner's features begin with
_FORBIDDEN = -1e9  # a logit that no softmax sees


@keras.saving.register_keras_serializable(package="bert")
class TwoTower(HeadedModel):
    """Vectors of length 1 from one encoder for both sides; their product is the cosine.

    The loss is the cross entropy of the partner among all partners and hard negatives of the batch, cosines divided by
    `temperature` (Henderson et al. 2017; the batch's other answers are the wrong ones), and the same from the partner's
    side, which is a question as well, in equal parts. A row with the answer of another is no wrong one for it.

    A batch has the features of `records.CLASSIFIER`, `label_ids` being the answer; for training also `input_ids` and
    `input_mask` of a partner of each row and of its hard negatives, with the names above, and the `label_ids` of these.
    `candidates` is what a guess chooses among.
    """

    declared_measures = (Measure("in_batch_accuracy", short="acc"),)
    rows_are_independent = False

    def __init__(
        self,
        config: BertConfig | dict,
        pooling: str = "mean",
        temperature: float = 0.05,
        candidates: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(config, **kwargs)
        self.encoder.pooler.trainable = False  # saved, but nothing reads it: no gradient, no slots (docs/parity.md 9)
        self.pooling, self.temperature, self.candidates = pooling, temperature, candidates
        self.build()

    def build_head(self) -> None:
        """There is none."""

    def call(self, batch: Tensors, training: bool = False, seed: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns `vector`, float32 [B, H], and for each partner in the batch one whose name begins as its features."""
        seed = self.dropout_seed(training, seed)
        sides = [name.removesuffix("input_ids") for name in batch if name.endswith("input_ids")]
        ids, mask = (tf.concat([batch[side + name] for side in sides], axis=0) for name in ("input_ids", "input_mask"))
        rows = {"input_ids": ids, "input_mask": mask, "segment_ids": tf.zeros_like(ids)}
        if self.halved and seed is not None:
            parts = [self._vectors(part, halves.seed(seed, number)) for number, part in enumerate(halves.of(rows))]
            vectors = tf.concat(parts, axis=0)  # [sides * B, H]
        else:
            vectors = self._vectors(rows, seed)
        return {f"{side}vector": part for side, part in zip(sides, tf.split(vectors, len(sides)), strict=True)}

    def _vectors(self, rows: Tensors, seed: tf.Tensor | None) -> tf.Tensor:
        hidden = self.encode(rows, seed=seed)["sequence_output"]  # [B, S, H]
        return tf.math.l2_normalize(pool(hidden, rows["input_mask"], self.pooling), axis=1)  # [B, H]

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        return (loss("in_batch_cross_entropy", math.log(self.candidates)),)

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        logits, right = self._logits(batch, outputs), tf.range(tf.shape(batch["label_ids"])[0])
        partners = logits[:, : tf.shape(logits)[0]]  # [B, B]
        both = (cross_entropy(logits, right) + cross_entropy(tf.transpose(partners), right)) / 2
        return {"in_batch_cross_entropy": weighted(both, batch["is_real_example"])}

    def evaluation_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        """None: questions that are asked have no partners, and are judged by what they find."""
        return self.loss_terms(batch, outputs) if f"{POSITIVE}vector" in outputs else {}

    def measures(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        if f"{POSITIVE}vector" not in outputs:
            return {}
        right = correct(self._logits(batch, outputs), tf.range(tf.shape(batch["label_ids"])[0]))
        return {"in_batch_accuracy": weighted(right, batch["is_real_example"])}

    def _logits(self, batch: Tensors, outputs: Tensors) -> tf.Tensor:
        """Every question against every partner, then against every hard negative, float32 [B, B + B * N]."""
        own = batch["label_ids"][:, 0]  # [B]
        negatives = [name.removesuffix("vector") for name in outputs if name.startswith("negative_")]
        labels = tf.concat([own, *(batch[f"{side}label_ids"][:, 0] for side in negatives)], axis=0)
        others = tf.concat([outputs[f"{side}vector"] for side in (POSITIVE, *negatives)], axis=0)
        logits = tf.matmul(outputs["vector"], others, transpose_b=True) / self.temperature
        is_same = tf.equal(own[:, tf.newaxis], labels)  # [B, B + B * N]
        is_partner = tf.eye(tf.shape(own)[0], tf.shape(labels)[0], dtype=tf.bool)
        return tf.where(is_same & ~is_partner, _FORBIDDEN, logits)

    def get_config(self) -> dict[str, Any]:
        own = {"pooling": self.pooling, "temperature": self.temperature, "candidates": self.candidates}
        return {**super().get_config(), **own}
