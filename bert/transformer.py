"""The layers of the Transformer's encoder (Vaswani et al. 2017): attention and feed-forward, each with a residual sum.

Shapes: B batch, S sequence length, K positions read from the last layer (S, or fewer), T tokens of packed rows,
H hidden size, N heads, D = H / N. Dropout draws as `bert.modeling` says.
"""

import functools
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from bert.config import BertConfig
from bert.layers import Dense, Dropout, LayerNormalization, Shape
from bert.layouts import Layout
from bert.operations import attention_weights, product

MASKED_SCORE = -10000.0  # added to a padding key's score, as in the original (docs/parity.md 9): its softmax is 0


class SelfAttention(keras.layers.Layer):
    """Scaled dot-product attention over N heads (Vaswani et al. 2017); only the keys are masked (docs/parity.md 9)."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = config.num_attention_heads
        self.query, self.key, self.value = (
            Dense(config.hidden_size, config.initializer_range, name=name) for name in ("query", "key", "value")
        )
        self.dropout = Dropout(config.attention_probs_dropout_prob, name="dropout")

    def build(self, input_shape: Shape) -> None:
        for dense in (self.query, self.key, self.value):
            dense.build(input_shape)
        self.dropout.build(None)
        self.built = True

    def call(
        self, queries: tf.Tensor, hidden: tf.Tensor, seed: tf.Tensor | None = None, *, layout: Layout
    ) -> tf.Tensor:
        """queries [B, K, H] ask, hidden [B, S, H] answers, or the list [T, H] of packed rows, which may ask, too."""
        own_seed = None if seed is None else self.dropout.own_seed(seed)
        contexts = []
        blocks = self._projected(queries, hidden, layout, seed is not None)
        for index, (query, key, value) in enumerate(blocks):
            if own_seed is not None and index:
                own_seed = tf.random.experimental.stateless_fold_in(own_seed, index)
            contexts.append(self._context(query, key, value, layout.masks[index], own_seed))
        return layout.joined(contexts, read=queries.shape.rank == 3)

    def _context(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, input_mask: tf.Tensor, seed: tf.Tensor | None
    ) -> tf.Tensor:
        """What the keys answer, [B, K, H], of [B, N, K, D] and twice [B, N, S, D]."""
        scores = tf.matmul(query, key, transpose_b=True)  # [B, N, K, S]
        padding = 1.0 - tf.cast(tf.expand_dims(tf.expand_dims(input_mask, 1), 1), tf.float32)  # [B, 1, 1, S]
        weights = attention_weights(tf.cast(scores, tf.float32) + MASKED_SCORE * padding, self.dropout.rate, seed)
        context = tf.matmul(tf.cast(weights, scores.dtype), value)  # [B, N, K, D]
        context = tf.transpose(context, [0, 2, 1, 3])  # [B, K, N, D]
        shape = tf.shape(context)
        return tf.reshape(context, [shape[0], shape[1], query.shape[1] * query.shape[3]])  # [B, K, H]

    def _projected(
        self, queries: tf.Tensor, hidden: tf.Tensor, layout: Layout, training: bool
    ) -> Iterable[tuple[tf.Tensor, ...]]:
        """For each block: queries times 1/√D, [B, N, K, D]; keys, and values times what `attention_weights` leaves out,
        [B, N, S, D].

        In training, what reads the same rows is one product of glued kernels, and so are its gradients. To glue them
        takes longer than it saves where few rows are only answered.
        """
        scale = tf.math.rsqrt(tf.cast(queries.shape[-1] // self.num_heads, queries.dtype))
        if not training:
            products = [self.query(queries) * scale, self.key(hidden), self.value(hidden)]
        else:
            value_scale = tf.cast(1.0 / (1.0 - self.dropout.rate), queries.dtype)
            kernels = [self.query.kernel * scale, self.key.kernel, self.value.kernel * value_scale]
            biases = [self.query.bias * scale, self.key.bias, self.value.bias * value_scale]
            own = 0 if queries is hidden else 1  # the queries of few positions are a product of their own
            products = [product(queries, kernels[0], biases[0])] if own else []
            products.append(product(hidden, tf.concat(kernels[own:], 1), tf.concat(biases[own:], 0)))
        for block in zip(*map(layout.split, products), strict=True):
            yield tuple(part for x in block for part in self._heads(x))

    def _heads(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Parts [B, N, S, D] of x [B, S, parts * H]."""
        parts, size = x.shape[-1] // self.query.units, self.query.units // self.num_heads
        x = tf.reshape(x, [-1, tf.shape(x)[1], parts, self.num_heads, size])  # [B, S, parts, N, D]
        return tf.unstack(tf.transpose(x, [2, 0, 3, 1, 4]))  # parts of [B, N, S, D]


