"""Recurrent networks over the WordPieces: LSTM (Hochreiter & Schmidhuber 1997) and GRU (Cho et al. 2014), in several
layers and one or two directions.

The state starts anew where another text begins, so that the two texts of a row are read each for itself in one pass, by
the same weights; padding is such a text too, and nothing of it reaches the others.

Shapes: B batch, S sequence length, D directions, U units of a direction, H = D * U hidden size, E size of the input.
"""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from bert.config import BertConfig
from bert.encoders.base import Baseline, PairPooler, WordEmbeddings, encoded, segment_masks
from bert.layers import Dropout, Shape

State = tuple[tf.Tensor, ...]  # of a cell, [D, B, U] each; the first is its output


class Cell(keras.layers.Layer):
    """The weights of one direction; subclasses say what one step computes. Gates, their order and the start of the
    weights are those of keras.layers."""

    gates: ClassVar[int]
    states: ClassVar[int]

    def __init__(self, units: int, reads_backwards: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.reads_backwards = units, reads_backwards

    def build(self, input_shape: Shape) -> None:
        width = self.gates * self.units
        self.kernel = self.add_weight(
            shape=(input_shape[-1], width), initializer=keras.initializers.GlorotUniform(), name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), initializer=keras.initializers.Orthogonal(), name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=self.bias_shape(width), initializer=self.first_bias, name="bias")
        self.built = True

    def ordered(self, x: tf.Tensor) -> tf.Tensor:
        """What has S as its first axis in the order in which the cell reads it, or back again."""
        return tf.reverse(x, axis=[0]) if self.reads_backwards else x

    def projected(self, x: tf.Tensor) -> tf.Tensor:
        """The part of all gates that comes from the input, in one product: [S, B, E] to [S, B, gates * U]."""
        rows = tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), self.kernel) + self.input_bias()
        return tf.reshape(rows, [tf.shape(x)[0], tf.shape(x)[1], rows.shape[-1]])

    def bias_shape(self, width: int) -> tuple[int, ...]:
        """Of the bias, `width` being that of all gates together."""
        return (width,)

    def first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        """What the bias starts as."""
        return tf.zeros(shape, dtype)

    def input_bias(self) -> tf.Tensor:
        """The part of the bias that goes with the input, [gates * U]."""
        return tf.convert_to_tensor(self.bias)

    def recurrent_bias(self) -> tf.Tensor:
        """The part that goes with the state, [gates * U]."""
        return tf.zeros([self.gates * self.units], self.compute_dtype)

    @staticmethod
    def step(inputs: tf.Tensor, recurrent: tf.Tensor, state: State) -> State:
        """The next state, of the projections of input and state before it, [D, B, gates * U] both."""
        raise NotImplementedError


class LSTMCell(Cell):
    """With a forget gate that starts open (Jozefowicz et al. 2015)."""

    gates, states = 4, 2  # input, forget, candidate, output

    def first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        units = self.units
        return tf.concat([tf.zeros([units], dtype), tf.ones([units], dtype), tf.zeros([2 * units], dtype)], axis=0)

    @staticmethod
    def step(inputs: tf.Tensor, recurrent: tf.Tensor, state: State) -> State:
        written, kept, candidate, told = tf.split(inputs + recurrent, 4, axis=-1)  # [D, B, U]
        memory = tf.sigmoid(kept) * state[1] + tf.sigmoid(written) * tf.tanh(candidate)
        return tf.sigmoid(told) * tf.tanh(memory), memory


class GRUCell(Cell):
    """With the reset gate behind the product, as cuDNN and keras have it."""

    gates, states = 3, 1  # update, reset, candidate

    def bias_shape(self, width: int) -> tuple[int, ...]:
        return (2, width)

    def input_bias(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.bias)[0]

    def recurrent_bias(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.bias)[1]

    @staticmethod
    def step(inputs: tf.Tensor, recurrent: tf.Tensor, state: State) -> State:
        update, reset, candidate = tf.split(inputs, 3, axis=-1)  # [D, B, U]
        own_update, own_reset, own_candidate = tf.split(recurrent, 3, axis=-1)
        update, reset = tf.sigmoid(update + own_update), tf.sigmoid(reset + own_reset)
        return (update * state[0] + (1 - update) * tf.tanh(candidate + reset * own_candidate),)


