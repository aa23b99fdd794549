"""Programs that are measured in turns: each lives in a process of its own, does a few steps when told to, and waits.

So imports, compilation and warm-up are not counted, no two work at once, and a busy machine hits all alike. What runs
in the processes lies in `peers`.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from benchmarks.processes import ENVIRONMENT, last_line
from benchmarks.tables import tell
from bert.errors import InputError

ROOT = pathlib.Path(__file__).parent.parent
SCRIPTS = ROOT / "benchmarks" / "peers"


@dataclasses.dataclass(frozen=True)
class Program:
    """What is measured: a script of `peers`, the Python that runs it, what it is told, steps in one measurement, the
    checkout of this project that it imports."""

    name: str
    script: str
    python: str | None
    specification: dict
    steps: int
    checkout: pathlib.Path = ROOT


def check_before(checkout: str | None) -> None:
    """Raises InputError where --before is given and names something else."""
    if checkout and not (pathlib.Path(checkout) / "bert" / "modeling.py").exists():
        raise InputError(f"--before={checkout}: no checkout of this project, it has no bert/modeling.py")


def before(program: Program, checkout: str | None) -> list[Program]:
    """The same program from the checkout of --before, where that is given."""
    if not checkout:
        return []
    return [dataclasses.replace(program, name="ours before", checkout=pathlib.Path(checkout).resolve())]


@dataclasses.dataclass
class Result:
    """What a program said: of itself (`about`), and of each measurement (`runs`)."""

    program: Program
    about: dict
    runs: list[dict] = dataclasses.field(default_factory=list)

    @property
    def step_seconds(self) -> float:
        return statistics.median(run["seconds"] / self.program.steps for run in self.runs)

    @property
    def step_cpu_seconds(self) -> float:
        return statistics.median(run["cpu_seconds"] / self.program.steps for run in self.runs)

    @property
    def peak_mb(self) -> float:
        return self.runs[-1]["peak_mb"]

    @property
    def examples_per_second(self) -> float:
        """Over all measurements together: where batches differ, only the whole is comparable."""
        return self.total("examples") / self.total("seconds")

    def total(self, quantity: str) -> float:
        return sum(run[quantity] for run in self.runs)

    def times_as_fast(self, other: "Result") -> float:
        """Seconds of the other's step over seconds of this one's: the median over the rounds."""
        pairs = zip(self.runs, other.runs, strict=True)
        scale = self.program.steps / other.program.steps
        return statistics.median(theirs["seconds"] / ours["seconds"] * scale for ours, theirs in pairs)


class Worker:
    """A program's process."""

    def __init__(self, program: Program, resources: contextlib.ExitStack):
        self.program = program
        self.log = resources.enter_context(tempfile.TemporaryFile("w+"))  # noqa: SIM115
        python_path = os.pathsep.join(filter(None, (str(program.checkout), os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [program.python, str(SCRIPTS / program.script), json.dumps(program.specification)],
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": python_path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        resources.enter_context(self.process)
        resources.callback(self.process.stdin.close)  # the end of its input is the end of the process

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise InputError(f"{self.program.name}: {last_line(self.log.read())}")
        return json.loads(line)

    def go(self, steps: int) -> dict:
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return self.answer()


def measure(programs: list[Program], rounds: int) -> dict[str, Result]:
    """Name -> result, of the programs whose packages are there; the others are told on stderr and left out."""
    for program in programs:
        if not program.python:
            tell(f"{program.name}: left out, no Python is given for it")
    with contextlib.ExitStack() as resources:
        workers = [Worker(program, resources) for program in programs if program.python]
        ready = [(worker, worker.answer()) for worker in workers]  # they import at the same time...
        results = {}
        for worker, answer in ready:
            name = worker.program.name
            if "missing" in answer:
                tell(f"{name}: left out, {worker.program.python} has no package {answer['missing']}")
                continue
            results[name] = Result(worker.program, {**answer, **worker.go(0)})  # ...and warm up one by one
            tell(f"{name}: warmed up in {results[name].about['warm_up_seconds']:.1f} s")
        for number in range(rounds):
            for worker, _ in ready:
                result = results.get(worker.program.name)
                if result:
                    run = worker.go(worker.program.steps)
                    result.runs.append(run)
                    step = run["seconds"] / worker.program.steps
                    tell(f"round {number + 1}, {worker.program.name}: {step:.3f} s a step, loss {run['loss']:.3f}")
    return results


def measure_alike(programs: list[Program], rounds: int) -> dict[str, Result]:
    """The same of one model. Raises InputError if the programs have not the same number of parameters; one that tells
    None has no model."""
    results = measure(programs, rounds)
    sizes = {name: result.about["parameters"] for name, result in results.items()}
    if len({*sizes.values()} - {None}) > 1:
        raise InputError(f"the models differ: they have these numbers of parameters: {sizes}")
    return results
