"""The `table` task: a user's own training, dev and test files, with labels learned from the training file."""

import collections
import dataclasses
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from bert import files
from bert.errors import InputError, quoted
from bert.options.tables import TableOptions
from bert.tasks import label_kinds, rows
from bert.tasks.base import SPLITS, InputExample, Task, register
from bert.tasks.label_kinds import Label, LabelKind, Stratum
from bert.tasks.rows import Row

ENDINGS = tuple(f".{ending}{packed}" for ending in ("tsv", "csv", "txt", "jsonl", "json") for packed in ("", ".gz"))

_MOST_DIGITS = 1000  # what is longer is a name; Python reads no number of some thousands


@register
class Table(Task):
    """Files of one's own: tab-separated (quotation marks are text), CSV or JSON lines, by their names.

    Columns that nobody asks for are ignored. A test file needs no labels; those that are there are not read. Space
    around a label is not part of it.
    """

    name = "table"
    file_names: ClassVar = {split: tuple(split + ending for ending in ENDINGS) for split in SPLITS}

    def __init__(self, options: TableOptions | None = None) -> None:
        self.options = options or TableOptions()
        self._knows_kind = self.options.label_kind in label_kinds.KINDS  # else it is read from the data
        self.label_kind = label_kinds.KINDS.get(self.options.label_kind, label_kinds.CLASS)
        self._dev_rows: frozenset[int] | None = None

    @property
    def knows_labels(self) -> bool:
        return self._knows_kind and super().knows_labels

    def path(self, data_dir: str, split: str) -> str:
        """The file of a split. Raises InputError where there is none, or more than one could be meant."""
        if split == "dev" and self.options.dev_fraction:
            split = "train"
        given = self.options.file(split)
        if given:
            return os.path.join(data_dir, given)
        paths = [os.path.join(data_dir, name) for name in self.file_names[split]]
        found = [path for path in paths if files.exists(path)]
        if len(found) > 1:
            raise InputError(f"{', '.join(found)}: which is meant? Give `{split}_file`")
        return super().path(data_dir, split)

    def rows(self, data_dir: str, split: str) -> Iterator[Row]:
        """The rows of a split. Raises InputError for a row that has not as many columns as the header."""
        for index, row in enumerate(self._all_rows(data_dir, split)):
            is_split = bool(self.options.dev_fraction) and split != "test"
            if not is_split or (index in self._rows_for_dev(data_dir)) == (split == "dev"):
                yield row

    def example(self, row: Row, split: str) -> InputExample:
        options = self.options
        second = options.text_b_column or ("text_b" if "text_b" in row.header else None)
        identity = options.id_column or ("id" if "id" in row.header else None)
        label = None if split == "test" else self._label(row)
        return InputExample(
            guid=str(cell(row, identity, "id_column")) if identity else f"{split}-{row.number}",
            text_a=text_of(row, options.text_column, "text_column"),
            text_b=text_of(row, second, "text_b_column") if second else None,
            label=label,
        )

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        """The labels of the training file, sorted; by value if all are whole numbers. Settles `label_kind`.

        Raises InputError for fewer than two labels, and for one that is not of the kind.
        """
        column = self.options.label_column
        found = [(row.where, cell(row, column, "label_column")) for row in self._all_rows(data_dir, "train")]
        if not self._knows_kind:
            self._settle(kind_of([value for _, value in found], self.options.label_separator))
        kind, separator = self.label_kind, self.options.label_separator
        if not kind.has_classes:
            for where, value in found:
                kind.check(kind.read(value, where, separator), (), where)
            return ()
        labels = sorted({name for where, value in found for name in kind.classes(kind.read(value, where, separator))})
        if len(labels) < 2:
            only = f"only the label '{labels[0]}'" if labels else "no example"
            raise InputError(f"{self.path(data_dir, 'train')}: holds {only}, expected at least two labels")
        if all(re.fullmatch(rf"[+-]?[0-9]{{1,{_MOST_DIGITS}}}", label) for label in labels):
            labels.sort(key=int)
        return tuple(labels)

    def take_labels(self, stored: Mapping) -> None:
        """Takes up labels and kind of the labels.json of a trained model."""
        if not self._knows_kind:
            self._settle(label_kinds.KINDS[stored["label_kind"]])
        self.labels = tuple(stored["labels"])

    def _settle(self, kind: LabelKind) -> None:
        self.label_kind, self._knows_kind = kind, True

    def _label(self, row: Row) -> Label:
        value = cell(row, self.options.label_column, "label_column")
        return self.label_kind.read(value, row.where, self.options.label_separator)

    def _all_rows(self, data_dir: str, split: str) -> Iterator[Row]:
        return rows_of(self.path(data_dir, split), self.options.header)

    def _rows_for_dev(self, data_dir: str) -> frozenset[int]:
        """Which rows of the training file are the dev set. Raises InputError where the fraction makes none."""
        if self._dev_rows is None:
            if not self.knows_labels:
                self.labels = self.learn_labels(data_dir)
            strata = [self.label_kind.stratum(self._label(row), row.where) for row in self._all_rows(data_dir, "train")]
            fraction = self.options.dev_fraction
            self._dev_rows = stratified(strata, fraction, self.options.dev_seed)
            if not self._dev_rows:
                path = self.path(data_dir, "train")
                raise InputError(f"`dev_fraction`={fraction} of the {len(strata)} rows of {path} is no row")
        return self._dev_rows


