"""Sentences as rows: [CLS] part of a sentence [SEP]. The first WordPiece of a word stands for the word.

A sentence too long for a row is read through several windows that overlap by half. Each word counts, in training and in
prediction, in exactly one of them, where it has most context; so words in are tags out. A word of which tokenization
leaves nothing (control characters) is [UNK] to the model.

Shapes: S max_seq_length, T words, X sentences, W windows, P WordPieces of all sentences.
"""

import collections
import dataclasses
import functools
import logging
from collections.abc import Iterator, Sequence

import numpy as np

from bert import records
from bert.tasks.tagging.conll import ConllFile
from bert.tokenization import Tokenizer

logger = logging.getLogger(__name__)

BATCH = 2000  # windows laid out at once
SHOWN = 5  # windows shown in the log


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of all sentences, in order.

    pieces: int32 [P]. first_pieces: int64 [T], where each word begins in `pieces`. first, size: int64 [W], the pieces
    of each window. word_splits: int64 [W + 1]; words word_splits[w] to word_splits[w + 1] count in window w.
    label_ids: int32 [T], None where the file has no tags.
    """

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

    def places(self, window: int) -> np.ndarray:
        """The places in the row of the words that count in a window: int64."""
        return 1 + self.first_pieces[self.words(window)] - self.first[window]

    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        """The features of windows `begin` to `end`, not included, named as in records.TAGGING: int32 [n, S] or [n]."""
        position = np.arange(self.max_seq_length)
        first, size = self.first[begin:end, None], self.size[begin:end, None]  # [n, 1]
        is_piece = (position >= 1) & (position <= size)
        input_ids = np.zeros(is_piece.shape, np.int32)
        input_ids[:, 0] = self.tokenizer.vocabulary.cls_id
        input_ids[is_piece] = self.pieces[(first + position - 1)[is_piece]]
        input_ids[position == size + 1] = self.tokenizer.vocabulary.sep_id

        label_ids, label_weights = np.zeros_like(input_ids), np.zeros_like(input_ids)
        if self.label_ids is not None:
            words = slice(self.word_splits[begin], self.word_splits[end])
            row = np.repeat(np.arange(end - begin), np.diff(self.word_splits[begin : end + 1]))
            place = 1 + self.first_pieces[words] - first[row, 0]
            label_ids[row, place] = self.label_ids[words]
            label_weights[row, place] = 1
        return {
            "unique_ids": np.arange(begin, end, dtype=np.int32),
            "input_ids": input_ids,
            "input_mask": (position <= size + 1).astype(np.int32),
            "segment_ids": np.zeros_like(input_ids),
            "label_ids": label_ids,
            "label_weights": label_weights,
        }

    @functools.cached_property
    def piece_splits(self) -> np.ndarray:
        """Where the pieces of each sentence begin and end: int64 [X + 1]."""
        return np.append(self.first_pieces, len(self.pieces))[self.text.splits]

    def describe(self) -> list[str]:
        """Lines for the log: how much there is, how long it is, what the vocabulary does not have, the labels."""
        lengths = np.diff(self.piece_splits) + 2
        p50, p95, p99 = np.percentile(lengths, [50, 95, 99], method="higher")
        unknown = np.mean(self.pieces == self.tokenizer.vocabulary.unk_id)
        lines = [
            f"{self.text.path}: {len(lengths)} sentences, {len(self.first_pieces)} words, {len(self)} rows",
            f"  WordPieces a sentence: p50 {p50}, p95 {p95}, p99 {p99}, longest {lengths.max()}; "
            f"{np.mean(lengths > self.max_seq_length):.1%} are longer than a row; {unknown:.1%} of all are [UNK]",
        ]
        if self.text.tags:
            counts = collections.Counter(self.text.tags).most_common()
            shown = ", ".join(f"{tag}: {count}" for tag, count in counts[: 2 * SHOWN])
            rest = len(counts) - 2 * SHOWN
            lines.append(f"  Labels: {shown}" + (f" and {rest} more" if rest > 0 else ""))
        return lines


def build(text: ConllFile, labels: Sequence[str], tokenizer: Tokenizer, max_seq_length: int) -> Windows:
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
    return Windows(
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


def write_records(path: str, windows: Windows) -> None:
    """Writes the windows, in order, to a TFRecord file of records.TAGGING, atomically."""

    def batches() -> Iterator[dict[str, np.ndarray]]:
        for begin in range(0, len(windows), BATCH):
            logger.info("Writing row %d of %d", begin, len(windows))
            end = min(begin + BATCH, len(windows))
            features = windows.features(begin, end)
            yield {name: values.reshape(end - begin, -1) for name, values in features.items()}

    _show(windows)
    records.write_rows(path, records.TAGGING, batches())


def _show(windows: Windows) -> None:
    """Logs the first windows, as the original does (docs/parity.md 3); a WordPiece that carries no label has a -."""
    for window in range(min(SHOWN, len(windows))):
        features = {name: values[0] for name, values in windows.features(window, window + 1).items()}
        length = windows.size[window] + 2
        tokens = [windows.tokenizer.vocabulary.tokens[piece] for piece in features["input_ids"][:length]]
        carried = zip(features["label_ids"][:length], features["label_weights"][:length], strict=True)
        logger.info("*** Example ***")
        logger.info("unique_id: %d", window)
        logger.info("tokens: %s", " ".join(tokens))
        logger.info("labels: %s", " ".join(windows.labels[label] if weight else "-" for label, weight in carried))
        for name in ("input_ids", "input_mask", "segment_ids"):
            logger.info("%s: %s", name, " ".join(map(str, features[name])))
