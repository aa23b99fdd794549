"""What a row of a predictor may be, and what is said of one that is none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from bert.errors import InputError, shown

Example = TypeVar("Example")

NAMED = 3  # bad rows that a message names; the others are counted


def read_all(
    rows: Iterable[object], read: Callable[[object], Example], place: str = "rows[{}]", start: int = 0
) -> list[Example]:
    """Reads every row. Raises one InputError for all bad ones, each named by `place` with its number, from `start` on;
    of many the first."""
    examples, faults = [], []
    for number, row in enumerate(rows, start):
        try:
            examples.append(read(row))
        except InputError as error:
            faults.append(f"{place.format(number)}: {error}")
    if faults:
        more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise InputError("; ".join(faults[:NAMED]) + more)
    return examples


def read_pair(row: object, names: tuple[str, str], needs_second: bool = False) -> tuple[str, str | None]:
    """A row of one or two texts: a text, a pair, or a dict with these names; the second may be None or left out.

    Raises InputError for everything else, and, where it `needs_second`, for a row without it.
    """
    expected = _expected(names, needs_second)
    texts: Sequence[object] = ()
    if isinstance(row, str):
        texts = row, None
    elif isinstance(row, Mapping):
        check_names(row, names, expected)
        texts = row.get(names[0]), row.get(names[1])
    elif isinstance(row, Sequence) and not isinstance(row, bytes):
        texts = row
    if len(texts) == 2:
        first, second = texts
        if isinstance(first, str) and (isinstance(second, str) or (second is None and not needs_second)):
            return first, second
    raise InputError(f"found {shown(row)}, expected {expected}")


def check_names(row: Mapping, names: Sequence[str], expected: str) -> None:
    """Raises InputError for a dict with another name than these."""
    unknown = next((name for name in row if name not in names), None)
    if unknown is not None:
        raise InputError(f"found the field {shown(unknown)}, expected {expected}")


def _expected(names: tuple[str, str], needs_second: bool) -> str:
    if needs_second:
        return f'a pair of texts ({names[0]}, {names[1]}), or {{"{names[0]}": ..., "{names[1]}": ...}}'
    return f'a text, a pair of texts, or {{"{names[0]}": ..., "{names[1]}": ...}}'
