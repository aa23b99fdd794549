"""Records to batches. The order of training rows is a function of (seed, step) alone, so a run that starts at step n
sees what an undisturbed run sees from there on.

A batch is a dict of int32 and float32 tensors, shapes as in `records`, plus `is_real_example`, float32 [B]: 0.0 for a
row that only fills the last batch, and `record`, int64 [B]: which row it is (`RecordSet.describe`).
"""

import collections
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from bert import files
from bert.errors import InputError
from bert.records import RecordKind, count, parsing
from bert.records.lengths import LengthSummary

logger = logging.getLogger(__name__)

Batch = dict[str, tf.Tensor]
Rewrite = Callable[[Batch, tf.Tensor], Batch]  # rows as they were read, and int64 [B], the epoch each belongs to

SHUFFLE_BUFFER = 50_000  # serialized rows; a classifier's whole training set in most cases
WINDOW = 32  # batches whose rows are sorted by length together
EVALUATION_WINDOW = 2048  # rows sorted together, at least, where their order is no matter of chance
RECORDS_PER_FILE = 2**40  # more than a file has: `record` // this is the file, % this the number in it
PARALLEL_CALLS = 2  # windows that are parsed, and batches that are cut, at once: a forward pass takes far longer
BATCHES_READ_AHEAD = 8  # some megabytes; parsing the next window hides behind as many steps
SAMPLE = 10_000  # records looked at for the start block
LABELS = "next_sentence_labels", "label_ids"  # features whose histogram is told
PACKED_BELOW = 0.9  # of the longest row, for the average one: to gather tokens costs about a tenth of a step
CUT_MULTIPLE = 4  # a cut batch is as long as its longest row, in training rounded up to this: XLA compiles each length


