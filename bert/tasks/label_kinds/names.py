"""Labels as they are written: what a cell names, and how a message lists them."""

import itertools
import math
from collections.abc import Collection

from bert.errors import InputError, quoted


def as_number(label: object) -> float | None:
    """The finite number that a label is or writes, None if it is another thing."""
    try:
        is_python_only = isinstance(label, bool) or (isinstance(label, str) and "_" in label)
        # Whatever float takes is welcome, and what it does not take is caught.
        number = None if is_python_only else float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):  # the last: an integer of hundreds of digits
        return None
    return number if number is not None and math.isfinite(number) else None


def class_name(value: object, where: str) -> str:
    """The class a cell or an entry of a list names. Raises InputError for one that names none."""
    if isinstance(value, (list, dict)):
        raise InputError(f"{where}: the label is {quoted(value)}, expected the name of one class")
    name = "" if value is None else str(value).strip()
    if not name:
        raise InputError(f"{where}: the label is empty, expected the name of a class")
    return name


def listed(labels: Collection[str]) -> str:
    """Labels for a message; of hundreds only the first ten."""
    return ", ".join(itertools.islice(labels, 10)) + (f" ... ({len(labels)} labels)" if len(labels) > 10 else "")
