"""CoNLL-style files: a word and its tag a line, a blank line after each sentence (Tjong Kim Sang and De Meulder 2003).

Columns are separated by tabs or, in a line without one, by spaces. Lines that begin with -DOCSTART- are no words.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from bert import files
from bert.errors import InputError, quoted
from bert.tasks.base import Task
from bert.tasks.label_kinds import listed
from bert.tasks.tagging import schemes

DOCUMENT_START = "-DOCSTART-"


@dataclasses.dataclass(frozen=True)
class ConllFile:
    """The sentences of a file, and its lines as they are.

    words: of all sentences, one after the other; sentence i is words[splits[i]:splits[i + 1]], never empty.
    tags: of each word, None where the file has none. line_numbers: where each word stands, counted from 1.
    """

    path: str
    lines: list[str]
    words: list[str]
    tags: list[str] | None
    line_numbers: list[int]
    splits: np.ndarray

    def where(self, word: int) -> str:
        return f"{self.path}:{self.line_numbers[word]}"

    def with_column(self, tags: Sequence[str]) -> str:
        """The text of the file with one column more, the tag of each word; O beside a -DOCSTART-."""
        tag_of = dict(zip(self.line_numbers, tags, strict=True))
        lines = []
        for number, line in enumerate(self.lines, start=1):
            if not is_blank(line):
                separator = "\t" if "\t" in line else " "
                line = f"{line.rstrip(separator)}{separator}{tag_of.get(number, 'O')}"
            lines.append(f"{line}\n")
        return "".join(lines)


def is_blank(line: str) -> bool:
    return not line.strip(" \t")


def split_columns(line: str) -> list[str]:
    """The columns of a line; only in one with tabs may a word have, or be, a space."""
    if "\t" in line:
        return line.rstrip("\t").split("\t")
    return [column for column in line.split(" ") if column]


def read(path: str, token_column: int = 1, tag_column: int = -1, tags_required: bool = True) -> ConllFile:
    """Reads a file whole. Columns are counted from 1, or with -1 from the last.

    Where no tags are required, a file of one column has none, and neither has one read with tag_column 0. Raises
    InputError with file and line for a line of other columns than the first, for an empty word or tag, for a column
    that is not there, and for a file without a sentence.
    """
    lines = list(files.read_lines(path))
    rows, line_numbers, splits = [], [], [0]
    for number, line in enumerate([*lines, ""], start=1):
        if not is_blank(line) and not line.startswith(DOCUMENT_START):
            rows.append(split_columns(line))
            line_numbers.append(number)
        elif len(rows) > splits[-1]:
            splits.append(len(rows))
    if not rows:
        raise InputError(f"{path}: holds no sentence")

    def where(word: int) -> str:
        return f"{path}:{line_numbers[word]}"

    width = len(rows[0])
    wrong = next((word for word, columns in enumerate(rows) if len(columns) != width), None)
    if wrong is not None:
        raise InputError(f"{where(wrong)}: {len(rows[wrong])} column(s), expected {width} as in line {line_numbers[0]}")
    words = _column(rows, token_column, "token_column", where)
    tags = None
    if tags_required or (width > 1 and tag_column != 0):
        tags = _column(rows, tag_column, "tag_column", where, str.strip)
        if token_column % (width + 1) == tag_column % (width + 1):  # 1 and -width are the same column
            raise InputError(f"{where(0)}: {width} column(s), expected a word and, in another column, its tag")
    return ConllFile(path, lines, words, tags, line_numbers, np.array(splits))


def _column(
    rows: list[list[str]], column: int, flag: str, where: Callable[[int], str], clean: Callable[[str], str] = str
) -> list[str]:
    """One column of all rows, cleaned. Raises InputError where there is none, or nothing in it."""
    width = len(rows[0])
    if column == 0 or abs(column) > width:
        raise InputError(f"{where(0)}: {width} column(s), but `{flag}` is {column}")
    values = [clean(columns[column - 1 if column > 0 else column]) for columns in rows]
    if not all(values):
        raise InputError(f"{where(values.index(''))}: the column of `{flag}`={column} is empty")
    return values


class Tagging(Task):
    """train.txt, dev.txt and test.txt of words and tags; test.txt needs no tags. Labels come from train.txt."""

    name = "tagging"
    file_names: ClassVar = {"train": "train.txt", "dev": "dev.txt", "test": "test.txt"}

    def __init__(self, token_column: int = 1, tag_column: int = -1, scheme: str = "auto") -> None:
        self.token_column, self.tag_column, self.asked_scheme = token_column, tag_column, scheme
        self._read: dict[str, ConllFile] = {}

    @property
    def scheme(self) -> str:
        """bio, bioes or plain: as asked for, or for auto what the labels are."""
        return schemes.settle(self.asked_scheme, self.labels)

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        """The tags of train.txt, sorted. Raises InputError for one that is not of the scheme and for fewer than two."""
        text = self._file(data_dir, "train")
        assert text.tags is not None  # only a test file may have none
        labels = sorted(set(text.tags))
        if len(labels) < 2:
            raise InputError(f"{text.path}: holds only the tag {quoted(labels[0])}, expected at least two")
        scheme = schemes.settle(self.asked_scheme, labels)
        wrong = next((word for word, tag in enumerate(text.tags) if not schemes.fits(tag, scheme)), None)
        if wrong is not None:
            raise InputError(
                f"{text.where(wrong)}: the tag {quoted(text.tags[wrong])} is not one of `scheme`={scheme}, expected "
                f"{'O, B-... or I-...' if scheme == 'bio' else 'O, B-..., I-..., E-... or S-...'}"
            )
        return tuple(labels)

    def sentences(self, data_dir: str, split: str) -> ConllFile:
        """A split's file. Raises InputError with file and line for a tag that is not among the labels."""
        text = self._file(data_dir, split)
        tags, known = text.tags or [], set(self.labels)
        wrong = next((word for word, tag in enumerate(tags) if tag not in known), None)
        if wrong is not None:
            hint = "; a test file without tags has one column, or `tag_column`=0" if split == "test" else ""
            raise InputError(
                f"{text.where(wrong)}: unknown tag {quoted(tags[wrong])}, expected one of {listed(self.labels)}{hint}"
            )
        return text

    def _file(self, data_dir: str, split: str) -> ConllFile:
        if split not in self._read:
            path = self.path(data_dir, split)
            self._read[split] = read(path, self.token_column, self.tag_column, tags_required=split != "test")
        return self._read[split]
