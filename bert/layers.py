"""Layers that the encoders and heads are made of, named so that a variable's path is its checkpoint name."""

import zlib
from typing import Any

import keras
import tensorflow as tf

from bert.activations import ACTIVATIONS
from bert.operations import dropped, normalized, product

Shape = tuple[int | None, ...]  # of a layer's input; None: any size


def initializer(stddev: float) -> keras.initializers.Initializer:
    """Normal, redrawn beyond two standard deviations (docs/parity.md 9); keras.utils.set_random_seed fixes it."""
    return keras.initializers.TruncatedNormal(stddev=stddev)


class Dense(keras.layers.Layer):
    """x · kernel + bias on the last axis, then an activation by name; one large product, whatever the rank of x."""

    def __init__(self, units: int, stddev: float, activation: str = "linear", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.stddev, self.activation = units, stddev, activation

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer=initializer(self.stddev), name="kernel"
        )
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return product(x, self.kernel, self.bias, ACTIVATIONS[self.activation])


class LayerNormalization(keras.layers.Layer):
    """Layer normalization over the last axis (Ba et al. 2016), biased variance, always in float32."""

    def __init__(self, epsilon: float, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        self.beta = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="beta")
        self.gamma = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gamma")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        return tf.cast(normalized(tf.cast(x, tf.float32), gamma, beta, self.epsilon), self.compute_dtype)


class Dropout(keras.layers.Layer):
    """Zeroes a share `rate` of the elements and scales the others by 1 / (1 - rate); the mask is a function of the seed
    and of this layer's path."""

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape: Shape | None) -> None:
        self.path_hash = zlib.crc32(self.path.encode()) & 0x7FFFFFFF
        self.built = True

    def call(self, x: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        if seed is None or self.rate == 0.0:
            return x
        return dropped(x, self.rate, self.own_seed(seed))

    def own_seed(self, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_fold_in(seed, self.path_hash)
