"""The side-car: a JSON file beside a record file that says how it was made.

`NAME.json` stands beside `NAME`. Readers compare it with their flags before the first step, so that records of
another length, vocabulary or casing are found at once. A record file without one is read as before.
"""

import json
from collections.abc import Iterable, Mapping

from bert import files
from bert.errors import InputError

# What readers rely on; the writers of records put further keys in.
_SCHEMA = {
    "kind?": str,
    "version?": str,
    "max_seq_length?": int,
    "max_predictions_per_seq?": int,
    "do_lower_case?": bool,
    "vocab_size?": int,
    "vocab_sha256?": str,
    "masking?": dict,
    "records?": (int, None),
    "counts?": dict,
    "inputs?": dict,
    "flags?": dict,
    "shard?": dict,
}


def path_of(record_path: str) -> str:
    """Where the side-car of a record file lies."""
    return f"{record_path}.json"


def write(record_path: str, values: Mapping) -> None:
    """Writes the side-car of a record file; equal values give equal bytes."""
    files.write_text(path_of(record_path), json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def remove(record_path: str) -> None:
    """Deletes the side-car of a record file, if there is one."""
    if files.exists(path_of(record_path)):
        files.remove(path_of(record_path))


def read(record_path: str) -> dict | None:
    """The values of a record file's side-car, None if there is none. Raises InputError for one that is damaged
    or has values of other types than are written."""
    path = path_of(record_path)
    if not files.exists(path):
        return None
    return dict(files.checked(files.read_json(path), _SCHEMA, path))


def check(record_paths: Iterable[str], expected: Mapping[str, object]) -> None:
    """Raises InputError, with both values, if a side-car disagrees with what a reader expects.

    Args:
      record_paths: the record files to be read; those without a side-car pass.
      expected: key of the side-car (`max_seq_length`, `vocab_sha256`...) -> value. A key it lacks passes.
    """
    for path in record_paths:
        values = read(path) or {}
        for key, value in expected.items():
            if key in values and values[key] != value:
                raise InputError(f"{path}: was made with {key} {values[key]} (see {path_of(path)}), expected {value}")


def without_side_cars(paths: Iterable[str]) -> list[str]:
    """Drops the side-cars that a glob such as `data/*` found together with their record files."""
    paths = list(paths)
    side_cars = {path_of(path) for path in paths}
    return [path for path in paths if path not in side_cars]
