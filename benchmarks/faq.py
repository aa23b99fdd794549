"""How well questions are answered, by similarity and by intent: BERT beside what it is compared with.

    python -m benchmarks.faq --work_dir=faq_results --afqmc_dir=afqmc --mrpc_dir=$GLUE_DIR/MRPC \\
        --banking77_dir=banking77 --tnews_dir=tnews --english_model=minilm --chinese_model=chinese_output/model

A table a task. Its rows learn from the same rows, with the same WordPieces, epochs, batches and number of learning
rates that are tried: each trial is a run with the first seed, the best one by the tuning rows (a tenth of the training
set) stands, and only it is run with the other seeds. A model is a folder with config and vocabulary, like a Google
download or of Hugging Face; without weights in it the row of the pre-trained BERT is left out, and without the folder
all tasks of that language.

A finished run is a line in --work_dir/results.jsonl and is not run again, so what was stopped goes on with the same
command, and --tasks, --rows, --seeds, --trials, --epochs, --train_rows and --test_rows make it fit a time.
"""

import collections
import dataclasses
import importlib.metadata
import pathlib
import re
import shutil
import statistics
import sys
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import faq_data, faq_rows, finished
from benchmarks.faq_data import TASKS, Draw, Task
from benchmarks.faq_rows import ROWS, Model, Row
from benchmarks.processes import timed, typed
from benchmarks.tables import machine, print_table, tell
from bert import cli, files, flags
from bert.errors import InputError
from bert.options import option, required


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    work_dir: str = required("Folder for results.jsonl, the tables, the logs, and while they are needed the models.")
    afqmc_dir: str = option("", "AFQMC's folder (CLUE); without it its tasks are not run.")
    mrpc_dir: str = option("", "MRPC's folder (GLUE); without it its task is not run.")
    banking77_dir: str = option("", "BANKING77's folder; without it its tasks are not run.")
    tnews_dir: str = option("", "TNEWS's folder (CLUE); without it its task is not run.")
    english_model: str = option("", "Folder of an English BERT; without it no English task is run.")
    chinese_model: str = option("", "Folder of a Chinese BERT; without it no Chinese task is run.")
    tasks: str = option(",".join(TASKS), "What to learn: all or some of these.")
    rows: str = option(",".join(ROWS), "What to compare: all or some of these; empty: run none, only print the tables.")
    seeds: str = option("1,2,3", "Seeds, comma-separated; the first one chooses the learning rates.")
    trials: int = option(3, "Learning rates to try, of each row the likeliest, at most 3.")
    epochs: float = option(0.0, "How often training sees every row; 0: as often as each task has it.")
    train_rows: int = option(0, "Learn from so many rows, drawn once; 0: from all.")
    test_rows: int = option(0, "Judge by so many rows, drawn once; 0: by all.")

    def check(self) -> None:
        for name, known in (("tasks", TASKS), ("rows", ROWS)):
            for part in filter(None, getattr(self, name).split(",")):
                if part not in known:
                    raise InputError(f"--{name} has '{part}', expected some of {','.join(known)}")
        finished.seeds(self.seeds)
        flags.check_positive(self, "trials")
        for name in ("epochs", "train_rows", "test_rows"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name} is {getattr(self, name)}, expected 0 or more")
        for name in ("english_model", "chinese_model"):
            if getattr(self, name):
                Model(getattr(self, name)).check(f"--{name}")

    def model(self, task: Task) -> Model:
        return Model(getattr(self, f"{task.language}_model"))


class Cell(NamedTuple):
    """A run: what is learned by what, and all that has to be the same for two of them to be compared."""

    task: str
    row: str
    rate: float
    seed: int
    epochs: float
    train_rows: int
    test_rows: int
    model: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.row}-{self.rate:g}-{self.seed}"