@dataclasses.dataclass(frozen=True)
class RecordSet:
    """Files of one record kind, and the sizes (letter -> number) of their rows."""

    kind: RecordKind
    paths: tuple[str, ...]
    sizes: Mapping[str, int]

    def check(self) -> None:
        """Raises InputError if no file holds a record, or a file's first is not of this kind and these sizes.

        So does a file that is cut off, or in which a length is damaged.
        """
        empty = [path for path in self.paths if not parsing.check_first(self.kind, path, self.sizes)]
        if len(empty) == len(self.paths):
            where = ", ".join(empty[:3])
            raise InputError(f"{where}: no record in {len(empty)} file(s), expected {self.kind.name} records")
        for path in empty:
            logger.warning("%s holds no record.", path)
        _ = self.count

    @property
    def _sound_paths(self) -> list[str]:
        """The files, once it is known that TensorFlow can read them: a damaged length would crash it."""
        _ = self.count
        return list(self.paths)

    @functools.cached_property
    def count(self) -> int:
        """Number of records, from their headers alone. Raises InputError where a file is damaged or cut off."""
        return sum(map(count, self.paths))

    def statistics(self) -> list[str]:
        """Lines for the start block: lengths and, where the kind has one, the label histogram, of the first records."""
        lengths = self._sample["lengths"]
        lines = [f"Lengths of the first {len(lengths)} records: {LengthSummary.of(lengths)}"]
        for name in LABELS:
            if name in self._sample:
                labels, counts = np.unique(self._sample[name], return_counts=True)
                lines.append(f"{name}: " + ", ".join(f"{a}: {b}" for a, b in zip(labels, counts, strict=True)))
        return lines

    def has_much_padding(self) -> bool:
        """Whether it pays to pack random batches of these rows, as the first of them are."""
        lengths = self._sample["lengths"]
        return float(lengths.mean()) < PACKED_BELOW * int(lengths.max())

    @functools.cached_property
    def _sample(self) -> dict[str, np.ndarray]:
        """The `lengths` of the first records, and their labels by the names of the features that the kind has."""
        rows = tf.data.TFRecordDataset(self._sound_paths).take(SAMPLE).batch(1024)
        with self.faults_named():
            batches = [parsing.parse(self.kind, serialized, self.sizes) for serialized in rows]
        columns = {"lengths": [batch["input_mask"].numpy().sum(axis=1) for batch in batches]}
        for name in LABELS:
            if name in batches[0]:
                columns[name] = [batch[name].numpy() for batch in batches]
        return {name: np.concatenate(parts) for name, parts in columns.items()}

    def describe(self, records: Iterable[int]) -> str:
        """Where the rows lie that a batch's `record` names."""
        by_file = collections.defaultdict(list)
        for record in records:
            by_file[self.paths[record // RECORDS_PER_FILE]].append(str(record % RECORDS_PER_FILE))
        return "; ".join(f"records {', '.join(numbers)} of {path}" for path, numbers in by_file.items())

    def rows(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """All rows as (record, serialized); files in the `order` given, int64 indices into `paths`, or as listed."""
        order = tf.range(len(self.paths), dtype=tf.int64) if order is None else order
        paths = tf.constant(self._sound_paths)

        def file_rows(index: tf.Tensor) -> tf.data.Dataset:
            numbers = tf.data.Dataset.range(index * RECORDS_PER_FILE, (index + 1) * RECORDS_PER_FILE)
            return tf.data.Dataset.zip((numbers, tf.data.TFRecordDataset(tf.gather(paths, index))))

        return tf.data.Dataset.from_tensor_slices(order).flat_map(file_rows)

    @contextlib.contextmanager
    def faults_named(self) -> Iterator[None]:
        """Makes an InputError that names file and record of what TensorFlow raises over a record inside this block."""
        try:
            yield
        except tf.errors.NotFoundError:
            for path in self.paths:
                if not files.exists(path):
                    raise InputError(f"{path}: was read from, and is no longer there") from None
            raise
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError):
            logger.info("A record is wrong; looking for it in %d file(s).", len(self.paths))
            parsing.check_all(self.kind, self.paths, self.sizes)
            raise  # it was not a record


def training_batches(
    record_set: RecordSet,
    record_count: int,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    cut: bool = True,
    length_grouping: bool = False,
    rewrite: Rewrite | None = None,
) -> tf.data.Dataset:
    """Endless full batches, from step `start_step` on: epochs follow each other, each in an order of its own.

    With `cut` a batch is as long as its longest row; with `length_grouping` too, the rows of `WINDOW` batches are
    sorted by length first, so that rows of like length share a batch, and the batches come in random order. What
    `rewrite` makes of rows takes their place; it must be a function of its arguments.
    """
    window = WINDOW if cut and length_grouping else 1
    first_row = start_step // window * window * batch_size
    epochs = tf.data.Dataset.range(first_row // record_count, 2**31)
    rows = epochs.flat_map(lambda epoch: _epoch_rows(record_set, epoch, seed)).skip(first_row % record_count)
    windows = rows.batch(window * batch_size, drop_remainder=True).enumerate(start=start_step // window)

    def arrange(index: tf.Tensor, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = _parse(record_set, *rows)
        if rewrite:
            numbers = index * window * batch_size + tf.range(window * batch_size, dtype=tf.int64)
            batch = rewrite(batch, numbers // record_count)
        if window > 1:
            batch = _group_by_length(batch, window, tf.stack([tf.cast(seed, tf.int64), index]))
        return {name: tf.reshape(value, [window, batch_size, *value.shape[1:]]) for name, value in batch.items()}

    batches = windows.map(arrange, num_parallel_calls=PARALLEL_CALLS).unbatch().skip(start_step % window)
    return _finish(batches, record_set, cut)


def evaluation_batches(
    record_set: RecordSet, batch_size: int, cut: bool = True, length_grouping: bool = False
) -> tf.data.Dataset:
    """Every record once; the last batch is filled up with rows whose `is_real_example` is 0.0.

    In file order, or with `length_grouping` (and `cut`) with the rows of a window sorted by length, the longest first:
    what does not fit into memory fails at once. `record` tells the rows apart.
    """
    is_grouped = cut and length_grouping
    window = max(WINDOW, -(-EVALUATION_WINDOW // batch_size)) if is_grouped else 1

    def arrange(record: tf.Tensor, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = _fill(_parse(record_set, record, serialized), batch_size)
        if is_grouped:
            batch = _sort_by_length(batch)
        return {name: tf.reshape(value, [-1, batch_size, *value.shape[1:]]) for name, value in batch.items()}

    windows = record_set.rows().batch(window * batch_size)
    return _finish(windows.map(arrange, num_parallel_calls=PARALLEL_CALLS).unbatch(), record_set, cut, multiple=1)


def _epoch_rows(record_set: RecordSet, epoch: tf.Tensor, seed: int) -> tf.data.Dataset:
    # The seed of the graph being traced, which is half of the one below. TensorFlow asks whether both are 0, and cannot
    # ask it of a tensor: so this half is never 0.
    tf.random.set_seed(seed % (2**31 - 1) or 1)
    files = tf.range(len(record_set.paths), dtype=tf.int64)
    order = tf.random.experimental.stateless_shuffle(files, seed=tf.stack([tf.cast(seed, tf.int64), epoch]))
    return record_set.rows(order).shuffle(SHUFFLE_BUFFER, seed=seed + epoch * 1_000_003)


def _parse(record_set: RecordSet, record: tf.Tensor, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    batch = parsing.parse(record_set.kind, serialized, record_set.sizes)
    real = batch.get("is_real_example")
    ones = tf.ones_like(serialized, tf.float32) if real is None else tf.cast(real[:, 0], tf.float32)
    return {**batch, "is_real_example": ones, "record": record}


def _group_by_length(batch: dict, window: int, seed: tf.Tensor) -> dict:
    """Sorts the rows of a window by length and shuffles the batches, [window * B, ...] in and out."""
    order = tf.argsort(tf.reduce_sum(batch["input_mask"], axis=1), stable=True)
    order = tf.random.experimental.stateless_shuffle(tf.reshape(order, [window, -1]), seed=seed)
    order = tf.reshape(order, [-1])
    return {name: tf.gather(value, order) for name, value in batch.items()}


def _sort_by_length(batch: dict) -> dict:
    """The rows of a window, [rows, ...], the longest first, those that only fill it last."""
    order = tf.argsort(tf.reduce_sum(batch["input_mask"], axis=1), direction="DESCENDING", stable=True)
    return {name: tf.gather(value, order) for name, value in batch.items()}


def _fill(batch: dict, batch_size: int) -> dict:
    """Rows of zeros behind the others, up to a multiple of the batch size."""
    missing = -tf.shape(batch["is_real_example"])[0] % batch_size
    return {name: tf.pad(value, [[0, missing]] + [[0, 0]] * (value.shape.rank - 1)) for name, value in batch.items()}


def _finish(
    batches: tf.data.Dataset, record_set: RecordSet, cut: bool, multiple: int = CUT_MULTIPLE
) -> tf.data.Dataset:
    if cut:
        long = record_set.kind.long_features
        batches = batches.map(lambda batch: cut_to_longest(batch, long, multiple), num_parallel_calls=PARALLEL_CALLS)
    options = tf.data.Options()
    # Its thread looks after 10 ms, 20 ms, 40 ms and so on, and the end of an iterator waits for the next look: up to a
    # minute after a long evaluation.
    options.autotune.enabled = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options).prefetch(BATCHES_READ_AHEAD)


def cut_to_longest(batch: dict, long: Sequence[str], multiple: int = CUT_MULTIPLE) -> dict:
    """Shortens the features of length S to the longest row of the batch, rounded up to a multiple, those that a
    `Rewrite` has put beside them, as partner_input_ids and partner_input_mask, too."""
    masks = [value for name, value in batch.items() if name.endswith("input_mask")]
    longest = tf.reduce_max([tf.reduce_max(tf.reduce_sum(mask, axis=1)) for mask in masks])
    length = tf.maximum((longest + multiple - 1) // multiple, 1) * multiple
    return {name: value[:, :length] if name.endswith(tuple(long)) else value for name, value in batch.items()}
