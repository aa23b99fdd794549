"""How the positions of a batch lie in memory: in rows of one length, or packed, so that no padding is multiplied.

Packed, the tokens of all rows are one list. What looks at single positions (projections, normalization, feed-forward)
works on the list. Attention looks at rows, so there its tokens are put into blocks: rows of like length, whichever they
are in the batch, in a room as wide as the longest of them.

Shapes: B batch, S sequence length, K positions that are read, H hidden size; T tokens of the list, and of one block b
rows, w its width; Z slots of all blocks, the sum of b · w.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from bert.operations import Gradient

BLOCK_ROWS = 8  # fewer have less padding in attention, and more operations
LIST_MULTIPLE = 32  # of T, which so has few values: XLA compiles each
WIDTH_MULTIPLE = 4  # of w, for the same reason: products are planned for each shape


class Layout(Protocol):
    """What the encoder knows of the places of its positions.

    Attributes:
      masks: of each block, int32 [b, w]: 1 token, 0 padding.
      starts: int32 [B], the place of each row's first position among all.
    """

    masks: Sequence[tf.Tensor]
    starts: tf.Tensor

    def split(self, x: tf.Tensor) -> list[tf.Tensor]:
        """The part of each block: [b, w, C] of all positions, [b, K, C] of what is read of each row, [B, K, C]."""

    def joined(self, parts: list[tf.Tensor], read: bool) -> tf.Tensor:
        """The whole again of what `split` gives: of `read` rows [B, K, C], else of all positions."""

    def position_embeddings(self, table: tf.Tensor) -> tf.Tensor:
        """The rows of the table that are added to all positions."""


class PaddedRows:
    """A batch [B, S] as it is: one block."""

    def __init__(self, input_mask: tf.Tensor) -> None:
        self.masks = [input_mask]
        self.rows, self.length = tf.unstack(tf.shape(input_mask))

    @property
    def starts(self) -> tf.Tensor:
        return tf.range(self.rows) * self.length

    def split(self, x: tf.Tensor) -> list[tf.Tensor]:
        return [x]

    def joined(self, parts: list[tf.Tensor], read: bool) -> tf.Tensor:
        return parts[0]

    def position_embeddings(self, table: tf.Tensor) -> tf.Tensor:
        return table[: self.length]  # [S, H]


@dataclasses.dataclass(frozen=True)
class PackedRows:
    """The tokens of a batch [B, S] as a list [T], filled up with at least one position that nothing depends on, the
    last: it stands where a block has padding, and has no gradient.

    Attributes:
      length: S.
      lengths: int32 [B], of the rows.
      sources: int32 [T], where a token stands among the B · S positions of the batch.
      order: int32 [B], the rows as the blocks have them.
      slots: int32 [Z + 1], the token in each slot; the last is of no block.
      tokens: int32 [T], the slot of each token.
    """

    length: tf.Tensor
    lengths: tf.Tensor
    starts: tf.Tensor
    sources: tf.Tensor
    order: tf.Tensor
    masks: Sequence[tf.Tensor]
    slots: tf.Tensor
    tokens: tf.Tensor

    @classmethod
    def of(cls, input_mask: tf.Tensor) -> "PackedRows":
        """That of a mask [B, S] with a known B, whose rows have all tokens before all padding."""
        rows, length = input_mask.shape[0], tf.shape(input_mask)[1]
        lengths = tf.reduce_sum(input_mask, axis=1)  # [B]
        starts = tf.cumsum(lengths, exclusive=True)  # [B]
        sources = tf.cast(tf.where(tf.reshape(input_mask, [-1]) > 0)[:, 0], tf.int32)
        count = tf.shape(sources)[0]
        fill = LIST_MULTIPLE - count % LIST_MULTIPLE  # 1 or more
        sources, last = tf.pad(sources, [[0, fill]]), count + fill - 1  # [T]
        order, masks, slots = tf.argsort(lengths, stable=True), [], []
        for first in range(0, rows, BLOCK_ROWS):
            block = order[first : first + BLOCK_ROWS]  # [b]
            own = tf.gather(lengths, block)[:, tf.newaxis]  # [b, 1]
            width = tf.maximum(-(-tf.reduce_max(own) // WIDTH_MULTIPLE) * WIDTH_MULTIPLE, 1)
            is_token = tf.range(width) < own  # [b, w]
            places = tf.gather(starts, block)[:, tf.newaxis] + tf.range(width)
            masks.append(tf.cast(is_token, tf.int32))
            slots.append(tf.reshape(tf.where(is_token, places, last), [-1]))
        all_slots = tf.concat([*slots, [last]], axis=0)  # [Z + 1]
        numbers = tf.range(tf.size(all_slots))
        outside = tf.fill(tf.shape(sources), tf.size(all_slots) - 1)
        tokens = tf.tensor_scatter_nd_update(outside, all_slots[:, tf.newaxis], numbers)
        return cls(length, lengths, starts, sources, order, masks, all_slots, tokens)

    def listed(self, x: tf.Tensor) -> tf.Tensor:
        """The list [T] of a feature [B, S]."""
        return tf.gather(tf.reshape(x, [-1]), self.sources)

    def unfolded(self, x: tf.Tensor) -> tf.Tensor:
        """The batch [B, S, H] of the list [T, H], 0 where there is padding."""
        steps = tf.range(self.length)
        is_token = steps < self.lengths[:, tf.newaxis]  # [B, S]
        places = tf.where(is_token, self.starts[:, tf.newaxis] + steps, 0)
        real = self.sources[: tf.reduce_sum(self.lengths)]

        @tf.custom_gradient
        def function(x: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                rows = tf.gather(tf.reshape(upstream, [-1, x.shape[-1]]), real)
                return tf.pad(rows, [[0, tf.shape(x)[0] - tf.shape(real)[0]], [0, 0]])  # [T, H]

            return tf.gather(x, places) * tf.cast(is_token, x.dtype)[:, :, tf.newaxis], gradient

        return function(x)

    def split(self, x: tf.Tensor) -> list[tf.Tensor]:
        if x.shape.rank == 3:
            sorted_rows = moved(x, self.order, tf.math.invert_permutation(self.order))
            return tf.split(sorted_rows, [mask.shape[0] for mask in self.masks])
        sizes = tf.stack([*(tf.size(mask) for mask in self.masks), 1])
        *parts, _ = tf.split(moved(x, self.slots, self.tokens), sizes, num=len(self.masks) + 1)
        return [
            tf.reshape(part, [mask.shape[0], tf.shape(mask)[1], x.shape[-1]])
            for part, mask in zip(parts, self.masks, strict=True)
        ]

    def joined(self, parts: list[tf.Tensor], read: bool) -> tf.Tensor:
        if read:
            return moved(tf.concat(parts, axis=0), tf.math.invert_permutation(self.order), self.order)
        flat = [tf.reshape(part, [-1, part.shape[-1]]) for part in parts]
        return moved(tf.concat([*flat, tf.zeros_like(flat[0][:1])], axis=0), self.tokens, self.slots)

    def position_embeddings(self, table: tf.Tensor) -> tf.Tensor:
        positions = self.sources % self.length  # [T], of each token in its row

        @tf.custom_gradient  # TensorFlow's is sparse, as if few rows of the table were read
        def function(table: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return tf.math.unsorted_segment_sum(upstream, positions, tf.shape(table)[0])

            return tf.gather(table, positions), gradient  # [T, H]

        return function(table)


def moved(x: tf.Tensor, to: tf.Tensor, back: tf.Tensor) -> tf.Tensor:
    """The rows of x at `to`, where `back` says from which of these each row of x has its gradient; the others have
    none. TensorFlow would add up what comes once."""

    @tf.custom_gradient
    def function(x: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        return tf.gather(x, to), lambda upstream: tf.gather(upstream, back)

    return function(x)