def kind_of(values: Iterable[object], separator: str) -> LabelKind:
    """What the cells of a label column are: numbers if one of them has a fraction, several labels if one is a list or
    has the separator, else one class each."""
    values = list(values)
    numbers = [number for number in map(label_kinds.as_number, values) if number is not None]
    if len(numbers) == len(values) and any(not number.is_integer() for number in numbers):
        return label_kinds.REGRESSION
    if any(isinstance(value, list) or (isinstance(value, str) and separator in value) for value in values):
        return label_kinds.MULTILABEL
    return label_kinds.CLASS


def stratified(strata: Sequence[Stratum], fraction: float, seed: int) -> frozenset[int]:
    """Draws `fraction` of the indices, of each stratum its share; a stratum is what classes a row has, or its number.

    Rows are shuffled and sorted by stratum; then every (1 / fraction)-th is taken, from a random place on: no stratum
    is too small for it, and numbers are drawn evenly over their range. The last row that has some class stays behind.
    """
    chance = random.Random(seed)
    order = list(range(len(strata)))
    chance.shuffle(order)
    order.sort(key=lambda index: strata[index])  # all of one type, that of the label kind
    start = chance.random()
    classes = [stratum if isinstance(stratum, tuple) else () for stratum in strata]
    left = collections.Counter(name for names in classes for name in names)
    drawn = set()
    for position, index in enumerate(order):
        is_due = int(position * fraction + start) < int((position + 1) * fraction + start)
        if is_due and all(left[name] > 1 for name in classes[index]):
            drawn.add(index)
            left.subtract(classes[index])
    return frozenset(drawn)


def rows_of(path: str, has_header: bool) -> Iterator[Row]:
    """The rows of a file. Raises InputError for a row that has not as many columns as the header, or the first row."""
    first = None
    for row in rows.read(path, has_header):
        if first is None:
            first = row
            check_header(row)
        if not rows.is_json(path) and len(row.columns) != len(row.header or first.columns):
            expected = "as in the header" if row.header else f"as in line {first.number + 1}"
            raise InputError(
                f"{row.where}: {len(row.columns)} columns, expected {len(row.header or first.columns)} {expected}"
            )
        yield row


def cell(row: Row, column: str, flag: str) -> object:
    """A cell by the column's name, or by its number counted from 1. Raises InputError naming file, line and flag."""
    if column in row.header:
        return row[column]
    if re.fullmatch("[1-9][0-9]*", column) and not rows.is_json(row.path):
        return row[int(column) - 1]
    if not row.header and not rows.is_json(row.path):
        raise InputError(f"`{flag}` is '{column}', but with `header`=false columns have numbers, counted from 1")
    return row[column]  # raises what says which columns there are


def text_of(row: Row, column: str, flag: str) -> str:
    text = cell(row, column, flag)
    if not isinstance(text, str):
        raise InputError(f"{row.where}: '{column}' is {quoted(text)}, expected a text")
    return text


def check_header(row: Row) -> None:
    """Raises InputError for a column that the header names twice."""
    for name, count in collections.Counter(row.header).items():
        if name and count > 1:
            raise InputError(f"{row.path}:1: the header names '{name}' {count} times, expected once")


def check_unused(options: TableOptions, task: str) -> None:
    """Raises InputError for an option that only the table task knows."""
    for field in dataclasses.fields(TableOptions):
        value = getattr(options, field.name)
        if value != field.default:
            raise InputError(f"`{field.name}` is {value}, but only `task_name`=table reads it, not {task}")
