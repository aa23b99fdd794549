"""Folders of task files, and what reading bad ones says."""

import gzip
import json
import pathlib

import pytest

from bert.errors import InputError
from bert.options.tables import TableOptions
from bert.tasks.table import Table


def write(folder: pathlib.Path, contents: dict[str, str]) -> str:
    """Writes files, {"train.tsv": "...", ...}, packed if the name ends in .gz; returns the folder's path."""
    for name, text in contents.items():
        data = text.encode("utf-8")
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(folder)


def jsonl(*labels: object) -> str:
    return "".join(json.dumps({"text": "t", "label": label}) + "\n" for label in labels)


def tsv(*labels: str) -> str:
    return "text\tlabel\n" + "".join(f"t\t{label}\n" for label in labels)


def task(**options) -> Table:
    return Table(TableOptions(**options))


def refused(call, *arguments) -> str:
    """The one line of the InputError that the call raises."""
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)
