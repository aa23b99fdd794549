"""What benchmarks/quality.py fine-tunes and measures, and the table of it."""

import dataclasses
import itertools
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks import finished
from benchmarks.quality_programs import PROGRAMS


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned: where its files lie (a flag and a folder in it), what is measured, the measure first by which a
    rate is the best, what ours is told, by which flag the model is given, and whether the peer can learn it."""

    flag: str
    folder: str
    max_seq_length: int
    measures: tuple[str, ...]
    flags: Mapping[str, str]
    model: str = "model_dir"
    has_peer: bool = True


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
        has_peer=False,
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
OURS = ("ours", "uncorrected")
COSTS = ("wall s, ours", "wall s, transformers", "ratio", "CPU s, ours", "CPU s, transformers", "ratio")


class Run(NamedTuple):
    """One fine-tuning, and all that has to be the same for two of them to be compared."""

    task: str
    rate: float
    seed: int
    program: str
    epochs: float
    batch_size: int
    model: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.rate:g}-{self.seed}-{self.program}"


Results = Mapping[Run, Mapping[str, float]]


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


def programs_of(results: Results) -> list[str]:
    """Those that have a result, in the order in which they are known."""
    return [program for program in PROGRAMS if any(run.program == program for run in results)]


def by_rate(results: Results) -> list[list[str]]:
    """A header, and a line for each task, measure and rate: what each program reached."""
    programs = programs_of(results)
    table = [["task", "measure", "learning rate", *programs]]
    for task in TASKS:
        rates = sorted({run.rate for run in results if run.task == task})
        for name, rate in itertools.product(TASKS[task].measures, rates):
            cells = [spread(values(results, task, program, rate, name)) for program in programs]
            table.append([TITLES[task], TITLES[name], f"{rate:g}", *cells])
    return table


def at_the_best_rate(results: Results) -> list[list[str]]:
    """A header, and a line for each task and measure: each program at its best rate of so many; how far ours, with
    either setting of Adam, is above transformers by the seeds that both have; seconds, which are of a run of any rate,
    in the first line of a task."""
    programs = programs_of(results)
    table = [["task", "measure", *programs, *(f"{program} above transformers" for program in OURS), *COSTS]]
    for task in TASKS:
        best = {program: best_rate(results, task, program) for program in programs}
        best = {program: rate for program, rate in best.items() if rate is not None}
        if not best:
            continue
        counts = {program: len(rates_of(results, task, program)) for program in programs}
        costs = [cell for name in ("seconds", "cpu_seconds") for cell in cost(name, results, task)]
        for name in TASKS[task].measures:
            found = {program: values(results, task, program, rate, name) for program, rate in best.items()}
            cells = [
                f"{best[each]:g} of {counts[each]}: {spread(found[each])}" if each in best else "-" for each in programs
            ]
            table.append([TITLES[task], TITLES[name], *cells, *(above(found, program) for program in OURS), *costs])
            costs = [""] * len(costs)
    return table


def above(found: Mapping[str, Mapping[int, float]], program: str) -> str:
    """The mean difference of a program and transformers over the seeds that both have."""
    mine, theirs = found.get(program, {}), found.get("transformers", {})
    shared = mine.keys() & theirs.keys()
    return f"{statistics.mean(mine[seed] - theirs[seed] for seed in shared):+.3f}" if shared else "-"


def values(results: Results, task: str, program: str, rate: float, name: str) -> dict[int, float]:
    """A measure by seed, in order."""
    runs = [run for run in results if (run.task, run.program, run.rate) == (task, program, rate)]
    return {run.seed: results[run][name] for run in sorted(runs, key=lambda run: run.seed)}


def rates_of(results: Results, task: str, program: str) -> list[float]:
    return sorted({run.rate for run in results if (run.task, run.program) == (task, program)})


def best_rate(results: Results, task: str, program: str) -> float | None:
    """The rate of the highest mean of the task's first measure, over the seeds that every rate has where there are
    some: one seed of a rate is no match for the mean of three. None where there is no result."""
    first = TASKS[task].measures[0]
    found = {rate: values(results, task, program, rate, first) for rate in rates_of(results, task, program)}
    shared = set.intersection(*map(set, found.values())) if found else set()
    means = {rate: statistics.mean(by_seed[seed] for seed in shared or by_seed) for rate, by_seed in found.items()}
    return max(means, key=means.__getitem__, default=None)


def spread(found: Mapping[int, float]) -> str:
    """Mean, standard deviation and the values themselves; a single value alone."""
    if not found:
        return "-"
    each = ", ".join(f"{value:.3f}" for value in found.values())
    return finished.spread([*found.values()]) + (f" ({each})" if len(found) > 1 else "")


def cost(name: str, results: Results, task: str) -> list[str]:
    """Mean seconds of a run of ours, of one of transformers, and theirs over ours."""
    sides = [
        [result[name] for run, result in results.items() if (run.task, run.program) == (task, program)]
        for program in ("ours", "transformers")
    ]
    means = [statistics.mean(side) if side else None for side in sides]
    cells = ["-" if mean is None else f"{mean:.0f}" for mean in means]
    return [*cells, "-" if None in means else f"{means[1] / means[0]:.2f}"]


def share_of_others(results: Results, program: str) -> str:
    """How busy the machine was with other programs meanwhile: of all that its processors could have done."""
    mine = [result for run, result in results.items() if run.program == program]
    possible = os.cpu_count() * sum(result["seconds"] for result in mine)
    return f"{sum(result['other_cpu_seconds'] for result in mine) / possible:.0%}"
