"""CoNLL-style files: a word and its tag a line, in columns, a blank line after each sentence (Sang and De Meulder 2003).

Columns are separated by tabs or, in a line without one, by spaces. Lines that begin with -DOCSTART- are no words.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from bert import files
from bert.errors import InputError
from bert.tasks.base import Task, shown
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
    return re.split(" +", line.strip(" "))


def read(path: str, token_column: int = 1, tag_column: int = -1, tags_required: bool = True) -> ConllFile:
    """Reads a file whole. Columns are counted from 1, or with -1 from the last.

    Where no tags are required, a file of one column has none, and neither has one read with tag_column 0. Raises
    InputError with file and line for a line of other columns than the first, for an empty word or tag, for a column
    that is not there, and for a file without a sentence.
    """
    lines, words, tags, line_numbers, ends = [], [], [], [], [0]
    width = token = tag = None
    for number, line in enumerate(files.read_lines(path), start=1):
        lines.append(line)
        if is_blank(line) or line.startswith(DOCUMENT_START):
            ends += [len(words)] if len(words) > ends[-1] else []
            continue
        columns, where = split_columns(line), f"{path}:{number}"
        if width is None:
            width, has_tags = len(columns), tags_required or (len(columns) > 1 and tag_column != 0)
            token = _place(token_column, "token_column", columns, where)
            tag = _place(tag_column, "tag_column", columns, where) if has_tags else None
            if token == tag:
                raise InputError(f"{where}: {width} column(s) in '{line}', expected a word and a tag")
        if len(columns) != width:
            raise InputError(
                f"{where}: {len(columns)} column(s), expected {width} as in line {(line_numbers or [number])[0]}"
            )
        words.append(_filled(columns[token], "word", where))
        tags += [] if tag is None else [_filled(columns[tag].strip(), "tag", where)]
        line_numbers.append(number)
    if not words:
        raise InputError(f"{path}: holds no sentence")
    ends += [len(words)] if len(words) > ends[-1] else []
    return ConllFile(path, lines, words, None if tag is None else tags, line_numbers, np.array(ends))


def _place(column: int, flag: str, columns: list[str], where: str) -> int:
    """The index of a column. Raises InputError where there is no such column."""
    if column == 0 or abs(column) > len(columns):
        raise InputError(f"{where}: {len(columns)} column(s), but --{flag} is {column}")
    return column - 1 if column > 0 else len(columns) + column


def _filled(text: str, what: str, where: str) -> str:
    if not text:
        raise InputError(f"{where}: the {what} is empty")
    return text


class Tagging(Task):
    """train.txt, dev.txt and test.txt of words and tags; test.txt needs no tags. Labels come from train.txt."""

    name = "tagging"
    file_names: ClassVar = {"train": "train.txt", "dev": "dev.txt", "test": "test.txt"}

    def __init__(self, token_column: int = 1, tag_column: int = -1, scheme: str = "auto"):
        self.token_column, self.tag_column, self.asked_scheme = token_column, tag_column, scheme
        self._read: dict[str, ConllFile] = {}

    @property
    def scheme(self) -> str:
        """bio, bioes or plain: as asked for, or for auto what the labels are."""
        return schemes.settle(self.asked_scheme, self.labels)

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        """The tags of train.txt, sorted. Raises InputError for one that is not of the scheme and for fewer than two."""
        text = self._file(data_dir, "train")
        labels = sorted(set(text.tags))
        if len(labels) < 2:
            raise InputError(f"{text.path}: holds only the tag '{labels[0]}', expected at least two")
        scheme = schemes.settle(self.asked_scheme, labels)
        wrong = next((word for word, tag in enumerate(text.tags) if not schemes.fits(tag, scheme)), None)
        if wrong is not None:
            raise InputError(
                f"{text.where(wrong)}: the tag '{text.tags[wrong]}' is not one of --scheme={scheme}, expected "
                f"{'O, B-... or I-...' if scheme == 'bio' else 'O, B-..., I-..., E-... or S-...'}"
            )
        return tuple(labels)

    def sentences(self, data_dir: str, split: str) -> ConllFile:
        """A split's file. Raises InputError with file and line for a tag that is not among the labels."""
        text = self._file(data_dir, split)
        known = set(self.labels)
        wrong = next((word for word, tag in enumerate(text.tags or ()) if tag not in known), None)
        if wrong is not None:
            hint = "; a test file without tags has one column, or --tag_column=0" if split == "test" else ""
            raise InputError(
                f"{text.where(wrong)}: unknown tag '{text.tags[wrong]}', expected one of {shown(self.labels)}{hint}"
            )
        return text

    def _file(self, data_dir: str, split: str) -> ConllFile:
        if split not in self._read:
            path = self.path(data_dir, split)
            self._read[split] = read(path, self.token_column, self.tag_column, tags_required=split != "test")
        return self._read[split]
