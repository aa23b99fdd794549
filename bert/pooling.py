"""One vector for a text, from the vectors of its WordPieces."""

import tensorflow as tf


def pool(hidden: tf.Tensor, input_mask: tf.Tensor, pooling: str) -> tf.Tensor:
    """One vector a row, float32 [B, H], of `hidden` [B, S, H] at the positions that are no padding.

    `pooling` is one of POOLINGS: the mean, the largest value of each component, or the vector of [CLS]; [CLS] and [SEP]
    count as WordPieces. input_mask: int32 [B, S], 1 token, 0 padding.
    """
    hidden = tf.cast(hidden, tf.float32)
    if pooling == "cls":
        return hidden[:, 0]
    mask = tf.expand_dims(tf.cast(input_mask, tf.float32), 2)  # [B, S, 1]
    if pooling == "max":
        return tf.reduce_max(tf.where(mask > 0, hidden, hidden.dtype.min), axis=1)
    return tf.reduce_sum(hidden * mask, axis=1) / tf.reduce_sum(mask, axis=1)
