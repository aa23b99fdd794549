"""Pairs of texts as WordPieces, many at once, and how long they are. B pairs; the second text may be empty."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bert.errors import InputError
from bert.tasks.base import InputExample
from bert.tasks.truncation import truncated_sizes

# Texts -> the ids of all their WordPieces, and where each text's begin (`Tokenizer.encode`).
Encode = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class EncodedPairs:
    """WordPieces of B pairs of texts; the second text of an example that has only one is empty.

    Attributes:
      pieces: int32, of all texts.
      start, size: int64 [2, B], of the first and the second texts: where in `pieces` they begin, how long they are.
    """

    pieces: np.ndarray
    start: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], encode: Encode) -> "EncodedPairs":
        """Tokenizes all texts at once; `encode` is that of a `Tokenizer`, or one like it."""
        texts = [text for part in zip(*pairs, strict=True) for text in part]  # the first ones, then the second ones
        pieces, splits = encode(texts)
        return cls(pieces, splits[:-1].reshape(2, -1), np.diff(splits).reshape(2, -1))

    @property
    def is_pair(self) -> np.ndarray:
        """Whether there is a second text with a WordPiece, bool [B]."""
        return self.size[1] > 0

    @property
    def lengths(self) -> np.ndarray:
        """WordPieces of each pair with [CLS] and [SEP], int64 [B]."""
        return self.size.sum(axis=0) + 2 + self.is_pair

    def kept(self, max_seq_length: int) -> np.ndarray:
        """What a row of S has room for, int64 [2, B]."""
        a_size, b_size = self.size
        return np.stack(truncated_sizes(a_size, b_size, max_seq_length))


def text_pair(example: InputExample) -> tuple[str, str]:
    """Both texts of an example; the second is empty where it has none."""
    return example.text_a, example.text_b or ""


def check_room(max_seq_length: int, has_pair: bool) -> None:
    """Raises InputError for a max_seq_length that the special tokens alone would fill over."""
    needed = 3 if has_pair else 2
    if max_seq_length < needed:
        layout = "[CLS] [SEP] [SEP] of a text pair" if has_pair else "[CLS] [SEP]"
        raise InputError(f"`max_seq_length` is {max_seq_length}, too short for {layout}, expected at least {needed}")
