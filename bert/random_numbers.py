"""Random numbers as a function of what they are drawn for: a seed, an epoch, a record; in graph operations."""

import tensorflow as tf

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


def _mixed(value: tf.Tensor) -> tf.Tensor:
    """The output function of SplitMix64 (Steele, Lea and Flood 2014; the constants are Vigna's), uint64 to uint64."""
    value = (value ^ _shifted(value, 30)) * _uint64(0xBF58476D1CE4E5B9)
    value = (value ^ _shifted(value, 27)) * _uint64(0x94D049BB133111EB)
    return value ^ _shifted(value, 31)


def _shifted(value: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.right_shift(value, _uint64(bits))


def _uint64(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint64)