class Bench:
    """The flags, the work folder, what is finished, and how to run what is not."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.work_dir = pathlib.Path(settings.work_dir)
        files.make_folder(settings.work_dir)
        self.path = self.work_dir / "results.jsonl"
        self.found = finished.read(self.path, Cell)
        self.tasks = [TASKS[name] for name in settings.tasks.split(",") if name and self._can_run(TASKS[name])]
        self.rows = [ROWS[name] for name in settings.rows.split(",") if name]
        self.seeds = finished.seeds(settings.seeds)

    def _can_run(self, task: Task) -> bool:
        for flag in (task.flag, f"{task.language}_model"):
            if not getattr(self.settings, flag):
                tell(f"{task.name}: left out, --{flag} is not given")
                return False
        return True

    def cell(self, task: Task, row: Row, rate: float, seed: int) -> Cell:
        settings = self.settings
        fingerprint = settings.model(task).fingerprint(row)
        epochs = settings.epochs or float(task.epochs)
        return Cell(task.name, row.name, rate, seed, epochs, settings.train_rows, settings.test_rows, fingerprint)

    def trials(self, task: Task, row: Row) -> list[Cell]:
        """The runs that choose the learning rate. BM25 has nothing to choose."""
        count = 1 if self.is_plain_search(task, row) else self.settings.trials
        return [self.cell(task, row, rate, self.seeds[0]) for rate in row.rates_in(task)[:count]]

    @staticmethod
    def is_plain_search(task: Task, row: Row) -> bool:
        return task.is_retrieval and row.name == faq_rows.WORDS

    def chosen(self, task: Task, row: Row) -> list[Cell]:
        """The cells of the table: with every seed the rate that was best on the tuning rows, of those that are done."""
        trials = [cell for cell in self.trials(task, row) if cell in self.found]
        if not trials:
            return []
        best = max(trials, key=lambda cell: self.found[cell]["tuning"])
        # Words are counted alike with every seed.
        return [best._replace(seed=seed) for seed in (self.seeds[:1] if row.name == faq_rows.WORDS else self.seeds)]

    def cells(self) -> Iterator[Cell]:
        """What is to be run, in this order: the trials of all, then the other seeds of the best ones."""
        pairs = [(task, row) for task in self.tasks for row in self.rows if self._has_weights(task, row)]
        for task, row in pairs:
            yield from self.trials(task, row)
        for place in range(1, len(self.seeds)):
            for task, row in pairs:
                yield from self.chosen(task, row)[place : place + 1]

    def _has_weights(self, task: Task, row: Row) -> bool:
        if not row.starts_trained or self.settings.model(task).weights:
            return True
        tell(f"{task.name}: {row.title} left out, {self.settings.model(task).folder} has no weights")
        return False

    def run(self, cell: Cell) -> None:
        """Runs it and keeps what it reached. Raises InputError with the last line of its log when it fails."""
        task, settings = TASKS[cell.task], self.settings
        draw = Draw(task.source, getattr(settings, task.flag), cell.train_rows, cell.test_rows)
        data = self.work_dir / "data" / f"{task.name}-{cell.train_rows}-{cell.test_rows}"
        faq_data.write(task, draw, data)
        output, log = self.work_dir / cell.name, self.work_dir / f"{cell.name}.log"
        shutil.rmtree(output, ignore_errors=True)  # of a run that was stopped: its seconds are lost
        argv = faq_rows.command(
            task, ROWS[cell.row], settings.model(task), data, output, cell.rate, cell.epochs, cell.seed
        )
        tell(typed(["python", *argv]))
        took = timed([sys.executable, *argv], str(log))
        told = re.search(r"Model: ([\d,]+) parameters", log.read_text(encoding="utf-8"))
        parameters = float(told[1].replace(",", "")) if told else 0.0
        measures = {**faq_rows.measured(task, data, output), **took, "parameters": parameters}
        finished.add(self.path, cell, measures)
        self.found[cell] = measures
        shutil.rmtree(output)  # the weights of all runs together would fill a disk
        tell(", ".join(f"{name} {value:.4g}" for name, value in measures.items()))

    def print_tables(self) -> None:
        for task in self.tasks:
            lines = [self._line(task, row) for row in self.rows or ROWS.values()]
            lines = [line for line in lines if line]
            if lines:
                header = ["row", "learning rate", "seeds", *(TITLES[name] for name in task.measures), *COSTS]
                print_table(self._title(task), header, lines)

    def _title(self, task: Task) -> str:
        settings, epochs = self.settings, self.settings.epochs or float(task.epochs)
        parts = [f"{settings.train_rows or 'all'} rows to learn from", f"{settings.test_rows or 'all'} to judge by"]
        parts += [f"{epochs:g} epochs", f"batches of {task.train_batch_size}", f"{task.max_seq_length} WordPieces"]
        return f"{task.title}: {', '.join(parts)}"

    def _line(self, task: Task, row: Row) -> list[str]:
        own = [cell for cell in self.chosen(task, row) if cell in self.found]
        if not own:
            return []
        values = collections.defaultdict(list)
        for cell in own:
            for name, value in self.found[cell].items():
                values[name].append(value)
        shown = [finished.spread(values[name]) if values[name] else "-" for name in task.measures]
        costs = [f"{statistics.mean(values[name]):.0f}" for name in ("seconds", "cpu_seconds")]
        trials = [cell for cell in self.trials(task, row) if cell in self.found]
        tuned = f"{own[0].rate:g}, best of {len(trials)}" if len(trials) > 1 else f"{own[0].rate:g}"
        if self.is_plain_search(task, row):
            tuned = "-"
        return [row.title_in(task), tuned, str(len(own)), *shown, f"{values['parameters'][0] / 1e6:.1f}", *costs]


TITLES = {
    "f1": "F1 of label 1",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "head": "head",
    "middle": "middle",
    "tail": "tail",
    "hit_at_1": "hit@1",
    "mrr_at_10": "MRR@10",
}
COSTS = ("million parameters", "wall s", "CPU s")


def main(settings: Settings) -> None:
    bench = Bench(settings)
    for cell in bench.cells():
        if cell not in bench.found:
            tell(f"\n{cell.name}")
            bench.run(cell)
    bench.print_tables()
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "scikit-learn")}
    print(f"\n{machine(versions)}")


if __name__ == "__main__":
    cli.run(Settings, main)
