"""DSSM: letter trigrams, hashed, through tanh layers to one vector a text (Huang et al. 2013).

The paper counts the letter trigrams of whole words between marks, "#good#": #go, goo, ood, od#. Here texts come as
WordPieces, and each piece is hashed by itself, with a mark before it where it begins a word: "play", "##ing" give #pl,
pla, lay, ay#, ing, ng#. The trigrams across pieces are lost, which touches words outside the vocabulary only. A Chinese
character is a piece; to characters come pairs of neighbours. As many features as there are share `hash_buckets` rows.

Shapes: B batch, S sequence length, F features of a piece, T = 2 * B texts, I intermediate size, H hidden size.
"""

import math
import zlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert.config import BertConfig
from bert.encoders.base import Baseline, encoded, segment_masks
from bert.layers import Dense, Dropout, Shape
from bert.unicode_ranges import is_chinese_character

FEATURES = 24  # of a piece, at most; the longest words of Google's vocabularies have fewer
SMOOTHING = 10.0  # what a cosine is multiplied by before a softmax, as in the program the authors gave out
_PAIR_FACTOR = 1_000_003  # a prime; the second character of a pair is added


def features_of(piece: str) -> list[str]:
    """The letter trigrams of a piece, one as often as it occurs; none for special tokens but [UNK]."""
    if piece.startswith("[") and piece.endswith("]") and len(piece) > 2:
        return [piece] if piece == "[UNK]" else []
    word = piece.removeprefix("##") + "#" if piece.startswith("##") and len(piece) > 2 else f"#{piece}#"
    return [word[start : start + 3] for start in range(max(1, len(word) - 2))]


class WordHashing(keras.layers.Layer):
    """What each piece of the vocabulary is hashed to: two tables that are no weights, but lie in the checkpoint."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config

    def build(self, input_shape: Shape | None = None) -> None:
        fixed = {"dtype": "int64", "initializer": "zeros", "trainable": False}
        self.trigrams = self.add_weight(shape=(self.config.vocab_size, FEATURES), name="trigrams", **fixed)
        self.characters = self.add_weight(shape=(self.config.vocab_size,), name="characters", **fixed)
        self.built = True

    def fill(self, tokens: Sequence[str]) -> None:
        """Computes both tables of the pieces, in the order of their ids. 0 is no feature, and no character."""
        trigrams = np.zeros(self.trigrams.shape, np.int64)
        characters = np.zeros(self.characters.shape, np.int64)
        for index, piece in enumerate(tokens):
            found = [self._bucket(zlib.crc32(feature.encode())) for feature in features_of(piece)[:FEATURES]]
            trigrams[index, : len(found)] = found
            letters = piece.removeprefix("##")
            characters[index] = ord(letters) if len(letters) == 1 and is_chinese_character(letters) else 0
        self.trigrams.assign(trigrams)
        self.characters.assign(characters)

    def _bucket(self, number: Any) -> Any:
        return 1 + number % (self.config.hash_buckets - 1)

    def call(self, input_ids: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Buckets and rows, int64 [N] both, of all features of the texts [B, S], at the positions of `mask` [B, S]."""
        trigrams = tf.gather(self.trigrams, input_ids)  # [B, S, F]
        characters = tf.gather(self.characters, input_ids) * tf.cast(mask, tf.int64)  # [B, S]
        left, right = characters[:, :-1], characters[:, 1:]
        pairs = tf.where((left > 0) & (right > 0), self._bucket(left * _PAIR_FACTOR + right), 0)
        pairs = tf.pad(pairs, [[0, 0], [0, 1]])[:, :, tf.newaxis]  # [B, S, 1]
        features = tf.concat([trigrams, pairs], axis=2) * tf.cast(mask, tf.int64)[:, :, tf.newaxis]  # [B, S, F + 1]
        places = tf.where(features > 0)  # [N, 3], row by row
        return tf.gather_nd(features, places), places[:, 0]


class HashedDense(keras.layers.Layer):
    """The first layer: tanh(counts · kernel + bias), of which only the rows that occur are read."""

    def __init__(self, buckets: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.buckets, self.units = buckets, units

    def build(self, input_shape: Shape | None = None) -> None:
        glorot = keras.initializers.GlorotUniform()  # as the paper begins, section 3.4
        self.kernel = self.add_weight(shape=(self.buckets, self.units), initializer=glorot, name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.built = True

    def call(self, buckets: tf.Tensor, rows: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """[count, I], of the buckets [N] of rows [N], which ascend."""
        sums = tf.sparse.segment_sum(tf.convert_to_tensor(self.kernel), buckets, rows, num_segments=count)
        return tf.tanh(tf.cast(sums, self.compute_dtype) + self.bias)


class SmoothedCosine(keras.layers.Layer):
    """What a head gets: of a pair the smoothed cosine of both vectors, in every component; of a text its vector."""

    def call(self, first: tf.Tensor, second: tf.Tensor, is_pair: tf.Tensor) -> tf.Tensor:
        one, other = (tf.math.l2_normalize(tf.cast(x, tf.float32), axis=1) for x in (first, second))  # [B, H]
        cosine = SMOOTHING * tf.reduce_sum(one * other, axis=1, keepdims=True)  # [B, 1]
        return tf.where(is_pair, tf.cast(cosine, first.dtype), first)


@keras.saving.register_keras_serializable(package="bert")
class DSSMEncoder(Baseline):
    """Knows the trigrams of a text and not their order. Called as `bert.encoders` says; `sequence_output` has at every
    position the vector of the text that it is of."""

    encoder = "dssm"

    def __init__(self, config: BertConfig | dict, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        config = self.config
        sizes = [config.intermediate_size] * (config.num_hidden_layers - 1) + [config.hidden_size]
        self.hashing = WordHashing(config, name="hashing")
        self.first = HashedDense(config.hash_buckets, sizes[0], name="layer_0")
        self.others = [
            Dense(size, math.sqrt(2 / (config.intermediate_size + size)), "tanh", name=f"layer_{index}")
            for index, size in enumerate(sizes[1:], start=1)
        ]
        count = len(self.others)
        self.dropouts = [Dropout(config.hidden_dropout_prob, name=f"dropout_{index}") for index in range(count)]
        self.pooler = SmoothedCosine(name="pooler")

    def build(self, input_shape: Shape | None = None) -> None:
        self.hashing.build()
        self.first.build()
        for dense in self.others:
            dense.build((None, self.config.intermediate_size))
        for dropout in self.dropouts:
            dropout.build(None)
        self.pooler.build(None)
        self.built = True

    def take_vocabulary(self, tokens: Sequence[str]) -> None:
        """Computes the trigrams of every piece."""
        self.hashing.fill(tokens)

    def call(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor,
        segment_ids: tf.Tensor,
        positions: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> dict[str, Any]:
        masks = segment_masks(input_mask, segment_ids)  # [B, S] each
        both = tf.concat(masks, axis=0)  # [T, S], all first texts and then all second
        buckets, rows = self.hashing(tf.tile(input_ids, [2, 1]), both)
        hidden = self.first(buckets, rows, tf.shape(both)[0])  # [T, I]
        for dense, dropout in zip(self.others, self.dropouts, strict=True):
            hidden = dense(dropout(hidden, seed=seed))
        first, second = tf.split(hidden, 2)  # [B, H]
        is_second = masks[1][:, :, tf.newaxis] > 0  # [B, S, 1]
        sequence = tf.where(is_second, second[:, tf.newaxis], first[:, tf.newaxis])  # [B, S, H]
        pooled = self.pooler(first, second, tf.reduce_any(is_second, axis=1))
        return encoded([sequence], pooled, positions)
