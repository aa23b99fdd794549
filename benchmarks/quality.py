"""How well fine-tuned models do, with Adam's bias correction and without, beside the same weights fine-tuned with
transformers on the same data and settings; at several learning rates, with several seeds.

    python -m benchmarks.quality --model_dir=minilm --glue_dir=$GLUE_DIR --banking77_dir=banking77 \\
        --chinese_model_dir=chinese_output/model --tnews_dir=tnews --work_dir=quality --torch_python=torch/bin/python

A model is a folder in Google's layout, as `bert convert --to=google` makes it of others; TNEWS is learned by the
Chinese one, and not with transformers. The peer lives in an environment of its own, and is left out if it is not given
or lacks its packages:

    python -m venv torch && torch/bin/pip install torch==2.13.0 transformers==5.23.0

`--programs` takes more than the usual three: `ours-...` and `transformers-...` are one of them with one thing changed,
as benchmarks/quality_programs.py says: transformers with our schedule, our epsilon, or both and our head.

Each run is a process: ours is run_classifier.py as a user types it, theirs peers/fine_tune_with_transformers.py. Wall
and processor seconds are of that process from start to end, imports included. A finished run is a line in
--work_dir/results.jsonl and is not run again, so what was stopped goes on; the tables show all results that are there.
benchmarks/quality.jsonl holds the runs behind docs/benchmarks.md, to be copied there and completed.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

from benchmarks import alternating, finished, quality_table
from benchmarks.processes import timed
from benchmarks.quality_programs import PROGRAMS, USUAL, Program
from benchmarks.quality_table import TASKS, TITLES, Results, Run
from benchmarks.tables import machine, print_table, tell
from bert import cli, files, flags
from bert.config import BertConfig
from bert.errors import InputError
from bert.formats import configs
from bert.options import option, required

ROOT = pathlib.Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    model_dir: str = required("Folder in Google's layout: bert_config.json, vocab.txt, bert_model.ckpt.*")
    work_dir: str = required("Folder for models and results; a run whose result lies there is not run again.")
    glue_dir: str | None = option(None, "Folder with MRPC, CoLA and STS-B; without it these are not run.")
    banking77_dir: str | None = option(
        None, "BANKING77's folder, with train.csv and test.csv; without it it is not run."
    )
    chinese_model_dir: str | None = option(None, "The same of a Chinese model, for TNEWS.")
    tnews_dir: str | None = option(None, "TNEWS's folder (CLUE); without it it is not run.")
    torch_python: str | None = option(None, "Python of an environment with torch and transformers.")
    tasks: str = option(",".join(TASKS), "What to run: all or some of these, in this order.")
    programs: str = option(
        ",".join(USUAL), f"Which to run, of {', '.join(PROGRAMS)}; empty: none, only print the table."
    )
    num_train_epochs: float = option(3.0, "How often training sees every example.")
    learning_rates: str = option("2e-5,5e-5,1e-4", "Peak learning rates to try, comma-separated.")
    seeds: str = option("1,2,3", "Seeds to run each with, comma-separated.")
    train_batch_size: int = option(32, "Examples in a training step, and in a batch of the evaluation.")

    def check(self) -> None:
        for name, known in (("tasks", TASKS), ("programs", PROGRAMS)):
            for part in filter(None, getattr(self, name).split(",")):
                if part not in known:
                    raise InputError(f"--{name} has '{part}', expected some of {','.join(known)}")
        finished.seeds(self.seeds)
        rates(self.learning_rates)
        flags.check_positive(self, "train_batch_size")
        if self.torch_python and not shutil.which(self.torch_python):
            raise InputError(f"--torch_python={self.torch_python}: there is no such program")


def rates(listed: str) -> list[float]:
    """Those that `--learning_rates` lists. Raises InputError for what is no number above 0."""
    with contextlib.suppress(ValueError):
        found = [float(part) for part in listed.split(",")]
        if all(rate > 0 for rate in found):
            return found
    raise InputError(f"--learning_rates is '{listed}', expected numbers above 0, separated by commas")


class Bench:
    """The flags, the work folder, what is finished, and how to run what is not."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.work_dir = pathlib.Path(settings.work_dir)
        files.make_folder(settings.work_dir)
        self.path = self.work_dir / "results.jsonl"
        self.found = finished.read(self.path, Run)
        self.rates, self.seeds = rates(settings.learning_rates), finished.seeds(settings.seeds)
        given = {flag: getattr(settings, flag) for flag in ("model_dir", "chinese_model_dir")}
        self.models = {flag: pathlib.Path(folder) for flag, folder in given.items() if folder}
        self.fingerprints = {flag: fingerprint(folder, f"--{flag}") for flag, folder in self.models.items()}

    def runs(self, tasks: list[str], programs: list[str]) -> Iterator[Run]:
        """All of these rates and seeds, first seeds first, so that every task has a result early."""
        settings = self.settings
        for seed, task, rate in itertools.product(self.seeds, tasks, self.rates):
            model = self.fingerprints.get(TASKS[task].model, "")
            for program in programs:
                if TASKS[task].has_peer or not PROGRAMS[program].is_peer:
                    yield Run(task, rate, seed, program, settings.num_train_epochs, settings.train_batch_size, model)

    def results(self) -> Results:
        """What is finished of these rates and seeds, in order."""
        return {run: self.found[run] for run in self.runs(list(TASKS), list(PROGRAMS)) if run in self.found}

    def runs_to_do(self) -> list[Run]:
        """What is asked for, is possible and has no result; tells what is left out."""
        wanted = self.settings.programs.split(",")
        programs = [program for program in PROGRAMS if program in wanted and self._can_run(program)]
        tasks = [name for name in self.settings.tasks.split(",") if name and self._has_files(name)]
        return [run for run in self.runs(tasks, programs) if run not in self.found]

    def _can_run(self, program: str) -> bool:
        if not PROGRAMS[program].is_peer:
            return True
        python = self.settings.torch_python
        if not python:
            tell(f"{program}: left out, no Python is given for it")
            return False
        missing = [name for name, version in peer_versions(python).items() if not version]
        if missing:
            tell(f"{program}: left out, {python} has no package {missing[0]}")
        return not missing

    def _has_files(self, task: str) -> bool:
        missing = [flag for flag in (TASKS[task].flag, TASKS[task].model) if not getattr(self.settings, flag)]
        if missing:
            tell(f"{task}: not run, --{missing[0]} is not given")
        return not missing

    def run(self, run: Run) -> None:
        """Runs it and keeps what it reached. Raises InputError with the last line of its log when it fails."""
        tell(f"{run.name}: running, its words go to {self.work_dir / run.name}.log")
        folder = self.work_dir / run.name
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped: its seconds are lost
        folder.mkdir()
        program = PROGRAMS[run.program]
        measures = (self._run_peer if program.is_peer else self._run_ours)(run, program, folder)
        finished.add(self.path, run, measures)
        self.found[run] = measures
        shutil.rmtree(folder)  # the weights of all runs together would fill a disk
        shown = ", ".join(f"{TITLES[name]} {measures[name]:.4f}" for name in TASKS[run.task].measures)
        tell(f"{run.name}: {shown}; {measures['seconds']:.0f} s, {measures['cpu_seconds']:.0f} s of the processor")

    def _data_dir(self, run: Run) -> str:
        task = TASKS[run.task]
        return os.path.join(getattr(self.settings, task.flag), task.folder)

    def _run_ours(self, run: Run, program: Program, folder: pathlib.Path) -> dict[str, float]:
        settings, task = self.settings, TASKS[run.task]
        model_dir = self.models[task.model]
        config_file = folder / "given_config.json"
        config = files.read_json(str(model_dir / "bert_config.json"))
        files.write_json(str(config_file), {**config, **program.config})
        flags = {
            **task.flags,
            "data_dir": self._data_dir(run),
            "output_dir": folder,
            "bert_config_file": config_file,
            "vocab_file": model_dir / "vocab.txt",
            "init_checkpoint": model_dir / "bert_model.ckpt",
            "do_train": "true",
            "do_eval": "true",
            "max_seq_length": task.max_seq_length,
            "train_batch_size": settings.train_batch_size,
            "eval_batch_size": settings.train_batch_size,
            "learning_rate": run.rate,
            "num_train_epochs": settings.num_train_epochs,
            "seed": run.seed,
            **program.flags,
        }
        argv = [sys.executable, str(ROOT / "run_classifier.py")]
        took = timed([*argv, *(f"--{name}={value}" for name, value in flags.items())], f"{folder}.log")
        lines = files.read_lines(str(folder / "eval_results.txt"))
        values = dict(line.split(" = ") for line in lines)
        return {**{name: float(values[f"eval_{name}"]) for name in task.measures}, **took}

    def _run_peer(self, run: Run, program: Program, folder: pathlib.Path) -> dict[str, float]:
        settings, task = self.settings, TASKS[run.task]
        model_dir = self.models[task.model]
        weights = self.work_dir / f"weights-{self.fingerprints[task.model]}.npz"
        export_weights(model_dir, weights)
        config = BertConfig.from_json_file(str(model_dir)).to_dict()
        specification = {
            "task": run.task,
            "data_dir": self._data_dir(run),
            "model_dir": str(model_dir),
            "config": configs.to_huggingface(config, "BertForSequenceClassification"),
            "weights": str(weights),
            "max_seq_length": task.max_seq_length,
            "batch_size": settings.train_batch_size,
            "learning_rate": run.rate,
            "epochs": settings.num_train_epochs,
            "seed": run.seed,
            "output": str(folder / "predictions.json"),
            **program.peer,
        }
        script = alternating.SCRIPTS / "fine_tune_with_transformers.py"
        took = timed([settings.torch_python, str(script), json.dumps(specification)], f"{folder}.log")
        answer = files.read_json(specification["output"])
        gold, predictions = answer["gold"], answer["predictions"]
        return {**{name: quality_table.measure(name, gold, predictions) for name in task.measures}, **took}