class ResidualOutput(keras.layers.Layer):
    """How each half of a layer ends: projection, dropout, residual sum, normalization after the sum (post-LN)."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = Dense(config.hidden_size, config.initializer_range, name="dense")
        self.dropout = Dropout(config.hidden_dropout_prob, name="dropout")
        self.normalization = LayerNormalization(config.layer_norm_epsilon, name="LayerNorm")

    def build(self, input_shape: Shape) -> None:
        self.dense.build(input_shape)
        output_shape = (*input_shape[:-1], self.dense.units)
        self.dropout.build(output_shape)
        self.normalization.build(output_shape)
        self.built = True

    def call(self, x: tf.Tensor, residual: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        return self.normalization(self.dropout(self.dense(x), seed=seed) + residual)


class Attention(keras.layers.Layer):
    """The first half of a layer: self-attention and its residual output."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.self_attention = SelfAttention(config, name="self")
        self.residual = ResidualOutput(config, name="output")

    def build(self, input_shape: Shape) -> None:
        self.self_attention.build(input_shape)
        self.residual.build(input_shape)
        self.built = True

    def call(
        self, queries: tf.Tensor, hidden: tf.Tensor, seed: tf.Tensor | None = None, *, layout: Layout
    ) -> tf.Tensor:
        context = self.self_attention(queries, hidden, layout=layout, seed=seed)
        return self.residual(context, queries, seed=seed)


class Intermediate(keras.layers.Layer):
    """The wide middle of the feed-forward half."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = Dense(config.intermediate_size, config.initializer_range, config.activation, name="dense")

    def build(self, input_shape: Shape) -> None:
        self.dense.build(input_shape)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.dense(x)  # [B, K, I]


class EncoderLayer(keras.layers.Layer):
    """One Transformer layer: attention, then feed-forward. With fewer queries than S, only they come out."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = Attention(config, name="attention")
        self.intermediate = Intermediate(config, name="intermediate")
        self.residual = ResidualOutput(config, name="output")

    def build(self, input_shape: Shape) -> None:
        self.attention.build(input_shape)
        self.intermediate.build(input_shape)
        self.residual.build((*input_shape[:-1], self.intermediate.dense.units))
        self.built = True

    def call(
        self, hidden: tf.Tensor, seed: tf.Tensor | None = None, queries: tf.Tensor | None = None, *, layout: Layout
    ) -> tf.Tensor:
        # That all positions ask must be seen here: who computes a layer again may pass copies.
        queries = hidden if queries is None else queries
        attended = self.attention(queries, hidden, layout=layout, seed=seed)  # [B, K, H]
        return self.residual(self.intermediate(attended), attended, seed=seed)  # [B, K, H]


class Encoder(keras.layers.Layer):
    """The stack of L layers. With `recompute` set, a layer keeps only its input for the backward pass."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.recompute = False
        self.encoder_layers: list[Any] = [
            EncoderLayer(config, name=f"layer_{i}") for i in range(config.num_hidden_layers)
        ]

    def build(self, input_shape: Shape) -> None:
        for layer in self.encoder_layers:
            layer.build(input_shape)
        self.built = True

    def call(
        self,
        hidden: tf.Tensor,
        layout: Layout,
        positions: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> list[tf.Tensor]:
        """Returns the outputs of all layers, [B, S, H]; the last is [B, K, H] where `positions` [B, K] is given.

        Of packed rows, hidden and outputs are lists [T, H], but for the last where `positions` is given.
        """
        outputs = []
        for layer in self.encoder_layers:
            is_last = layer is self.encoder_layers[-1]
            read = positions if is_last else None
            queries = [] if read is None else [gather_positions(hidden, read, layout.starts)]
            run = functools.partial(layer, layout=layout)
            run = tf.recompute_grad(run) if self.recompute and seed is not None else run
            hidden = run(hidden, seed, *queries)
            outputs.append(hidden)
        return outputs


def gather_positions(hidden: tf.Tensor, positions: tf.Tensor, starts: tf.Tensor) -> tf.Tensor:
    """Rows of `hidden`, [B, S, H] or a list [T, H], at `positions` [B, K] of rows that begin at `starts` [B], as
    [B, K, H]."""
    return tf.gather(tf.reshape(hidden, [-1, hidden.shape[-1]]), positions + starts[:, tf.newaxis])
