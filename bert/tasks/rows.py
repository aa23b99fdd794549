"""Rows of tab-separated, comma-separated and JSON-lines files, each with its file and line for messages.

A name that ends in `.gz` is unpacked on the way.
"""

import csv
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bert import files
from bert.errors import InputError, quoted

FIELD_LIMIT = 131072  # characters; longer ones mean a damaged file to the original too (docs/parity.md 2)

Reader = Callable[[str], Iterator[tuple[int, list[str]]] | Iterator[tuple[int, Mapping]]]


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a file. `row[3]` is a column by number, `row["text"]` by its name in the header.

    `number` counts the lines of the file from 0, header included, as the guids of the original do (docs/parity.md 8).
    A column that is not there is an InputError naming file and line.
    """

    path: str
    number: int
    columns: Sequence[Any]
    header: Sequence[str] = ()

    @property
    def where(self) -> str:
        return f"{self.path}:{self.number + 1}"

    def __getitem__(self, column: int | str) -> Any:
        if isinstance(column, str):
            if column not in self.header:
                found = ", ".join(self.header) or "nothing"
                if is_json(self.path):
                    raise InputError(f"{self.where}: no key '{column}', expected it beside {found}")
                raise InputError(f"{self.path}:1: no column '{column}', the header has: {found}")
            column = self.header.index(column)
        try:
            return self.columns[column]
        except IndexError:
            needed = column + 1 if column >= 0 else -column
            raise InputError(
                f"{self.where}: too short: {len(self.columns)} columns, expected at least {needed}"
            ) from None


def format_of(path: str) -> str:
    """tsv, csv or jsonl, by the name of the file; every other name is taken for tsv."""
    ending = path.removesuffix(".gz").rpartition(".")[2]
    return {"csv": "csv", "jsonl": "jsonl", "json": "jsonl"}.get(ending, "tsv")


def is_json(path: str) -> bool:
    return format_of(path) == "jsonl"


def read(path: str, has_header: bool, keep_empty: bool = False) -> Iterator[Row]:
    """Yields the rows of a file in the format of its name; `has_header` counts where there can be a header.

    Raises InputError with file and line for an empty line that is not the last, for a field of more than 131072
    characters, and for what is no JSON object. With `keep_empty` an empty line of a TSV file is a row of one column.
    """
    readers: dict[str, Reader] = {
        "tsv": functools.partial(read_tsv, keep_empty=keep_empty),
        "csv": read_csv,
        "jsonl": read_jsonl,
    }
    lines = readers[format_of(path)](path)
    header: Sequence[str] = ()
    for number, columns in lines:
        if isinstance(columns, Mapping):
            yield Row(path, number, tuple(columns.values()), tuple(columns))
        elif has_header and not header:
            header = [name.strip() for name in columns]
        else:
            yield Row(path, number, columns, header)


def read_tsv(path: str, keep_empty: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yields (number, columns) of each line; quotes are text (docs/parity.md 8), an empty last line is no row."""
    for number, line in enumerate(files.read_lines(path)) if keep_empty else filled_lines(path):
        columns = line.split("\t")
        if len(line) > FIELD_LIMIT and max(map(len, columns)) > FIELD_LIMIT:
            size = max(map(len, columns))
            raise InputError(f"{path}:{number + 1}: a field of {size} characters, expected at most {FIELD_LIMIT}")
        yield number, columns


def read_csv(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yields (number, columns) of each record, with the number of its first line; a quoted field may have several."""
    reader = csv.reader((line + "\n" for line in files.read_lines(path)), strict=True)
    number = 0
    try:
        for columns in reader:
            if columns:  # an empty line is none
                yield number, columns
            number = reader.line_num
    except csv.Error as error:
        raise InputError(f"{path}:{number + 1}: not CSV: {error}") from None


def read_jsonl(path: str) -> Iterator[tuple[int, Mapping]]:
    """Yields (number, object) of each line."""
    for number, line in filled_lines(path):
        # Half of a surrogate pair is no character: what is written of it would fail.
        values = files.parse_json(line, path, number + 1)
        if not isinstance(values, dict):
            raise InputError(f"{path}:{number + 1}: found {quoted(line)}, expected a JSON object")
        yield number, values


def filled_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yields (number, line), counted from 0; an empty last line is none. Raises InputError for any other empty one."""
    blank = None
    for number, line in enumerate(files.read_lines(path)):
        if blank is not None:
            raise InputError(f"{path}:{blank + 1}: empty line, expected a row")
        if line:
            yield number, line
        else:
            blank = number
