"""Random numbers as a function of what they are drawn for: a seed, an epoch, a record; in graph operations."""

import tensorflow as tf

# Of arrays of random numbers, since XLA compiles each size that is used.
_SIZES = sorted([*(2**k for k in range(10, 31)), *(3 * 2**k for k in range(9, 30)), 2**31 - 1])
_GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's step from one state to the next


def keys(*numbers: tf.Tensor) -> tf.Tensor:
    """A state of the generator for each combination of whole numbers, uint64."""
    key = tf.constant(0, tf.uint64)
    for number in numbers:
        key = _mixed((key ^ tf.cast(number, tf.uint64)) + _uint64(_GAMMA))
    return key


def draws(keys: tf.Tensor, streams: int, size: int) -> tf.Tensor:
    """int64 [B, streams, size] of 0 up to 2**63: the next numbers of SplitMix64 from the states `keys`, uint64 [B]."""
    steps = tf.cast(tf.range(1, streams * size + 1), tf.uint64) * _uint64(_GAMMA)
    numbers = _shifted(_mixed(keys[:, tf.newaxis] + steps), 1)
    return tf.reshape(tf.cast(numbers, tf.int64), [-1, streams, size])


def at_least(threshold: float, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Booleans of a shape: whether random numbers of a `seed`, int32 [2], between 0 and 1, are `threshold` or more.

    A step of training draws tens of millions for dropout, and TensorFlow's own generator, Philox, takes ten times as
    long. Numbers and comparison are one pass here.
    """
    size, sizes = tf.reduce_prod(shape), tf.constant(_SIZES)
    room = tf.reduce_min(tf.where(sizes >= size, sizes, _SIZES[-1]))
    chosen = _at_least(_uint32(min(round(threshold * 2**32), 2**32 - 1)), room, seed)
    return tf.reshape(chosen[:size], shape)


@tf.function(jit_compile=True, reduce_retracing=True)
def _at_least(threshold: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    one, other = tf.unstack(tf.bitcast(seed, tf.uint32))
    # Of each seed its own: those of neighbouring seeds would meet again and again.
    start, step = _mixed32(one + _mixed32(other)), _mixed32(other - _mixed32(one))
    states = start + tf.cast(tf.range(size), tf.uint32) * (step | _uint32(1))  # odd: none comes twice
    return _mixed32(states) >= threshold


def _mixed32(value: tf.Tensor) -> tf.Tensor:
    """The last step of MurmurHash3 (Appleby 2011), uint32 to uint32: each bit depends on all."""
    value = (value ^ _shifted(value, 16)) * _uint32(0x85EBCA6B)
    value = (value ^ _shifted(value, 13)) * _uint32(0xC2B2AE35)
    return value ^ _shifted(value, 16)


def _mixed(value: tf.Tensor) -> tf.Tensor:
    """The output function of SplitMix64 (Steele, Lea and Flood 2014; the constants are Vigna's), uint64 to uint64."""
    value = (value ^ _shifted(value, 30)) * _uint64(0xBF58476D1CE4E5B9)
    value = (value ^ _shifted(value, 27)) * _uint64(0x94D049BB133111EB)
    return value ^ _shifted(value, 31)


def _shifted(value: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(value, tf.constant(bits, value.dtype))


def _uint64(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint64)


def _uint32(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint32)
