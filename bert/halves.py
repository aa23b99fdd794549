"""A batch in two halves, which two cores work on beside each other.

Where two cores share one operation, each waits for the other at its end, some hundred times a step, and small
operations are not worth sharing at all. The halves of a batch need nothing of each other before their gradients are
added. On two cores each half has one of them to itself; on more, operations are shared, and there are two to choose
from. Dropout draws for each half, so what a seed means is another thing on one core, where there are no halves.
"""

import contextlib
import os
from collections.abc import Mapping

import tensorflow as tf

from bert.config import BertConfig

LEAST_HIDDEN_SIZE = 128  # of smaller models the operations take less time than to start them

Tensors = Mapping[str, tf.Tensor]


def use_own_cores(strategy: tf.distribute.Strategy, rows: int) -> None:
    """Lets every operation run on one core, where there are two, one device, and batches of two `rows` or more.

    Must come before TensorFlow computes anything; in a program that has, nothing changes. It is for all that the
    program computes from then on.
    """
    threads = tf.config.threading
    is_chosen = threads.get_intra_op_parallelism_threads() or tf.config.list_physical_devices("GPU")
    if is_chosen or _cores() != 2 or rows < 2 or strategy.num_replicas_in_sync > 1:
        return
    with contextlib.suppress(RuntimeError):
        threads.set_intra_op_parallelism_threads(1)


def suit(config: BertConfig) -> bool:
    """Whether an encoder has enough to compute for each half: an average of word vectors hardly computes anything."""
    return config.encoder != "average" and config.hidden_size >= LEAST_HIDDEN_SIZE


def pay(config: BertConfig, strategy: tf.distribute.Strategy) -> bool:
    """Whether a model has its batches halved: on one device, a processor of two cores or more."""
    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    is_processor = strategy.num_replicas_in_sync == 1 and kinds == {"CPU"} and _cores() > 1
    return is_processor and suit(config)


def of(batch: Tensors) -> list[Tensors]:
    """The first half of a batch and the second; the batch itself where it has one row, or a number not known."""
    rows = _rows(batch)
    if rows < 2:
        return [batch]
    middle = (rows + 1) // 2
    return [{name: value[part] for name, value in batch.items()} for part in (slice(middle), slice(middle, None))]


def of_like_lengths(batch: Tensors) -> list[Tensors]:
    """Halves with as many tokens as each other, as near as can be: of the rows by length each has every second."""
    rows = _rows(batch)
    if rows < 2:
        return [batch]
    order = tf.argsort(tf.reduce_sum(batch["input_mask"], axis=1), stable=True)  # [B]
    order = tf.ensure_shape(tf.concat([order[::2], order[1::2]], axis=0), [rows])
    return of({name: tf.gather(value, order) for name, value in batch.items()})


def seed(of_batch: tf.Tensor, number: int) -> tf.Tensor:
    """The seed of a half, 0 or 1."""
    return tf.random.experimental.stateless_fold_in(of_batch, number)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _rows(batch: Tensors) -> int:
    return batch["input_mask"].shape[0] or 1
