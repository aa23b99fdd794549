"""A partner for each question of a training batch: another question of the same answer, drawn anew in each epoch.

Records hold single questions, each of which is an anchor once an epoch. What stands beside it is a function of seed,
epoch and question, so a run that goes on after a kill sees the same batches. Shapes: Q questions, B rows of a batch, S
max_seq_length, N hard negatives.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bert.heads.two_tower import NEGATIVE, POSITIVE
from bert.random_numbers import draws, keys
from bert.records.rows import BATCH
from bert.tasks import InputExample
from bert.tasks.encoding import ClassificationRows, describe_lengths
from bert.tokenization import Tokenizer


class QuestionRows(ClassificationRows):
    """A row a question; `label_ids` is the number of its answer, `groups`, int64 [Q]; None: they have none."""

    def __init__(
        self, questions: Sequence[str], groups: np.ndarray | None, tokenizer: Tokenizer, max_seq_length: int
    ) -> None:
        examples = [InputExample(str(row), question) for row, question in enumerate(questions)]
        super().__init__(examples, (), tokenizer, max_seq_length)
        self.groups = np.zeros(len(examples), np.int64) if groups is None else groups

    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        return {**super().features(begin, end), "label_ids": self.groups[begin:end, None].astype(np.int32)}

    def describe(self, positions: int) -> list[str]:
        return describe_lengths(self.lengths, self.max_seq_length, positions)


class Partners:
    """Gives each question of a batch a partner and, where there are some, its hard negatives.

    Args:
      rows: the training questions.
      negatives: int64 [Q, N], for each question some of other answers; or None.
      seed: of the run.
    """

    def __init__(self, rows: QuestionRows, negatives: np.ndarray | None, seed: int) -> None:
        parts = [rows.features(begin, begin + BATCH) for begin in range(0, len(rows), BATCH)]
        is_piece = [part["input_mask"] > 0 for part in parts]
        pieces = np.concatenate([part["input_ids"][own] for part, own in zip(parts, is_piece, strict=True)])
        lengths = np.concatenate([own.sum(axis=1) for own in is_piece])
        self._pieces = tf.RaggedTensor.from_row_lengths(pieces, lengths)
        self._groups = tf.constant(rows.groups)
        order = np.argsort(rows.groups, kind="stable")
        _, start, size = np.unique(rows.groups[order], return_index=True, return_counts=True)
        first, count = np.repeat(start, size), np.repeat(size, size)  # of the answer of each in `order`
        place = np.empty_like(order)
        place[order] = np.arange(len(order)) - first
        self._order = tf.constant(order)
        self._first, self._count = (tf.constant(part[np.argsort(order)]) for part in (first, count))
        self._place = tf.constant(place)
        self._negatives = [] if negatives is None else [tf.constant(each) for each in negatives.T]
        self._seed, self._length = seed, rows.max_seq_length

    def __call__(self, batch: Mapping[str, tf.Tensor], epochs: tf.Tensor) -> dict[str, tf.Tensor]:
        """The batch with `positive_input_ids` and `positive_input_mask`, int32 [B, S], and the same and
        `negative_I_label_ids`, int32 [B, 1], of each hard negative I. `epochs`: int64 [B]."""
        record = batch["record"]
        drawn = draws(keys(tf.constant(self._seed), epochs, record), 1, 1)[:, 0, 0]  # [B]
        count, place = tf.gather(self._count, record), tf.gather(self._place, record)
        # Any but itself; the only question of an answer is its own partner, and only dropout tells the two apart, as in
        # SimCSE (Gao, Yao and Chen 2021).
        other = (place + 1 + drawn % tf.maximum(count - 1, 1)) % count
        partner = tf.gather(self._order, tf.gather(self._first, record) + other)
        found = {**batch, **self._features(POSITIVE, partner)}
        for number, negatives in enumerate(self._negatives):
            wrong = tf.gather(negatives, record)
            labels = tf.cast(tf.gather(self._groups, wrong), tf.int32)[:, tf.newaxis]
            name = NEGATIVE.format(number)
            found |= {**self._features(name, wrong), f"{name}label_ids": labels}
        return found

    def _features(self, name: str, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        pieces = tf.gather(self._pieces, rows)
        mask = tf.sequence_mask(pieces.row_lengths(), self._length, tf.int32)  # [B, S]
        return {f"{name}input_ids": pieces.to_tensor(shape=[None, self._length]), f"{name}input_mask": mask}


def hard_negatives(nearest: Sequence[np.ndarray], groups: np.ndarray, count: int) -> np.ndarray:
    """The nearest questions of other answers for each question, int64 [Q, count].

    Args:
      nearest: for each question the others, int64, the nearest first.
      groups: the answer of each question, int64 [Q]; two at least.
      count: how many; where fewer were found, they are taken again, and where none was, the questions that follow.
    """
    found = []
    for row, rows in enumerate(nearest):
        others = rows[groups[rows] != groups[row]][:count]
        if not len(others):
            following = np.roll(np.arange(len(groups)), -row)
            others = following[groups[following] != groups[row]][:count]
        found.append(np.resize(others, count))
    return np.stack(found)
