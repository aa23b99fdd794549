"""The results of examples.chinese.downstream: a line for each finished cell, and the table of them."""

import json
import pathlib
import statistics
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from bert import files
from bert.errors import InputError
from examples.chinese.tasks import TASKS

TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "f1": "F1",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "precision": "precision",
    "recall": "recall",
}


class Cell(NamedTuple):
    """A model, a task, a seed, and from how many rows it is learned (0: all): one fine-tuning."""

    model: str
    task: str
    seed: int
    train_rows: int

    @property
    def name(self) -> str:
        rows = f"-{self.train_rows}" if self.train_rows else ""
        return f"{self.model}-{self.task}-{self.seed}{rows}"


Kept = TypeVar("Kept", bound=NamedTuple)


def read(path: pathlib.Path, kind: type[Kept] = Cell) -> dict[Kept, dict[str, float]]:
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


def table(found: Mapping[Cell, Mapping[str, float]], train_rows: int = 0) -> Iterator[str]:
    """A block for each task: a row for each model, its measures as mean ± standard deviation over the seeds."""
    cells = [cell for cell in found if cell.train_rows == train_rows]
    for name, task in TASKS.items():
        models = list(dict.fromkeys(cell.model for cell in cells if cell.task == name))
        if not models:
            continue
        yield f"\n### {task.title}" + (f", {train_rows} rows to train" if train_rows else "") + "\n"
        yield "| model | seeds | " + " | ".join(TITLES[measure] for measure in task.measures) + " | seconds |"
        yield "|---|---:|" + "---:|" * (len(task.measures) + 1)
        for model in models:
            rows = [found[cell] for cell in cells if (cell.model, cell.task) == (model, name)]
            values = [spread([row[measure] for row in rows]) for measure in task.measures]
            seconds = statistics.mean(row["seconds"] for row in rows)
            yield f"| {model} | {len(rows)} | " + " | ".join(values) + f" | {seconds:.0f} |"


def spread(values: list[float]) -> str:
    """Mean ± standard deviation (n - 1) of several values; one alone has no spread."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
