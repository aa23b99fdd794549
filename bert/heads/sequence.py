"""One answer per sequence (figure 4, a and b): a class, several classes at once, or a number."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

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


class SequenceModel(HeadedModel):
    """What the three share: the pooled output, dropout, and a projection to `size` logits."""

    def __init__(self, config: BertConfig | dict, size: int, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.dropout = Dropout(CLASSIFIER_DROPOUT, name="classifier_dropout")
        self.projection = ProjectedClasses(size, CLASSIFIER_STDDEV, name="")  # variables at the root
        self.build()

    def build_head(self) -> None:
        self.dropout.build((None, self.config.hidden_size))
        self.projection.build((None, self.config.hidden_size))

    def call(self, batch: Tensors, training: bool = False, seed: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns `logits` float32 [B, size]."""
        seed = self.dropout_seed(training, seed)
        first = tf.zeros_like(batch["input_ids"][:, :1])  # [B, 1]
        pooled = self.encode(batch, positions=first, seed=seed)["pooled_output"]  # [B, H]
        return {"logits": tf.cast(self.projection(self.dropout(pooled, seed=seed)), tf.float32)}

    def row_losses(self, batch: Tensors, outputs: Tensors) -> tf.Tensor:
        """The loss of each row, float32 [B]; the only one, whatever training makes of it."""
        raise NotImplementedError

    def evaluation_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        (only,) = self.declared_losses
        return {only.name: weighted(self.row_losses(batch, outputs), batch["is_real_example"])}


class ClassesModel(SequenceModel):
    """C classes, each with a weight in the training loss where `class_weights`, C numbers, are given."""

    declared_measures = (Measure("accuracy", short="acc"),)

    def __init__(
        self, config: BertConfig | dict, classes: int, class_weights: Sequence[float] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(config, classes, **kwargs)
        self.classes = classes
        self.class_weights = None if class_weights is None else tuple(map(float, class_weights))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes, "class_weights": self.class_weights}


@keras.saving.register_keras_serializable(package="bert")
class SequenceClassifier(ClassesModel):
    """One class of C per sequence: batch features of `records.CLASSIFIER`.

    With `class_weights` the training loss of a batch is Σ weight · loss / Σ weight, each example weighing what its
    class does.
    """

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        return (loss("cross_entropy", math.log(self.classes)),)

    def loss_weights(self, batch: Tensors) -> dict[str, tf.Tensor]:
        return {"cross_entropy": tf.reduce_sum(self._weights(batch))}

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        return {"cross_entropy": weighted(self.row_losses(batch, outputs), self._weights(batch))}

    def measures(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        return {"accuracy": weighted(correct(outputs["logits"], batch["label_ids"][:, 0]), batch["is_real_example"])}

    def row_losses(self, batch: Tensors, outputs: Tensors) -> tf.Tensor:
        return cross_entropy(outputs["logits"], batch["label_ids"][:, 0])  # [B]

    def _weights(self, batch: Tensors) -> tf.Tensor:
        """What each row weighs in the loss, [B]."""
        if self.class_weights is None:
            return batch["is_real_example"]
        return batch["is_real_example"] * tf.gather(self.class_weights, batch["label_ids"][:, 0])


@keras.saving.register_keras_serializable(package="bert")
class MultiLabelClassifier(ClassesModel):
    """Any of C classes per sequence, each a decision of its own: batch features of `records.MULTI_LABEL`.

    The loss of an example is the mean of its C binary cross entropies; `class_weights` multiply those of the classes
    that it has.
    """

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        return (loss("binary_cross_entropy", math.log(2)),)

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        losses = self._binary_cross_entropies(batch, outputs, tf.constant(self.class_weights or 1.0))
        return {"binary_cross_entropy": weighted(losses, batch["is_real_example"])}

    def row_losses(self, batch: Tensors, outputs: Tensors) -> tf.Tensor:
        return self._binary_cross_entropies(batch, outputs, tf.constant(1.0))

    def _binary_cross_entropies(self, batch: Tensors, outputs: Tensors, class_weights: tf.Tensor) -> tf.Tensor:
        labels = tf.cast(batch["label_ids"], tf.float32)
        losses = tf.nn.weighted_cross_entropy_with_logits(labels, outputs["logits"], class_weights)  # [B, C]
        return tf.reduce_mean(losses, axis=1)  # [B]

    def measures(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        """`accuracy`: the share of rows with all classes right."""
        right = tf.equal(outputs["logits"] > 0, batch["label_ids"] > 0)  # [B, C]
        return {"accuracy": weighted(tf.reduce_all(right, axis=1), batch["is_real_example"])}


@keras.saving.register_keras_serializable(package="bert")
class Regressor(SequenceModel):
    """A number per sequence: batch features of `records.REGRESSION`; the loss is the squared error."""

    def __init__(self, config: BertConfig | dict, label_variance: float = math.nan, **kwargs: Any) -> None:
        super().__init__(config, 1, **kwargs)
        self.label_variance = label_variance

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        """A guess is the mean of the labels, and its loss their variance."""
        return (loss("squared_error", None if math.isnan(self.label_variance) else self.label_variance),)

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        return self.evaluation_terms(batch, outputs)

    def row_losses(self, batch: Tensors, outputs: Tensors) -> tf.Tensor:
        return tf.math.squared_difference(outputs["logits"], batch["label_ids"])[:, 0]  # [B]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_variance": self.label_variance}
