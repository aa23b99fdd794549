"""BertModel: the encoder of Devlin et al. 2019, as Keras layers named so that a variable's path is its checkpoint name.

Shapes: B batch, S sequence length, K positions read from the last layer (S, or fewer), T tokens of packed rows,
H hidden size, V vocabulary, L layers.

A forward pass is a function of its arguments: dropout draws its masks from the `seed` it is given, an int32 [2]
tensor, and from the layer's own path. No seed means no dropout. (So a step can be computed again, after a crash or in
the backward pass, with the same masks.)
"""

from typing import Any

import keras
import tensorflow as tf

from bert.config import BertConfig
from bert.layers import Dense, Dropout, LayerNormalization, Shape, initializer
from bert.layouts import Layout, PackedRows, PaddedRows
from bert.transformer import Encoder


class Embeddings(keras.layers.Layer):
    """Sum of the WordPiece, segment and position embeddings (section 3, figure 2), normalized."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.config = config
        self.normalization = LayerNormalization(config.layer_norm_epsilon, name="LayerNorm")
        self.dropout = Dropout(config.hidden_dropout_prob, name="dropout")

    def build(self, input_shape: Shape | None = None) -> None:
        config = self.config
        for name, rows in (
            ("word_embeddings", config.vocab_size),
            ("token_type_embeddings", config.type_vocab_size),
            ("position_embeddings", config.max_position_embeddings),
        ):
            table = self.add_weight(
                shape=(rows, config.hidden_size), initializer=initializer(config.initializer_range), name=name
            )
            setattr(self, name, table)
        self.normalization.build((None, None, config.hidden_size))
        self.dropout.build((None, None, config.hidden_size))
        self.built = True

    def call(
        self,
        input_ids: tf.Tensor,
        segment_ids: tf.Tensor,
        layout: Layout,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """A batch [B, S] gives [B, S, H], the list [T] of packed rows [T, H]."""
        hidden = tf.gather(self.word_embeddings, input_ids)  # [B, S, H]
        # Few segments, many rows: a product with one-hot rows has a cheap gradient, a gather has not.
        segments = tf.one_hot(segment_ids, self.config.type_vocab_size, dtype=hidden.dtype)  # [B, S, types]
        hidden += tf.tensordot(segments, self.token_type_embeddings, axes=1)
        hidden += layout.position_embeddings(tf.convert_to_tensor(self.position_embeddings))  # [S, H]
        return self.dropout(self.normalization(hidden), seed=seed)


class Pooler(keras.layers.Layer):
    """The [CLS] vector through one more projection: what a sequence head reads."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = Dense(config.hidden_size, config.initializer_range, "tanh", name="dense")

    def build(self, input_shape: Shape) -> None:
        self.dense.build(input_shape)
        self.built = True

    def call(self, first: tf.Tensor) -> tf.Tensor:
        return self.dense(first)  # [B, H]


@keras.saving.register_keras_serializable(package="bert")
class BertModel(keras.layers.Layer):
    """The encoder.

    Inputs: `input_ids`, `input_mask` (1 token, 0 padding) and `segment_ids`, int32 [B, S]; optionally `positions`,
    int32 [B, K], the positions of the last layer that will be read, 0 first: the others are then not computed.
    Outputs, a dict of float32 tensors: `embedding_output` [B, S, H], `layer_outputs` (L of [B, S, H], the last one
    [B, K, H]), `sequence_output` (the last), `pooled_output` [B, H].
    """

    def __init__(self, config: BertConfig | dict, name: str = "bert", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.config = config if isinstance(config, BertConfig) else BertConfig.from_dict(config)
        self.embeddings = Embeddings(self.config, name="embeddings")
        self.encoder = Encoder(self.config, name="encoder")
        self.pooler = Pooler(self.config, name="pooler")
        self.packed = False  # set where batches have much padding

    @property
    def recompute(self) -> bool:
        """Whether a layer keeps only its input for the backward pass."""
        return self.encoder.recompute

    @recompute.setter
    def recompute(self, value: bool) -> None:
        self.encoder.recompute = value

    def packs(self, input_mask: tf.Tensor, seed: tf.Tensor | None) -> bool:
        """Whether a call works on the tokens of the batch alone; outputs of padding are then 0.

        It does in training where `packed` asks for it, and the number of rows is known.
        """
        return self.packed and seed is not None and input_mask.shape[0] is not None

    def build(self, input_shape: Shape | None = None) -> None:
        hidden_shape = (None, None, self.config.hidden_size)
        self.embeddings.build()
        self.encoder.build(hidden_shape)
        self.pooler.build((None, self.config.hidden_size))
        self.built = True

    def call(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor,
        segment_ids: tf.Tensor,
        positions: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> dict[str, Any]:
        if self.packs(input_mask, seed):
            return self._packed(input_ids, input_mask, segment_ids, positions, seed)
        layout = PaddedRows(input_mask)
        hidden = self.embeddings(input_ids, segment_ids, layout=layout, seed=seed)
        return self._outputs(hidden, self.encoder(hidden, layout=layout, positions=positions, seed=seed))

    def _packed(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor,
        segment_ids: tf.Tensor,
        positions: tf.Tensor | None,
        seed: tf.Tensor,
    ) -> dict[str, Any]:
        """The same from the tokens of the batch alone."""
        layout = PackedRows.of(input_mask)
        ids, segments = layout.listed(input_ids), layout.listed(segment_ids)
        hidden = self.embeddings(ids, segments, layout=layout, seed=seed)  # [T, H]
        *lower, last = self.encoder(hidden, layout=layout, positions=positions, seed=seed)
        last = layout.unfolded(last) if positions is None else last
        return self._outputs(layout.unfolded(hidden), [*map(layout.unfolded, lower), last])

    def _outputs(self, embedding_output: tf.Tensor, layer_outputs: list[tf.Tensor]) -> dict[str, Any]:
        return {
            "embedding_output": embedding_output,
            "layer_outputs": layer_outputs,
            "sequence_output": layer_outputs[-1],
            "pooled_output": self.pooler(layer_outputs[-1][:, 0]),
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.config.to_dict()}
