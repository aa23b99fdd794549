"""Records to batches: every row where and as often as it should be, and the same order from any start."""

import collections
import pathlib

import numpy as np
import pytest

from bert import input_pipeline, records
from bert.errors import InputError
from bert.input_pipeline import RECORDS_PER_FILE, WINDOW, RecordSet, evaluation_batches, training_batches
from bert.records import frames
from tests import commands

S = 32


def write_set(path, numbers, generator) -> str:
    """Rows told apart by their label, of random lengths."""

    def rows():
        for number in numbers:
            length = int(generator.integers(3, S + 1))
            yield {
                "input_ids": [number + 1] * length + [0] * (S - length),
                "input_mask": [1] * length + [0] * (S - length),
                "segment_ids": [0] * S,
                "label_ids": [number],
                "is_real_example": [1],
            }

    return commands.write_records(path, rows(), records.CLASSIFIER)


@pytest.fixture
def record_set(tmp_path):
    generator = np.random.default_rng(0)
    paths = [write_set(tmp_path / f"{part}.tfrecord", range(part * 50, part * 50 + 50), generator) for part in range(2)]
    return RecordSet(records.CLASSIFIER, tuple(paths), {"S": S})


def labels(batches, count: int) -> list[list[int]]:
    return [batch["label_ids"][:, 0].tolist() for batch in batches.take(count).as_numpy_iterator()]


@pytest.mark.parametrize("grouping", [True, False])
def test_each_epoch_holds_every_row_once(record_set, grouping):
    """8 rows a batch, 100 rows: the windows of 32 batches run over the ends of the epochs."""
    batches = training_batches(record_set, 100, 8, seed=1, length_grouping=grouping)
    rows = [row for batch in labels(batches, 25 * 32) for row in batch]
    counts = collections.Counter(rows)
    assert set(counts) == set(range(100))
    assert set(counts.values()) == {64}


@pytest.mark.parametrize("start", [1, WINDOW - 1, WINDOW, 3 * WINDOW + 5])
@pytest.mark.parametrize("grouping", [True, False])
def test_a_later_start_sees_what_the_undisturbed_run_sees(record_set, start, grouping):
    whole = training_batches(record_set, 100, 8, seed=1, length_grouping=grouping)
    later = training_batches(record_set, 100, 8, seed=1, start_step=start, length_grouping=grouping)
    assert labels(later, 10) == labels(whole.skip(start), 10)


def test_the_order_is_a_function_of_the_seed(record_set):
    one, again, other = (labels(training_batches(record_set, 100, 8, seed=seed), 20) for seed in (1, 1, 2))
    assert one == again != other
    epochs = np.reshape(labels(training_batches(record_set, 100, 4, seed=1), 50), [2, 100])
    assert (epochs[0] != epochs[1]).any()


def test_batches_are_as_long_as_their_longest_row(record_set):
    padding = []
    for batch in training_batches(record_set, 100, 8, seed=1, length_grouping=True).take(64).as_numpy_iterator():
        longest = batch["input_mask"].sum(axis=1).max()
        length = batch["input_ids"].shape[1]
        assert batch["segment_ids"].shape == batch["input_mask"].shape == (8, length)
        assert longest <= length < longest + 8
        padding.append(1 - batch["input_mask"].mean())
    assert np.mean(padding) < 0.25  # without the grouping about 0.45; a length is rounded up by 1.5 on average


def test_uncut_batches_have_the_records_length(record_set):
    for batch in training_batches(record_set, 100, 8, seed=1, cut=False).take(3).as_numpy_iterator():
        assert batch["input_ids"].shape == (8, S)


@pytest.mark.parametrize("batch_size", [1, 7, 100, 150])
def test_evaluation_sees_every_row_once_in_order(record_set, batch_size):
    seen = []
    for batch in evaluation_batches(record_set, batch_size).as_numpy_iterator():
        assert batch["input_ids"].shape[0] == batch_size
        seen += batch["label_ids"][batch["is_real_example"] > 0, 0].tolist()
    assert seen == list(range(100))


@pytest.mark.parametrize("batch_size", [1, 7, 150])
def test_evaluation_by_length_sees_every_row_once_the_longest_first(record_set, batch_size):
    seen, lengths = [], []
    for batch in evaluation_batches(record_set, batch_size, length_grouping=True).as_numpy_iterator():
        assert batch["input_ids"].shape == (batch_size, batch["input_mask"].sum(axis=1).max())
        real = batch["is_real_example"] > 0
        assert not batch["input_mask"][~real].any()
        seen += batch["label_ids"][real, 0].tolist()
        lengths += batch["input_mask"][real].sum(axis=1).tolist()
        numbers = [record // RECORDS_PER_FILE * 50 + record % RECORDS_PER_FILE for record in batch["record"][real]]
        assert numbers == batch["label_ids"][real, 0].tolist()
    assert sorted(seen) == list(range(100))
    assert lengths == sorted(lengths, reverse=True)


def test_a_window_of_an_evaluation_bounds_what_is_sorted(record_set, monkeypatch):
    """Windows of 64 rows: each is sorted for itself, and only the last has rows that fill it."""
    monkeypatch.setattr(input_pipeline, "EVALUATION_WINDOW", 64)
    monkeypatch.setattr(input_pipeline, "WINDOW", 1)
    batches = list(evaluation_batches(record_set, 8, length_grouping=True).as_numpy_iterator())
    seen = [batch["label_ids"][batch["is_real_example"] > 0, 0].tolist() for batch in batches]
    assert [len(rows) for rows in seen] == [8] * 12 + [4]
    assert sorted(row for rows in seen[:8] for row in rows) == list(range(64))


def test_count(record_set):
    assert record_set.count == 100


@pytest.mark.parametrize("reader", [evaluation_batches, lambda record_set, size: record_set.statistics()])
def test_a_damaged_length_is_told_before_tensorflow_reads_it(record_set, reader):
    content = pathlib.Path(record_set.paths[1]).read_bytes()
    pathlib.Path(record_set.paths[1]).write_bytes(content + frames.header(2**60) + bytes(20))
    with pytest.raises(InputError, match=r"1\.tfrecord: record 50 is damaged or cut off"):
        reader(record_set, 8)


def test_the_end_of_an_iterator_waits_for_nothing(record_set):
    """A thread that tunes would be asleep for as long as the iterator has lived, and its end waits for the thread."""
    for batches in (training_batches(record_set, 100, 8, seed=1), evaluation_batches(record_set, 8)):
        assert batches.options().autotune.enabled is False
