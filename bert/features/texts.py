"""Lines of text to rows of WordPieces, a block of lines at a time, so that memory does not grow with the input.

A line is a text, or a pair `first ||| second` (docs/parity.md 8). Shapes: B rows, S positions.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bert import files
from bert.errors import InputError
from bert.records.layout import Bounds, lay_out
from bert.tasks.pairs import EncodedPairs, check_room
from bert.tokenization import Tokenizer, Vocabulary

TEXTS_IN_BLOCK = 10_000  # lines that are sorted by length together
_CHARACTERS_IN_BLOCK = 8_000_000  # tokenizing takes some thirty times as many bytes
_SEPARATOR = " ||| "


class Block(NamedTuple):
    """Lines that are worked on together: `first` is the number of the first line in the whole input, from 0."""

    number: int
    first: int
    lines: list[str]


class Part(NamedTuple):
    """An input file, and the numbers of its first line and its first block."""

    path: str
    first_line: int
    first_block: int


class Survey(NamedTuple):
    """All of the input, seen once: what there is to do is known before it begins."""

    parts: list[Part]
    line_count: int
    block_count: int


def survey(paths: Sequence[str], batch_size: int) -> Survey:
    """Counts lines and blocks.

    Raises InputError where there is no line at all, and, with file and line, for what cannot be read, so that a long
    run does not end at it.
    """
    parts, line_count, block_count = [], 0, 0
    for path in paths:
        parts.append(Part(path, line_count, block_count))
        for block in read_blocks(parts[-1], batch_size):
            line_count += len(block.lines)
            block_count += 1
    if not line_count:
        raise InputError(f"`input_file`: found no line in {', '.join(paths)}")
    return Survey(parts, line_count, block_count)


def read_blocks(part: Part, batch_size: int) -> Iterator[Block]:
    """The lines of a file in blocks of a whole number of batches, smaller where the lines are long."""
    most = -(-TEXTS_IN_BLOCK // batch_size) * batch_size
    lines: list[str] = []
    number, first, characters = part.first_block, part.first_line, 0
    for line in files.read_lines(part.path):
        lines.append(line)
        characters += len(line)
        if len(lines) == most or characters >= _CHARACTERS_IN_BLOCK:
            yield Block(number, first, lines)
            number, first, characters = number + 1, first + len(lines), 0
            lines = []
    if lines:
        yield Block(number, first, lines)


def split_pair(line: str) -> tuple[str, str]:
    """The first and the second text of a line; the second is empty where the line is one text."""
    first, separator, second = line.strip().rpartition(_SEPARATOR)
    return (first, second) if separator else (second, "")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Texts as WordPieces, cut to `max_seq_length`.

    Attributes:
      pieces: int32 [T], ids of all texts one after the other.
      first, second: where the texts of each row lie in `pieces`.
      is_pair: bool [B], whether a row has a second text.
      full_lengths: int64 [B], WordPieces with [CLS] and [SEP] before anything was cut.
      lengths: int64 [B], the same after it.
    """

    pieces: np.ndarray
    first: Bounds
    second: Bounds
    is_pair: np.ndarray
    full_lengths: np.ndarray
    lengths: np.ndarray
    vocabulary: Vocabulary

    @classmethod
    def encode(cls, lines: Sequence[str], tokenizer: Tokenizer, max_seq_length: int) -> "Rows":
        """Raises InputError for a max_seq_length that has no room for the special tokens of a pair."""
        pairs = EncodedPairs.of(map(split_pair, lines), tokenizer.encode)
        check_room(max_seq_length, bool(pairs.is_pair.any()))
        kept = pairs.kept(max_seq_length)  # [2, B]
        first, second = zip(pairs.start, pairs.start + kept, strict=True)
        lost = (pairs.size - kept).sum(axis=0)
        full = pairs.lengths
        return cls(pairs.pieces, first, second, pairs.is_pair, full, full - lost, tokenizer.vocabulary)

    def lay_out(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """input_ids, input_mask and segment_ids, int32 [B, length], of the rows with these numbers."""
        first, second = ((start[rows], stop[rows]) for start, stop in (self.first, self.second))
        ids = self.vocabulary.cls_id, self.vocabulary.sep_id
        return lay_out(self.pieces, first, second, *ids, length, self.is_pair[rows])

    def __len__(self) -> int:
        return len(self.lengths)


def padded_length(longest: int, max_seq_length: int) -> int:
    """The length of a batch whose longest row is this long: one of few, since every other shape is compiled anew.

    A fifth of it is padding at most, where it is more than 16.
    """
    step = max(4, 1 << max(0, (longest - 1).bit_length() - 3))
    return min(-(-longest // step) * step, max_seq_length)
