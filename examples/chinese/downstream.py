"""Fine-tunes models on Chinese tasks, several seeds each, and prints a table of what they learned.

    python -m examples.chinese.downstream --models=small=chinese_output/model --work_dir=downstream \\
        --names_dir=chinese_output/names --afqmc_dir=afqmc --tnews_dir=tnews --seeds=1,2,3

A model is a folder like a Google download. A row more is the first model's sizes and vocabulary with random weights.
Every command is shown as a user would type it. A cell that is finished has a line in --work_dir/results.jsonl and is
not measured again, so a run that was stopped goes on; the table shows all that is there.
"""

import dataclasses
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterator

from benchmarks import finished, processes
from bert import cli, files
from bert.errors import InputError
from bert.options import option, required
from examples.chinese import results
from examples.chinese.results import Cell
from examples.chinese.tasks import TASKS, Task

RANDOM = "random"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    models: str = required("The rows, comma-separated: NAME=FOLDER, a folder with weights, config and vocabulary.")
    work_dir: str = required("Folder for results.jsonl, the logs, and while they are needed the models.")
    random: bool = option(True, "A row more: the first model's config and vocabulary, and random weights.")
    tasks: str = option(",".join(TASKS), "What to learn: all or some of these; one whose folder is not given is left.")
    seeds: str = option("1", "Seeds, comma-separated.")
    train_rows: int = option(0, "Learn from so many rows of each training set, drawn once; 0: all.")
    names_dir: str = option("", "Folder that examples.chinese.names wrote.")
    afqmc_dir: str = option("", "AFQMC's folder (CLUE).")
    tnews_dir: str = option("", "TNEWS's folder (CLUE).")

    def check(self) -> None:
        for name in filter(None, self.tasks.split(",")):
            if name not in TASKS:
                raise InputError(f"--tasks has '{name}', expected some of {','.join(TASKS)}")
        finished.seeds(self.seeds)
        if self.train_rows < 0:
            raise InputError(f"--train_rows is {self.train_rows}, expected 0 or more")
        for name, folder in self.folders().items():
            for file in ("bert_config.json", "vocab.txt"):
                files.check_readable(os.path.join(folder, file), f"--models {name}")

    def folders(self) -> dict[str, str]:
        """Row -> folder, the row of random weights not among them."""
        found: dict[str, str] = {}
        for item in self.models.split(","):
            name, _, folder = item.partition("=")
            if not (name and folder) or name in found or name == RANDOM:
                raise InputError(f"--models has '{item}', expected NAME=FOLDER, each name once, none '{RANDOM}'")
            found[name] = folder
        return found

    def data_dir(self, task: Task) -> str:
        return task.folder or getattr(self, task.flag)

    def cells(self) -> Iterator[Cell]:
        """What is to be measured: first seeds first, so that every row has a result early."""
        rows = [*([RANDOM] if self.random else []), *self.folders()]
        tasks = [name for name in self.tasks.split(",") if name and self.data_dir(TASKS[name])]
        for seed in finished.seeds(self.seeds):
            for task in tasks:
                for model in rows:
                    yield Cell(model, task, seed, self.train_rows)


def main(settings: Settings) -> None:
    work_dir = pathlib.Path(settings.work_dir)
    files.make_folder(str(work_dir))
    path = work_dir / "results.jsonl"
    cells, done = list(settings.cells()), finished.read(path, Cell)
    for number, cell in enumerate(cells, start=1):
        if cell not in done:
            print(f"\n[{number} of {len(cells)}] {cell.name}", flush=True)
            finished.add(path, cell, fine_tune(settings, cell, work_dir))
    print(*results.table(finished.read(path, Cell), settings.train_rows), sep="\n")


def fine_tune(settings: Settings, cell: Cell, work_dir: pathlib.Path) -> dict[str, float]:
    """Trains and judges; the measures by name, and the seconds it took. Raises InputError with the last line of the
    log where it fails."""
    task, output, log = TASKS[cell.task], work_dir / cell.name, work_dir / f"{cell.name}.log"
    data_dir = training_data(settings, task, work_dir)
    argv = command(settings, cell, data_dir, str(output))
    print(processes.typed(argv), flush=True)
    start = time.monotonic()
    processes.logged([sys.executable, *argv[1:]], str(log))
    measured = task.measured(output)
    shutil.rmtree(output)  # the weights of every cell together would fill a disk
    print(", ".join(f"{name} {value:.4f}" for name, value in measured.items()), flush=True)
    return {**measured, "seconds": time.monotonic() - start}


def command(settings: Settings, cell: Cell, data_dir: str, output: str) -> list[str]:
    """The command of a cell, as a user would type it."""
    task, folders = TASKS[cell.task], settings.folders()
    folder = folders.get(cell.model, next(iter(folders.values())))
    flags: dict[str, object] = {
        **task.flags,
        "data_dir": data_dir,
        "output_dir": output,
        "vocab_file": f"{folder}/vocab.txt",
        "bert_config_file": f"{folder}/bert_config.json",
        **({} if cell.model == RANDOM else {"init_checkpoint": f"{folder}/bert_model.ckpt"}),
        "do_train": True,
        "do_eval": True,
        "train_batch_size": 32,
        "eval_batch_size": 64,
        "adam_bias_correction": True,
        "seed": cell.seed,
    }
    return ["python", "-m", "bert", task.command, *(f"--{name}={value}" for name, value in flags.items())]


def training_data(settings: Settings, task: Task, work_dir: pathlib.Path) -> str:
    """The folder to learn from: the task's, or with --train_rows a copy whose training file has only so many rows."""
    source = pathlib.Path(settings.data_dir(task))
    if not settings.train_rows:
        return str(source)
    target = work_dir / f"{task.name}-{settings.train_rows}"
    for path in sorted(source.iterdir()):
        if path.is_file():
            kept = task.drawn(path, settings.train_rows) if path.name.startswith("train.") else None
            content = path.read_bytes() if kept is None else kept.encode()
            files.make_folder(str(target))
            with files.replaced(str(target / path.name)) as temporary:
                pathlib.Path(temporary).write_bytes(content)
    return str(target)


if __name__ == "__main__":
    cli.run(Settings, main)
