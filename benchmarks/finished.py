"""Finished cells of a benchmark, a line of JSON each, so that what was stopped goes on where it was."""

import json
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from bert import files
from bert.errors import InputError

Kept = TypeVar("Kept", bound=NamedTuple)


def read(path: pathlib.Path, kind: type[Kept]) -> dict[Kept, dict[str, float]]:
    """The measures of the finished cells of a kind. A last line that was cut off counts as not finished.

    Raises InputError for a file of another kind.
    """
    if not path.exists():
        return {}
    found = {}
    content = path.read_text(encoding="utf-8")
    for number, line in enumerate(content.split("\n")[:-1], start=1):
        values = files.parse_json(line, str(path), number)
        if not isinstance(values, dict) or not {*kind._fields, "measures"} <= values.keys():
            raise InputError(f"{path}:{number}: expected an object with {', '.join(kind._fields)} and measures")
        found[kind(*(values[name] for name in kind._fields))] = values["measures"]
    return found


def add(path: pathlib.Path, cell: NamedTuple, measures: Mapping[str, float]) -> None:
    """Adds a finished cell; a line that was cut off by a crash is dropped."""
    content = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = content[: content.rfind("\n") + 1]
    line = json.dumps({**cell._asdict(), "measures": dict(measures)}, ensure_ascii=False)
    files.write_text(str(path), f"{whole}{line}\n")


def seeds(listed: str) -> list[int]:
    """Those that `--seeds` lists. Raises InputError for what is no number."""
    for seed in listed.split(","):
        if not seed.isdecimal():
            raise InputError(f"--seeds has '{seed}', expected numbers separated by commas")
    return [int(seed) for seed in listed.split(",")]


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation (n - 1) of several values; one alone has no spread."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
