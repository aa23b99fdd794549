"""What every model here shares: an encoder, a head on it, and the questions the training loop asks.

    outputs  = model(batch, seed=seed)            no seed: no dropout
    weights  = model.loss_weights(batch)          name -> what the loss term of that name is divided by
    terms    = model.loss_terms(batch, outputs)   name -> Mean; the loss is the sum of their means
    terms    = model.evaluation_terms(batch, outputs)   the same for an evaluation, where classes weigh alike
    measures = model.measures(batch, outputs)     name -> Mean, only to look at
    losses   = model.row_losses(batch, outputs)   what each row adds to that of an evaluation; None where rows have none

The names are those that the model declares in `declared_losses` and `declared_measures`.

A model is a Keras model with an empty name, so that its variables' paths are the checkpoint's names. A `Mean` is a
sum and a weight, never a quotient: batches, devices and accumulated steps add up exactly.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from bert import encoders
from bert.config import ENCODERS, BertConfig
from bert.errors import InputError
from bert.layers import Shape, initializer
from bert.measures import Measure

Tensors = Mapping[str, tf.Tensor]  # by name: the features of a batch, or what a model makes of them

CLASSIFIER_STDDEV = 0.02  # a new head starts as the original's, whatever initializer_range says (docs/parity.md 9)
CLASSIFIER_DROPOUT = 0.1  # as the original trains its classifiers, whatever the config's rates (docs/parity.md 9)


class Mean(NamedTuple):
    """A weighted mean in two parts, float32 scalars: sum / (weight + epsilon)."""

    sum: tf.Tensor
    weight: tf.Tensor
    epsilon: float = 0.0

    @property
    def value(self) -> tf.Tensor:
        return tf.math.divide_no_nan(self.sum, self.weight + self.epsilon)

    def plus(self, other: "Mean") -> "Mean":
        """That of both parts of a batch together."""
        return Mean(self.sum + other.sum, self.weight + other.weight, self.epsilon)


def weighted(values: tf.Tensor, weights: tf.Tensor, epsilon: float = 0.0) -> Mean:
    """The mean of `values` under `weights`, two tensors of one shape."""
    values = tf.cast(values, tf.float32)
    return Mean(tf.reduce_sum(values * weights), tf.reduce_sum(weights), epsilon)


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(logits)[label] per row; logits [..., C], labels int32 [...]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.cast(logits, tf.float32))


def correct(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """1.0 where the largest logit is the label's, else 0.0."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=labels.dtype), labels), tf.float32)


class ProjectedClasses(keras.layers.Layer):
    """x · Wᵀ + b with W [C, H], as the original's heads hold it: variables `output_weights`, `output_bias`."""

    def __init__(self, classes: int, stddev: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes, self.stddev = classes, stddev

    def build(self, input_shape: Shape) -> None:
        self.output_weights = self.add_weight(
            shape=(self.classes, input_shape[-1]), initializer=initializer(self.stddev), name="output_weights"
        )
        self.output_bias = self.add_weight(shape=(self.classes,), initializer="zeros", name="output_bias")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.matmul(x, self.output_weights, transpose_b=True), self.output_bias)


class HeadedModel(keras.Model):
    """What the models here share: an encoder and a config that goes into `.keras` files.

    Attributes:
      stands_on: the encoders that can give what the head reads.
      rows_are_independent: whether the loss of a batch is the sum of its rows'.
      halved: whether a batch is computed in two `halves`.
    """

    built: bool
    stands_on: ClassVar[tuple[str, ...]] = ENCODERS
    rows_are_independent: ClassVar[bool] = True
    halved = False

    def __init__(self, config: BertConfig | dict, name: str = "", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.config = config if isinstance(config, BertConfig) else BertConfig.from_dict(config)
        if self.config.encoder not in self.stands_on:
            raise InputError(
                f"`bert_config_file`: the encoder is '{self.config.encoder}', but {self.__class__.__name__} needs one "
                f"of {', '.join(self.stands_on)}"
            )
        self.encoder = encoders.build(self.config)
        self.seed_generator = keras.random.SeedGenerator()

    @property
    def recompute(self) -> bool:
        """Whether the encoder's layers keep only their input for the backward pass. Raises InputError where they can
        not."""
        return self.encoder.recompute

    @recompute.setter
    def recompute(self, value: bool) -> None:
        self.encoder.recompute = value

    def get_config(self) -> dict[str, Any]:
        return {"config": self.config.to_dict()}

    def build(self, input_shape: Shape | None = None) -> None:
        if not self.built:
            self.encoder.build()
            self.build_head()
            self.built = True

    def build_head(self) -> None:
        """Creates the variables of what stands on the encoder."""
        raise NotImplementedError

    def get_build_config(self) -> dict[str, Any]:
        return {}

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        self.build()

    def loss_weights(self, batch: Tensors) -> dict[str, tf.Tensor]:
        """The weights of the loss terms, known before the model has run: each real row weighs 1."""
        return {loss.name: tf.reduce_sum(batch["is_real_example"]) for loss in self.declared_losses}

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        """What training minimises the sum of."""
        raise NotImplementedError

    def evaluation_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        """What an evaluation tells as the loss: the same, unless training weighs classes."""
        return self.loss_terms(batch, outputs)

    def row_losses(self, batch: Tensors, outputs: Tensors) -> tf.Tensor | None:
        """The loss of each row, float32 [B], where that of an evaluation is their mean whatever batch they are in; else
        None."""
        return None

    def measures(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        """What is shown beside the loss."""
        return {}

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        """The loss terms, in nats or squared units; `loss` is their sum."""
        raise NotImplementedError

    @property
    def declared_measures(self) -> tuple[Measure, ...]:
        """What is only looked at."""
        return ()

    @property
    def reported(self) -> tuple[Measure, ...]:
        """What a step tells beside the loss: its terms where there are several, and the measures."""
        losses = self.declared_losses
        return (*(losses if len(losses) > 1 else ()), *self.declared_measures)

    def dropout_seed(self, training: bool, seed: tf.Tensor | None) -> tf.Tensor | None:
        """The seed given, or where Keras's `fit` trains without one, the next of a generator."""
        return tf.cast(self.seed_generator.next(), tf.int32) if training and seed is None else seed

    def encode(
        self, batch: Tensors, positions: tf.Tensor | None = None, seed: tf.Tensor | None = None
    ) -> dict[str, Any]:
        return self.encoder(
            batch["input_ids"], batch["input_mask"], batch["segment_ids"], positions=positions, seed=seed
        )
