"""The mean of word vectors, and a layer on it (the deep averaging network of Iyyer et al. 2015, with one layer)."""

from typing import Any

import keras
import tensorflow as tf

from bert.config import BertConfig
from bert.encoders.base import Baseline, PairPooler, WordEmbeddings, encoded, segment_masks
from bert.layers import Shape


@keras.saving.register_keras_serializable(package="bert")
class AverageEncoder(Baseline):
    """Knows the words of a text and not their order. Called as `bert.encoders` says; `sequence_output` are the word
    vectors."""

    encoder = "average"

    def __init__(self, config: BertConfig | dict, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.embeddings = WordEmbeddings(self.config, self.config.hidden_size, name="embeddings")
        self.pooler = PairPooler(self.config, name="pooler")

    def build(self, input_shape: Shape | None = None) -> None:
        self.embeddings.build()
        self.pooler.build()
        self.built = True

    def call(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor,
        segment_ids: tf.Tensor,
        positions: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> dict[str, Any]:
        words = self.embeddings(input_ids, seed=seed)  # [B, S, H]
        first, second = (mean(words, mask) for mask in segment_masks(input_mask, segment_ids))  # [B, H]
        return encoded([words], self.pooler(first, second), positions)


def mean(words: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean [B, H] of `words` [B, S, H] at the positions of `mask` [B, S]; 0 where there are none."""
    weights = tf.cast(mask, words.dtype)[:, :, tf.newaxis]  # [B, S, 1]
    count = tf.maximum(tf.reduce_sum(weights, axis=1), 1)  # [B, 1]
    return tf.reduce_sum(words * weights, axis=1) / count
