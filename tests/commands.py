"""Runs the commands as a user types them, in this process, and makes the files they need: a tiny model and records."""

import contextlib
import importlib
import io
import json
import pathlib
from typing import NamedTuple

import numpy as np

from bert import cli, records
from bert.records import parsing

TESTS = pathlib.Path(__file__).parent
VOCABULARY = TESTS / "golden" / "vocab_small.txt"

TINY = {
    "vocab_size": 473,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 128,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
}


class Outcome(NamedTuple):
    """What a user sees of a command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The one line of an error, without its opening; asserts that it is one line, the last, and no traceback."""
        assert self.status == 1, self.stderr
        assert self.stdout == ""
        assert "Traceback" not in self.stderr
        lines = self.stderr.splitlines()
        assert [line.startswith("error: ") for line in lines].count(True) == 1
        return lines[-1].removeprefix("error: ")


def run(script: str, /, *arguments: str, **flags: object) -> Outcome:
    """`python SCRIPT.py ARGUMENTS --flag=value...` without a new process, which would import TensorFlow anew."""
    module = importlib.import_module(script)
    argv = [f"{script}.py", *arguments, *(f"--{name}={value}" for name, value in flags.items())]
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            cli.run(module.Settings, module.main, argv)
        except SystemExit as end:
            status = end.code
    return Outcome(status, stdout.getvalue(), stderr.getvalue())


def write_config(folder: pathlib.Path, **changes: object) -> str:
    """Writes a `bert_config.json` of the tiny model into the folder; a change to None leaves the key out."""
    values = {name: value for name, value in {**TINY, **changes}.items() if value is not None}
    path = folder / "bert_config.json"
    path.write_text(json.dumps(values))
    return str(path)


def golden_rows(name: str) -> list[dict]:
    """The records of a run of create_pretraining_data in tests/golden, as dicts of lists."""
    lines = (TESTS / "golden" / "pretraining" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def write_records(path: pathlib.Path, rows: list[dict], kind: records.RecordKind = records.PRETRAINING) -> str:
    batches = ({name: np.array([values]) for name, values in row.items()} for row in rows)
    records.write_rows(str(path), kind, batches)
    return str(path)


def read_records(path: pathlib.Path | str) -> list[dict[str, list]]:
    """The records of a file as dicts of lists, of any kind."""
    return [parsing.values_of(record) for record in records.read(str(path))]


def listing(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file in a folder with what is in it; empty if there is no such folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results(folder: pathlib.Path) -> dict[str, str]:
    """The lines of eval_results.txt, in their order."""
    lines = (folder / "eval_results.txt").read_text().splitlines()
    return dict(line.split(" = ") for line in lines)
