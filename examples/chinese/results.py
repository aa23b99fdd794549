"""The results of examples.chinese.downstream: what a cell is, and the table of them."""

import statistics
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.finished import spread
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
