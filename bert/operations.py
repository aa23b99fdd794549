"""What layers are made of, with gradients that keep and compute only what the backward pass needs.

TensorFlow derives gradients one operation at a time: each keeps its inputs and makes another pass over tensors that are
larger than the caches. Shapes: [..., H] a normalized or projected tensor, [B, N, K, S] attention.
"""

from collections.abc import Callable

import tensorflow as tf

from bert.random_numbers import at_least

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]


def product(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, activation: Callable[[tf.Tensor], tf.Tensor] = tf.identity
) -> tf.Tensor:
    """activation(x · kernel + bias) on the last axis, as one large product, whatever the rank of x."""
    rows = tf.nn.bias_add(tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), kernel), bias)
    # Next to the product: TensorFlow makes one operation of both where no gradient is asked for.
    return tf.reshape(activation(rows), tf.concat([tf.shape(x)[:-1], [rows.shape[-1]]], axis=0))


def normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Layer normalization over the last axis (Ba et al. 2016), biased variance; all float32."""

    @tf.custom_gradient
    def function(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        centered = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centered), axis=-1, keepdims=True) + epsilon)  # [..., 1]
        normal = centered * inverse

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            size = x.shape[-1]
            upstreams, normals = tf.reshape(upstream, [-1, size]), tf.reshape(normal, [-1, size])
            products = upstreams * normals
            shares = gamma[:, tf.newaxis] / size  # [H, 1]; a product with it is the mean of gamma · rows
            inner = upstreams * gamma - tf.matmul(upstreams, shares) - normals * tf.matmul(products, shares)
            by_x = tf.reshape(inner, tf.shape(x)) * inverse
            return by_x, tf.reduce_sum(products, axis=0), tf.reduce_sum(upstreams, axis=0)

        return normal * gamma + beta, gradient

    return function(x, gamma, beta)


def dropped(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Dropout (Srivastava et al. 2014): zeroes a share `rate` of the elements and scales the others by 1 / (1 - rate).
    The backward pass keeps the booleans, a quarter of the memory of the factors."""

    @tf.custom_gradient
    def function(x: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        keep = at_least(rate, tf.shape(x), seed)
        scale = tf.cast(1.0 / (1.0 - rate), x.dtype)
        return _kept(x, keep, scale), lambda upstream: _kept(upstream, keep, scale)

    return function(x)


@tf.function(jit_compile=True, reduce_retracing=True)
def _kept(x: tf.Tensor, keep: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """x · scale where it is kept, in one pass; TensorFlow would make three."""
    return tf.where(keep, x * scale, tf.zeros_like(x))


def attention_weights(scores: tf.Tensor, rate: float, seed: tf.Tensor | None) -> tf.Tensor:
    """Softmax of the scores [B, N, K, S], then dropout where there is a seed, without its factor 1 / (1 - rate): that
    costs less on the values, which are fewer.

    With weights w = p · mask, of probabilities p, the gradient by the scores is t - p Σ t with t = upstream · w: it
    reads no mask.
    """
    if seed is None or rate == 0.0:
        return tf.nn.softmax(scores)

    @tf.custom_gradient
    def function(scores: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        probabilities = tf.nn.softmax(scores)
        weights = probabilities * tf.cast(at_least(rate, tf.shape(scores), seed), scores.dtype)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            products = upstream * weights
            return products - probabilities * tf.reduce_sum(products, axis=-1, keepdims=True)

        return weights, gradient

    return function(scores)
