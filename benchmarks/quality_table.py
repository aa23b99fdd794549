"""What benchmarks/quality.py fine-tunes and measures, and the table of it."""

import dataclasses
import itertools
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence

from benchmarks import finished

PROGRAMS = ("ours", "uncorrected", "transformers")


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned: where its files lie (a flag and a folder in it), what is measured, the measure first by which a
    rate is the best, what ours is told, by which flag the model is given, and who can learn it."""

    flag: str
    folder: str
    max_seq_length: int
    measures: tuple[str, ...]
    flags: Mapping[str, str]
    model: str = "model_dir"
    programs: tuple[str, ...] = PROGRAMS


TASKS = {
    "mrpc": Task("glue_dir", "MRPC", 128, ("accuracy", "f1"), {"task_name": "mrpc"}),
    "cola": Task("glue_dir", "CoLA", 64, ("matthews",), {"task_name": "cola"}),
    "sts-b": Task("glue_dir", "STS-B", 128, ("pearson", "spearman"), {"task_name": "sts-b"}),
    "banking77": Task(
        "banking77_dir",
        "",
        64,
        ("accuracy", "macro_f1"),
        {"task_name": "table", "label_column": "category", "dev_file": "test.csv"},
    ),
    "tnews": Task(
        "tnews_dir",
        "",
        64,
        ("accuracy", "macro_f1"),
        {"task_name": "tnews"},
        model="chinese_model_dir",
        programs=("ours", "uncorrected"),
    ),
}
TITLES = {
    "mrpc": "MRPC",
    "cola": "CoLA",
    "sts-b": "STS-B",
    "banking77": "BANKING77",
    "tnews": "TNEWS",
    "accuracy": "accuracy",
    "f1": "F1",
    "macro_f1": "macro F1",
    "matthews": "Matthews",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One fine-tuning: a task, a learning rate, a seed and a program, which name its files in the work folder."""

    task: str
    rate: float
    seed: int
    program: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.rate:g}-{self.seed}-{self.program}"


def all_runs(
    tasks: Sequence[str], rates: Sequence[float], seeds: Sequence[int], programs: Sequence[str]
) -> Iterator[Run]:
    """First seeds first, so that every task has a result early."""
    for seed, task, rate in itertools.product(seeds, tasks, rates):
        for program in programs:
            if program in TASKS[task].programs:
                yield Run(task, rate, seed, program)


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


def by_rate(results: Mapping[Run, dict]) -> list[list[str]]:
    """A line for each task, measure and rate: what each program reached."""
    table = []
    for task in TASKS:
        rates = sorted({run.rate for run in results if run.task == task})
        for name, rate in itertools.product(TASKS[task].measures, rates):
            cells = [spread(values(results, task, program, rate, name)) for program in PROGRAMS]
            table.append([TITLES[task], TITLES[name], f"{rate:g}", *cells])
    return table


def at_the_best_rate(results: Mapping[Run, dict]) -> list[list[str]]:
    """A line for each task and measure: each program at the rate of its best mean; how far `ours`, which tries as many,
    is above transformers; seconds, which are of a run of any rate, in the first line of a task."""
    table = []
    for task in TASKS:
        best = {program: best_rate(results, task, program) for program in PROGRAMS}
        best = {program: rate for program, rate in best.items() if rate is not None}
        if not best:
            continue
        costs = [cell for name in ("seconds", "cpu_seconds") for cell in cost(name, results, task)]
        for name in TASKS[task].measures:
            found = {program: values(results, task, program, rate, name) for program, rate in best.items()}
            sides = [found[program] for program in ("ours", "transformers") if program in found]
            difference = f"{statistics.mean(sides[0]) - statistics.mean(sides[1]):+.3f}" if len(sides) == 2 else "-"
            cells = [f"{best[each]:g}: {spread(found[each])}" if each in found else "-" for each in PROGRAMS]
            table.append([TITLES[task], TITLES[name], *cells, difference, *costs])
            costs = [""] * len(costs)
    return table


def values(results: Mapping[Run, dict], task: str, program: str, rate: float, name: str) -> list[float]:
    """A measure of all seeds, in their order."""
    runs = [run for run in results if (run.task, run.program, run.rate) == (task, program, rate)]
    return [results[run]["measures"][name] for run in sorted(runs, key=lambda run: run.seed)]


def best_rate(results: Mapping[Run, dict], task: str, program: str) -> float | None:
    """The rate of the highest mean of the task's first measure; None where there is no result."""
    rates = sorted({run.rate for run in results if (run.task, run.program) == (task, program)})
    first = TASKS[task].measures[0]
    means = {rate: statistics.mean(values(results, task, program, rate, first)) for rate in rates}
    return max(means, key=means.__getitem__, default=None)


def spread(values: Sequence[float]) -> str:
    """Mean, standard deviation and the values themselves; a single value alone."""
    if not values:
        return "-"
    each = ", ".join(f"{value:.3f}" for value in values)
    return finished.spread(values) + (f" ({each})" if len(values) > 1 else "")


def cost(name: str, results: Mapping[Run, dict], task: str) -> list[str]:
    """Mean seconds of a run of ours, of one of transformers, and theirs over ours."""
    sides = [
        [result[name] for run, result in results.items() if (run.task, run.program) == (task, program)]
        for program in ("ours", "transformers")
    ]
    means = [statistics.mean(side) if side else None for side in sides]
    cells = ["-" if mean is None else f"{mean:.0f}" for mean in means]
    return [*cells, "-" if None in means else f"{means[1] / means[0]:.2f}"]


def share_of_others(results: Mapping[Run, dict], program: str) -> str:
    """How busy the machine was with other programs meanwhile: of all that its processors could have done."""
    mine = [result for run, result in results.items() if run.program == program]
    possible = os.cpu_count() * sum(result["seconds"] for result in mine)
    return f"{sum(result['other_cpu_seconds'] for result in mine) / possible:.0%}" if mine else "-"


HEADER = ("task", "measure", "learning rate", *PROGRAMS)
BEST_HEADER = (
    "task",
    "measure",
    *PROGRAMS,
    "difference",
    "wall s, ours",
    "wall s, transformers",
    "ratio",
    "CPU s, ours",
    "CPU s, transformers",
    "ratio",
)
