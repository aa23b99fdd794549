"""What benchmarks/quality.py fine-tunes and measures, and the table of it."""

import dataclasses
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence

PROGRAMS = ("ours", "transformers")


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned: where its files lie (a flag and a folder in it), what is measured, and what ours is told."""

    flag: str
    folder: str
    max_seq_length: int
    measures: tuple[str, ...]
    flags: Mapping[str, str]
    seeds: tuple[int, ...] = (1,)


TASKS = {
    "mrpc": Task("glue_dir", "MRPC", 128, ("accuracy", "f1"), {"task_name": "mrpc"}, seeds=(1, 2, 3)),
    "cola": Task("glue_dir", "CoLA", 64, ("matthews",), {"task_name": "cola"}),
    "sts-b": Task("glue_dir", "STS-B", 128, ("pearson", "spearman"), {"task_name": "sts-b"}),
    "banking77": Task(
        "banking77_dir",
        "",
        64,
        ("accuracy", "macro_f1"),
        {"task_name": "table", "label_column": "category", "dev_file": "test.csv"},
    ),
}
TITLES = {
    "mrpc": "MRPC",
    "cola": "CoLA",
    "sts-b": "STS-B",
    "banking77": "BANKING77",
    "accuracy": "accuracy",
    "f1": "F1",
    "macro_f1": "macro F1",
    "matthews": "Matthews",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One fine-tuning: a program, a task and a seed, which name its files in the work folder."""

    task: str
    seed: int
    program: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.seed}-{self.program}"


def all_runs(tasks: Sequence[str], programs: Sequence[str]) -> Iterator[Run]:
    """First seeds first, so that every task has a result early."""
    pairs = [(seed, name) for name in tasks for seed in TASKS[name].seeds]
    for seed, name in sorted(pairs, key=lambda pair: pair[0]):
        for program in programs:
            yield Run(name, seed, program)


def measure(name: str, gold: Sequence, predictions: Sequence) -> float:
    """A measure of labels by name, or of scores. F1 is of the second label in order."""
    from scipy import stats
    from sklearn import metrics

    measures = {
        "accuracy": metrics.accuracy_score,
        "f1": lambda gold, predictions: metrics.f1_score(gold, predictions, pos_label=sorted(set(gold))[1]),
        "macro_f1": lambda gold, predictions: metrics.f1_score(gold, predictions, average="macro"),
        "matthews": metrics.matthews_corrcoef,
        "pearson": lambda gold, predictions: stats.pearsonr(gold, predictions).statistic,
        "spearman": lambda gold, predictions: stats.spearmanr(gold, predictions).statistic,
    }
    return float(measures[name](gold, predictions))


def lines(results: Mapping[Run, dict]) -> list[list[str]]:
    """The table: a line a measure; seconds, which are of a run, stand in the first line of a task."""
    table = []
    for task in TASKS:
        sides = [[results[run] for run in all_runs([task], [program]) if run in results] for program in PROGRAMS]
        if not any(sides):
            continue
        costs = [cell for name in ("seconds", "cpu_seconds") for cell in cost(name, *sides)]
        for name in TASKS[task].measures:
            ours, theirs = ([result["measures"][name] for result in side] for side in sides)
            difference = f"{statistics.mean(ours) - statistics.mean(theirs):+.3f}" if ours and theirs else "-"
            table.append([TITLES[task], TITLES[name], spread(ours), spread(theirs), difference, *costs])
            costs = [""] * len(costs)
    return table


def spread(values: Sequence[float]) -> str:
    """Mean, standard deviation and the values themselves; a single value alone."""
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    each = ", ".join(f"{value:.3f}" for value in values)
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f} ({each})"


def cost(name: str, ours: Sequence[dict], theirs: Sequence[dict]) -> list[str]:
    """Mean seconds of a run of each program, and theirs over ours."""
    means = [statistics.mean(result[name] for result in side) if side else None for side in (ours, theirs)]
    cells = ["-" if mean is None else f"{mean:.0f}" for mean in means]
    return [*cells, "-" if None in means else f"{means[1] / means[0]:.2f}"]


def share_of_others(results: Mapping[Run, dict], program: str) -> str:
    """How busy the machine was with other programs meanwhile: of all that its processors could have done."""
    mine = [result for run, result in results.items() if run.program == program]
    possible = os.cpu_count() * sum(result["seconds"] for result in mine)
    return f"{sum(result['other_cpu_seconds'] for result in mine) / possible:.0%}" if mine else "-"


HEADER = (
    "task",
    "measure",
    "ours",
    "transformers",
    "difference",
    "wall s, ours",
    "wall s, transformers",
    "ratio",
    "CPU s, ours",
    "CPU s, transformers",
    "ratio",
)
