"""The rows of a batch in blocks of like length, so that little padding is multiplied, whatever rows share a batch.

Sorted by length, neighbours need the same room: a block is as wide as its longest row, and its positions follow those of
the block before in one long list. What looks at single positions (projections, normalization, feed-forward) works on the
list; attention looks at one block after the other. Shapes: B batch, S sequence length, K positions that are read, H
hidden size; b rows and w positions a row of one block, T positions of all, the sum of b · w.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

ROWS = 8  # of a block: fewer have less padding, and more operations
WIDTH_MULTIPLE = 4  # of a block's width, so that T has few values: XLA compiles each


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Where the rows of a batch lie in their blocks.

    Attributes:
      order: int32 [B], the rows from the shortest to the longest.
      masks: one [b, w] a block, 1 token, 0 padding.
      positions: int32 [T], which of the batch's B · S positions lie there.
      length: S.
    """

    order: tf.Tensor
    masks: Sequence[tf.Tensor]
    positions: tf.Tensor
    length: tf.Tensor

    @classmethod
    def of(cls, input_mask: tf.Tensor) -> "Blocks":
        """Blocks of a batch [B, S] of known B; tokens are anywhere in a row, only padding at its end is left out."""
        length = tf.shape(input_mask)[1]
        ends = tf.reduce_max(input_mask * tf.range(1, length + 1), axis=1)  # [B]
        order = tf.argsort(ends, stable=True)
        masks, positions = [], []
        for start in range(0, input_mask.shape[0], ROWS):
            rows = order[start : start + ROWS]  # [b]
            longest = tf.maximum(tf.reduce_max(tf.gather(ends, rows)), 1)
            width = tf.minimum(-(-longest // WIDTH_MULTIPLE) * WIDTH_MULTIPLE, length)
            masks.append(tf.gather(input_mask, rows)[:, :width])  # [b, w]
            positions.append(tf.reshape(rows[:, tf.newaxis] * length + tf.range(width), [-1]))  # [b * w]
        return cls(order, masks, tf.concat(positions, 0), length)

    def listed(self, x: tf.Tensor) -> tf.Tensor:
        """The positions of x [B, S] that are in a block, [T]."""
        return tf.gather(tf.reshape(x, [-1]), self.positions)

    def sorted(self, x: tf.Tensor) -> tf.Tensor:
        """The rows of x [B, ...] as the blocks have them."""
        return tf.gather(x, self.order)

    def unsorted(self, x: tf.Tensor) -> tf.Tensor:
        """The rows of x [B, ...] as the batch has them."""
        inverse = tf.math.invert_permutation(self.order)

        @tf.custom_gradient  # TensorFlow would add up rows of which each occurs once
        def function(x: tf.Tensor) -> tuple[tf.Tensor, object]:
            return tf.gather(x, inverse), lambda upstream: tf.gather(upstream, self.order)

        return function(x)

    def unfolded(self, x: tf.Tensor) -> tf.Tensor:
        """The batch [B, S, H] of a list [T, H]; 0 at the positions that no block has."""
        parts = split(x, self.masks)
        padded = [tf.pad(part, [[0, 0], [0, self.length - tf.shape(part)[1]], [0, 0]]) for part in parts]
        return self.unsorted(tf.concat(padded, axis=0))


def split(x: tf.Tensor, masks: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The part of each block: [b, w, H] of a list [T, H], [b, K, H] of rows [B, K, H]; x itself where all is one."""
    if len(masks) == 1:
        return [x]
    if x.shape.rank == 3:
        return tf.split(x, [mask.shape[0] for mask in masks])
    parts = tf.split(x, tf.stack([tf.size(mask) for mask in masks]), num=len(masks))
    return [
        tf.reshape(part, [mask.shape[0], tf.shape(mask)[1], x.shape[-1]])
        for part, mask in zip(parts, masks, strict=True)
    ]


def joined(parts: Sequence[tf.Tensor], like: tf.Tensor) -> tf.Tensor:
    """What `split` has taken apart, in the shape of `like`."""
    if len(parts) == 1:
        return parts[0]
    return tf.reshape(tf.concat([tf.reshape(part, [-1, part.shape[-1]]) for part in parts], axis=0), tf.shape(like))


def position_rows(table: tf.Tensor, masks: Sequence[tf.Tensor]) -> tf.Tensor:
    """The rows of a table of positions that are to be added to a list, [T, H], or to a batch, [S, H]."""
    widths = [tf.shape(mask)[1] for mask in masks]
    if len(masks) == 1:
        return table[: widths[0]]
    tiles = [tf.tile(table[:width], [mask.shape[0], 1]) for width, mask in zip(widths, masks, strict=True)]
    return tf.concat(tiles, axis=0)


def row_starts(masks: Sequence[tf.Tensor]) -> tf.Tensor:
    """Where each row begins among all positions, int32 [B]."""
    starts, before = [], tf.constant(0)
    for mask in masks:
        rows, width = tf.unstack(tf.shape(mask))
        starts.append(before + tf.range(rows) * width)
        before += rows * width
    return tf.concat(starts, axis=0)