class RecurrentLayer(keras.layers.Layer):
    """One layer; both directions take their steps together."""

    def __init__(self, cell: type[Cell], config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        units, names = config.hidden_size // config.directions, ("forward", "backward")[: config.directions]
        self.cells = [cell(units, name == "backward", name=name) for name in names]

    def build(self, input_shape: Shape) -> None:
        for cell in self.cells:
            cell.build(input_shape)
        self.built = True

    def call(self, x: tf.Tensor, texts: tf.Tensor) -> tf.Tensor:
        """float32 [B, S, E] to [B, S, H]; `texts`, int32 [B, S], has one number for the positions of each text."""
        x, texts = tf.transpose(x, [1, 0, 2]), tf.transpose(texts)  # [S, B, E], [S, B]
        inputs = tf.stack([cell.projected(cell.ordered(x)) for cell in self.cells], axis=1)  # [S, D, B, gates * U]
        goes_on = tf.stack([_goes_on(cell.ordered(texts)) for cell in self.cells], axis=1)  # [S, D, B, 1]
        kernels = tf.stack([tf.convert_to_tensor(cell.recurrent_kernel) for cell in self.cells])  # [D, U, gates * U]
        biases = tf.stack([cell.recurrent_bias() for cell in self.cells])[:, tf.newaxis]  # [D, 1, gates * U]
        first = self.cells[0]

        def step(state: State, now: tuple[tf.Tensor, tf.Tensor]) -> State:
            own_inputs, is_same_text = now  # [D, B, gates * U], [D, B, 1]
            state = tuple(part * is_same_text for part in state)
            return first.step(own_inputs, tf.matmul(state[0], kernels) + biases, state)

        nothing = tf.zeros([len(self.cells), tf.shape(x)[1], first.units], inputs.dtype)  # [D, B, U]
        outputs = tf.scan(step, (inputs, tf.cast(goes_on, inputs.dtype)), (nothing,) * first.states)[0]
        directions = zip(self.cells, tf.unstack(outputs, num=len(self.cells), axis=1), strict=True)  # [S, B, U] each
        return tf.transpose(tf.concat([cell.ordered(one) for cell, one in directions], axis=2), [1, 0, 2])


def _goes_on(texts: tf.Tensor) -> tf.Tensor:
    """1.0 where a position is of the same text as the one before it, float32 [S, B, 1] of int32 [S, B]."""
    same = tf.cast(tf.equal(texts[1:], texts[:-1]), tf.float32)
    return tf.concat([tf.zeros_like(texts[:1], tf.float32), same], axis=0)[:, :, tf.newaxis]


class RecurrentEncoder(Baseline):
    """Layers of one kind of cell. Called as `bert.encoders` says; the vector of a text is the largest value of each
    component over its positions, or the state after the last of them, in each direction."""

    cell: ClassVar[type[Cell]]

    def __init__(self, config: BertConfig | dict, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        config, count = self.config, self.config.num_hidden_layers
        self.embeddings = WordEmbeddings(config, config.embedding_size, name="embeddings")
        self.recurrent_layers = [RecurrentLayer(self.cell, config, name=f"layer_{i}") for i in range(count)]
        self.dropouts = [Dropout(config.hidden_dropout_prob, name=f"dropout_{i}") for i in range(count - 1)]
        self.pooler = PairPooler(config, name="pooler")

    def build(self, input_shape: Shape | None = None) -> None:
        self.embeddings.build()
        size = self.config.embedding_size
        for layer in self.recurrent_layers:
            layer.build((None, None, size))
            size = self.config.hidden_size
        for dropout in self.dropouts:
            dropout.build(None)
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
        masks = segment_masks(input_mask, segment_ids)  # [B, S] each
        texts = masks[0] + 2 * masks[1]  # 1, 2, and 0 for padding
        hidden, outputs = self.embeddings(input_ids, seed=seed), []  # [B, S, E]
        for index, layer in enumerate(self.recurrent_layers):
            if index:  # between layers only (Zaremba et al. 2014)
                hidden = self.dropouts[index - 1](hidden, seed=seed)
            hidden = layer(hidden, texts)  # [B, S, H]
            outputs.append(hidden)
        first, second = (self._pooled(hidden, mask) for mask in masks)  # [B, H]
        return encoded(outputs, self.pooler(first, second), positions)

    def _pooled(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """One vector a row, [B, H], of `hidden` [B, S, H] where `mask` [B, S] is 1; 0 where it is nowhere."""
        is_there = tf.reduce_any(mask > 0, axis=1, keepdims=True)  # [B, 1]
        if self.config.pooling == "max":
            vectors = tf.reduce_max(tf.where(mask[:, :, tf.newaxis] > 0, hidden, hidden.dtype.min), axis=1)
        else:
            backwards = tf.argmax(mask, axis=1, output_type=tf.int32)  # [B], the first: where a way back ends
            ends = [backwards + tf.reduce_sum(mask, axis=1) - 1, backwards][: self.config.directions]
            parts = tf.split(hidden, self.config.directions, axis=2)  # [B, S, U]
            found = [tf.gather(part, tf.maximum(end, 0), batch_dims=1) for part, end in zip(parts, ends, strict=True)]
            vectors = tf.concat(found, axis=1)
        return tf.where(is_there, vectors, tf.zeros_like(vectors))


@keras.saving.register_keras_serializable(package="bert")
class LSTMEncoder(RecurrentEncoder):
    """Layers of LSTM cells."""

    encoder, cell = "lstm", LSTMCell


@keras.saving.register_keras_serializable(package="bert")
class GRUEncoder(RecurrentEncoder):
    """Layers of GRU cells."""

    encoder, cell = "gru", GRUCell
