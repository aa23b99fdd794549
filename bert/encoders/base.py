"""What the baselines share: one reading of a row's two texts, each for itself, and what a head gets of them.

Shapes: B batch, S sequence length, K positions that are read, H hidden size, E size of a word vector, V vocabulary.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from bert.config import BertConfig
from bert.errors import InputError
from bert.layers import Dense, Dropout, Shape, initializer


class Baseline(keras.layers.Layer):
    """An encoder that is no BERT; its name is what its variables begin with.

    Attributes:
      pooler: the layer that makes `pooled_output`.
    """

    encoder: ClassVar[str]
    pooler: keras.layers.Layer

    def __init__(self, config: BertConfig | dict, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or self.encoder, **kwargs)
        self.config = config if isinstance(config, BertConfig) else BertConfig.from_dict(config)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.config.to_dict()}

    @property
    def recompute(self) -> bool:
        """Never: there is little to keep."""
        return False

    @recompute.setter
    def recompute(self, value: bool) -> None:
        if value:
            raise InputError(f"`recompute` is for the encoder bert, the one of `bert_config_file` is {self.encoder}")

    def packs(self, input_mask: tf.Tensor, seed: tf.Tensor | None) -> bool:
        """Never, whatever `packed` says: there is little that padding could cost."""
        return False

    def take_vocabulary(self, tokens: Sequence[str]) -> None:
        """Takes from the vocabulary what the encoder has to know of it, before a random start; most need nothing."""


class WordEmbeddings(keras.layers.Layer):
    """A vector for every WordPiece, and nothing of its place: [B, S] ids to [B, S, E]."""

    def __init__(self, config: BertConfig, size: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.config, self.size = config, size
        self.dropout = Dropout(config.hidden_dropout_prob, name="dropout")

    def build(self, input_shape: Shape | None = None) -> None:
        self.word_embeddings = self.add_weight(
            shape=(self.config.vocab_size, self.size),
            initializer=initializer(self.config.initializer_range),
            name="word_embeddings",
        )
        self.dropout.build(None)
        self.built = True

    def call(self, input_ids: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        vectors = tf.cast(tf.gather(self.word_embeddings, input_ids), self.compute_dtype)
        return self.dropout(vectors, seed=seed)


class PairPooler(keras.layers.Layer):
    """One vector of those of two texts, u and v: tanh(W [u, v, |u - v|, u * v] + b), with the features that InferSent
    compares sentences by (Conneau et al. 2017). A text alone has v = 0, which leaves a layer on u."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.dense = Dense(config.hidden_size, config.initializer_range, "tanh", name="dense")

    def build(self, input_shape: Shape | None = None) -> None:
        self.dense.build((None, 4 * self.config.hidden_size))
        self.built = True

    def call(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        return self.dense(tf.concat([first, second, tf.abs(first - second), first * second], axis=1))  # [B, H]


def segment_masks(input_mask: tf.Tensor, segment_ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which positions are of the first text, and which of the second: int32 [B, S] both, 0 for padding."""
    second = input_mask * tf.cast(segment_ids > 0, input_mask.dtype)
    return input_mask - second, second


def encoded(layers: Sequence[tf.Tensor], pooled: tf.Tensor, positions: tf.Tensor | None) -> dict[str, Any]:
    """What an encoder gives, of the outputs [B, S, H] of its layers and the pooled [B, H]."""
    outputs = list(layers)
    if positions is not None:
        outputs[-1] = tf.gather(outputs[-1], positions, batch_dims=1)  # [B, K, H]
    return {"layer_outputs": outputs, "sequence_output": outputs[-1], "pooled_output": pooled}
