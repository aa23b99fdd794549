"""The activations of the original, and the exact gelu that Hugging Face's weights were trained with."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import tensorflow as tf

_PLAIN = contextvars.ContextVar("plain", default=False)


@contextlib.contextmanager
def plain_operations() -> Iterator[None]:
    """While it is open, activations become single operations, for graphs that only predict.

    What XLA compiles, it compiles again for each length of a batch, and other programs (ONNX, LiteRT) cannot read it.
    """
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


Function = Callable[..., tf.Tensor]


def _in_float32(plain: Function, forward: Function, backward: Function) -> Function:
    """An activation that is computed in float32: `plain` operations, or `forward` and `backward` that XLA compiles.

    XLA's code for half precision is several times slower on processors than to convert before and after.
    """

    @tf.custom_gradient
    def trained(x: tf.Tensor) -> tuple[tf.Tensor, Function]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return tf.cast(backward(tf.cast(x, tf.float32), tf.cast(upstream, tf.float32)), x.dtype)

        return tf.cast(forward(tf.cast(x, tf.float32)), x.dtype), gradient

    def activation(x: tf.Tensor) -> tf.Tensor:
        return tf.cast(plain(tf.cast(x, tf.float32)), x.dtype) if _PLAIN.get() else trained(x)

    return activation


# gelu(x) = x · sigmoid(2 sqrt(2/π) (x + 0.044715 x³)): the tanh form of Hendrycks & Gimpel (2016), that Google's
# weights were trained with, written with 1 + tanh(u) = 2 · sigmoid(2u). As single operations it makes some twenty
# passes over the widest tensors of the model; XLA makes one in each direction, and keeps nothing but x in between.
_GELU_LINEAR = 1.5957691216057308
_GELU_CUBIC = 0.044715 * _GELU_LINEAR


@tf.function(jit_compile=True, reduce_retracing=True)
def _gelu(x: tf.Tensor) -> tf.Tensor:
    return x * tf.sigmoid(x * (_GELU_LINEAR + _GELU_CUBIC * tf.square(x)))


@tf.function(jit_compile=True, reduce_retracing=True)
def _gelu_gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    square = tf.square(x)
    gate = tf.sigmoid(x * (_GELU_LINEAR + _GELU_CUBIC * square))
    return upstream * gate * (1.0 + x * (1.0 - gate) * (_GELU_LINEAR + 3.0 * _GELU_CUBIC * square))


def _plain_gelu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.gelu(x, approximate=True)


gelu = _in_float32(_plain_gelu, _gelu, _gelu_gradient)  # docs/parity.md 9


# gelu_exact(x) = x · Φ(x), with Φ the normal distribution (Hendrycks & Gimpel, 2016), whose density is φ; the gradient
# is Φ(x) + x φ(x). Weights trained with Hugging Face's `gelu` want this one.
_ERF_SCALE = 0.7071067811865476  # 1/√2
_DENSITY_SCALE = 0.3989422804014327  # 1/√(2π)


@tf.function(jit_compile=True, reduce_retracing=True)
def _gelu_exact(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1.0 + tf.math.erf(x * _ERF_SCALE))


@tf.function(jit_compile=True, reduce_retracing=True)
def _gelu_exact_gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    density = _DENSITY_SCALE * tf.exp(-0.5 * tf.square(x))
    return upstream * (0.5 * (1.0 + tf.math.erf(x * _ERF_SCALE)) + x * density)


def _plain_gelu_exact(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1.0 + tf.math.erf(x * _ERF_SCALE))  # tf.nn.gelu has it with erfc, which ONNX does not know


gelu_exact = _in_float32(_plain_gelu_exact, _gelu_exact, _gelu_exact_gradient)


ACTIVATIONS = {"linear": tf.identity, "relu": tf.nn.relu, "gelu": gelu, "gelu_exact": gelu_exact, "tanh": tf.tanh}
