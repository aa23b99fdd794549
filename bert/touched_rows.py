"""Adam on a table of which a training reads few rows.

A short training on short texts reads some thousand of 30,522 words. Where a row was never read its slots are 0, and
Adam changes nothing: to pass over these rows costs as much as the products of a small batch. So they are left out, and
the result is that of the whole table. Shapes: V rows, H columns, U rows that were touched.
"""

import tensorflow as tf

LEAST_ROWS = 2048  # of a table for which the trouble pays
SHARE = 8  # a row by itself costs as much as these many of a whole table


class TouchedRows:
    """Which rows of one table may have slots that are not 0: all, until `note` has looked."""

    def __init__(self, rows: int) -> None:
        self._touched = tf.Variable(tf.ones([rows], tf.bool), trainable=False, name="touched_rows")

    def note(self, m: tf.Variable, v: tf.Variable) -> None:
        """Looks at the slots [V, H]."""
        self._touched.assign(tf.reduce_any(tf.not_equal(m, 0.0) | tf.not_equal(v, 0.0), axis=1))

    def add(self, indices: tf.Tensor) -> tf.Tensor:
        """Touches the rows at `indices`; returns whether those touched so far are few."""
        self._touched.scatter_update(tf.IndexedSlices(tf.ones_like(indices, tf.bool), indices))
        return tf.math.count_nonzero(self._touched) * SHARE < tf.size(self._touched, tf.int64)

    def gather(self, gradient: tf.IndexedSlices) -> tf.IndexedSlices:
        """The gradient of the touched rows, [U, H], each once and in order; 0 where this step has none."""
        places = tf.cumsum(tf.cast(self._touched, tf.int32), exclusive=True)  # [V]
        rows = tf.where(self._touched)[:, 0]  # [U]
        sums = tf.math.unsorted_segment_sum(gradient.values, tf.gather(places, gradient.indices), tf.size(rows))
        return tf.IndexedSlices(sums, rows)


def adam_update(
    m: tf.Variable, v: tf.Variable, gradient: tf.IndexedSlices, beta_1: float, beta_2: float, epsilon: float
) -> tf.Tensor:
    """Moves the slots as ResourceApplyAdam does, on the rows of `gradient` alone, each of which it holds once; returns
    m / (√v + ε) of these rows, [U, H]."""
    rows, values = gradient.indices, gradient.values
    share_1, share_2 = (1.0 - tf.constant(beta, values.dtype) for beta in (beta_1, beta_2))  # rounded as there
    new_m, new_v = tf.gather(m, rows), tf.gather(v, rows)
    new_m += (values - new_m) * share_1
    new_v += (tf.square(values) - new_v) * share_2
    m.scatter_update(tf.IndexedSlices(new_m, rows))
    v.scatter_update(tf.IndexedSlices(new_v, rows))
    return new_m / (tf.sqrt(new_v) + epsilon)