def fingerprint(model_dir: pathlib.Path, flag: str) -> str:
    """A hash of the values in a folder's bert_model.ckpt. Raises InputError where there is none."""
    path = model_dir / "bert_model.ckpt.data-00000-of-00001"
    files.check_readable(str(path), flag)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def peer_versions(python: str) -> dict[str, str]:
    """Those of torch and transformers that another Python has; of what it does not have, nothing."""
    program = """
import importlib.metadata, json, sys
found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
print(json.dumps({name: found.get(name, "") for name in sys.argv[1:]}))
"""
    command = [python, "-c", program, "torch", "transformers"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def export_weights(model_dir: pathlib.Path, path: pathlib.Path) -> None:
    """Writes encoder and pooler of a Google checkpoint to an .npz under transformers' names, unless it is there."""
    import numpy as np

    from bert import checkpoint
    from bert.formats import names

    if path.exists():
        return
    prefix = str(model_dir / "bert_model.ckpt")
    encoder = [name for name in checkpoint.read_shapes(prefix) if name.startswith("bert/")]
    values = checkpoint.read_values(prefix, [name for name in encoder if not checkpoint.is_training_state(name)])
    with files.replaced(str(path)) as temporary, open(temporary, "wb") as file:
        places = {name: names.to_huggingface(name) for name in values}
        np.savez(file, **{places[name].name: places[name].put(value) for name, value in values.items()})


def print_results(settings: Settings, results: Results) -> None:
    title = f"Fine-tuning, {settings.num_train_epochs:g} epochs, batches of {settings.train_batch_size}"
    header, *lines = quality_table.by_rate(results)
    print_table(title, header, lines)
    header, *lines = quality_table.at_the_best_rate(results)
    print_table("Each program at the best of its learning rates", header, lines)
    programs = quality_table.programs_of(results)
    shares = [f"{quality_table.share_of_others(results, program)} while {program} ran" for program in programs]
    print(f"\nOther programs used of the machine's processors: {', '.join(shares) or 'nothing ran'}.")
    versions = {"TensorFlow": importlib.metadata.version("tensorflow"), "Keras": importlib.metadata.version("keras")}
    if settings.torch_python:
        versions |= {name: version for name, version in peer_versions(settings.torch_python).items() if version}
    print(machine(versions))


def main(settings: Settings) -> None:
    bench = Bench(settings)
    for run in bench.runs_to_do():
        bench.run(run)
    print_results(settings, bench.results())


if __name__ == "__main__":
    cli.run(Settings, main)
