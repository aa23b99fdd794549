"""Sentences as rows: [CLS] part of a sentence [SEP]. The first WordPiece of a word stands for the word.

A sentence too long for a row is read through several windows that overlap by half. Each word counts, in training and in
prediction, in exactly one of them, where it has most context; so words in are tags out. A word of which tokenization
leaves nothing (control characters) is [UNK] to the model.

Shapes: S max_seq_length, T words, X sentences, W windows, P WordPieces of all sentences.
"""

import collections
import dataclasses
import functools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from bert.records import TAGGING, RecordKind
from bert.records.layout import lay_out
from bert.records.lengths import LengthSummary
from bert.records.rows import Rows, number_lines
from bert.tasks.tagging.conll import ConllFile
from bert.tokenization import Tokenizer

LABELS_LOGGED = 10  # in the log, the most frequent ones


@dataclasses.dataclass(frozen=True)
class SentenceWindows(Rows):
    """The windows of all sentences, in order.

    pieces: int32 [P]. first_pieces: int64 [T], where each word begins in `pieces`. first, size: int64 [W], the pieces
    of each window. word_splits: int64 [W + 1]; words word_splits[w] to word_splits[w + 1] count in window w.
    label_ids: int32 [T], None where the file has no tags.
    """

    record_kind: ClassVar[RecordKind] = TAGGING

    text: ConllFile
    labels: Sequence[str]
    tokenizer: Tokenizer
    max_seq_length: int
    pieces: np.ndarray
    first_pieces: np.ndarray
    first: np.ndarray
    size: np.ndarray
    word_splits: np.ndarray
    label_ids: np.ndarray | None

    def __len__(self) -> int:
        return len(self.first)

    def words(self, window: int) -> slice:
        """The words that count in a window."""
        return slice(self.word_splits[window], self.word_splits[window + 1])

    def positions(self, window: int) -> np.ndarray:
        """The positions in the row of the words that count in a window: int64."""
        return 1 + self.first_pieces[self.words(window)] - self.first[window]

    def scores(self, logits: Sequence[np.ndarray]) -> np.ndarray:
        """The scores of all labels for every word, float32 [T, C], from the logits of every window, [S, C] each."""
        scores = np.zeros([len(self.text.words), len(self.labels)], np.float32)
        for window, row in enumerate(logits):
            scores[self.words(window)] = row[self.positions(window)]
        return scores

    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        vocabulary = self.tokenizer.vocabulary
        first, size = self.first[begin:end], self.size[begin:end]  # [B]
        rows = lay_out(
            self.pieces, (first, first + size), None, vocabulary.cls_id, vocabulary.sep_id, self.max_seq_length
        )
        label_ids = np.zeros_like(rows["input_ids"])
        label_weights = np.zeros_like(label_ids)
        if self.label_ids is not None:
            words = slice(self.word_splits[begin], self.word_splits[end])
            row = np.repeat(np.arange(end - begin), np.diff(self.word_splits[begin : end + 1]))
            position = 1 + self.first_pieces[words] - first[row]
            label_ids[row, position] = self.label_ids[words]
            label_weights[row, position] = 1
        return {
            "unique_ids": np.arange(begin, end, dtype=np.int32)[:, None],
            **rows,
            "label_ids": label_ids,
            "label_weights": label_weights,
        }

    @functools.cached_property
    def piece_splits(self) -> np.ndarray:
        """Where the pieces of each sentence begin and end: int64 [X + 1]."""
        return np.append(self.first_pieces, len(self.pieces))[self.text.splits]

    def describe(self, positions: int) -> list[str]:
        """How much there is, how long it is, what the vocabulary does not have, the labels."""
        lengths = np.diff(self.piece_splits) + 2
        unknown = np.mean(self.pieces == self.tokenizer.vocabulary.unk_id)
        lines = [
            f"{self.text.path}: {len(lengths)} sentences, {len(self.first_pieces)} words, {len(self)} rows",
            f"  WordPieces a sentence: {LengthSummary.of(lengths)}; "
            f"{np.mean(lengths > self.max_seq_length):.1%} are longer than a row; {unknown:.1%} of all are [UNK]",
        ]
        if self.text.tags:
            counts = collections.Counter(self.text.tags).most_common()
            listed = ", ".join(f"{tag}: {count}" for tag, count in counts[:LABELS_LOGGED])
            rest = len(counts) - LABELS_LOGGED
            lines.append(f"  Labels: {listed}" + (f" and {rest} more" if rest > 0 else ""))
        return lines

    def show(self, row: int, verbose: bool = False) -> list[str]:
        """A WordPiece that carries no label has a -."""
        features = self.features(row, row + 1)
        length = self.size[row] + 2
        tokens = [self.tokenizer.vocabulary.tokens[piece] for piece in features["input_ids"][0, :length]]
        carried = zip(features["label_ids"][0, :length], features["label_weights"][0, :length], strict=True)
        labels = [self.labels[label] if weight else "-" for label, weight in carried]
        return [
            f"unique_id: {row}",
            f"tokens: {' '.join(tokens)}",
            *(number_lines(features) if verbose else ()),
            f"labels: {' '.join(labels)}",
            f"length: {length} of {self.max_seq_length}",
        ]


def build(text: ConllFile, labels: Sequence[str], tokenizer: Tokenizer, max_seq_length: int) -> SentenceWindows:
    """Tokenizes all words and lays the windows; max_seq_length must be at least 3, the tags among the labels."""
    pieces, first_pieces = encode_words(text.words, tokenizer)
    sentence_first = np.append(first_pieces, len(pieces))[text.splits]  # [X + 1]
    length = np.diff(sentence_first)
    room = max_seq_length - 2
    step = max(room // 2, 1)
    beyond = np.maximum(length - room, 0)  # [X]: what does not fit into the first window
    count = 1 + -(-beyond // step)
    owner = np.repeat(np.arange(len(length)), count)  # [W]
    span = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    first = np.minimum(span * step, beyond[owner])  # the last window is as long as the others
    # Windows of one sentence are of one size, so the pieces up to the middle between two centres are nearer to the
    # centre of the earlier one, and have more context in it.
    middle = (first[:-1] + first[1:] + room - 1) // 2 + 1
    begin = np.where(span > 0, np.append(0, middle), 0) + sentence_first[owner]
    ids = {label: index for index, label in enumerate(labels)}
    return SentenceWindows(
        text=text,
        labels=labels,
        tokenizer=tokenizer,
        max_seq_length=max_seq_length,
        pieces=pieces,
        first_pieces=first_pieces,
        first=first + sentence_first[owner],
        size=np.minimum(room, length[owner]),
        word_splits=np.append(np.searchsorted(first_pieces, begin), len(first_pieces)),
        label_ids=None if text.tags is None else np.array([ids[tag] for tag in text.tags], np.int32),
    )


def encode_words(words: Sequence[str], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """WordPieces of words, int32 [P], and where each word begins in them, int64 [T]; no word is without one.

    Each different word is tokenized once.
    """
    numbers: dict[str, int] = {}
    word = np.array([numbers.setdefault(word, len(numbers)) for word in words])  # [T]
    values, splits = tokenizer.encode(list(numbers))
    vanished = np.flatnonzero(np.diff(splits) == 0)
    values = np.insert(values, splits[vanished], tokenizer.vocabulary.unk_id)
    splits = splits + np.append(0, np.cumsum(np.isin(np.arange(len(numbers)), vanished)))
    sizes = np.diff(splits)[word]
    starts = np.cumsum(sizes) - sizes
    shift = np.repeat(splits[word] - starts, sizes)  # [P]
    return values[shift + np.arange(len(shift))], starts
