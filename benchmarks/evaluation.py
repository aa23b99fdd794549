"""How many texts a second are evaluated and predicted, beside the forward pass alone and transformers.

    python -m benchmarks.evaluation --mrpc_dir=$GLUE_DIR/MRPC --banking77_dir=banking77 \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --torch_python=torch/bin/python

The peer lives in an environment of its own, as docs/benchmarks.md says, and is left out if none is given. The model has
6 layers of 384 if --bert_config_file names no other.
"""

import dataclasses
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable

from benchmarks import alternating
from benchmarks.alternating import Program, Result
from benchmarks.step_programs import MINILM
from benchmarks.tables import machine, print_table
from bert import cli, flags
from bert.config import BertConfig
from bert.errors import InputError
from bert.options import option, required

OURS = "ours"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    vocab_file: str = required("WordPiece vocabulary of a lower-cased model.")
    mrpc_dir: str | None = option(None, "Folder with MRPC's dev.tsv; without it it is left out.")
    banking77_dir: str | None = option(None, "Folder with BANKING77's train.csv; without it it is left out.")
    questions: int = option(10_000, "How many of its questions are predicted.")
    torch_python: str | None = option(None, "Python of an environment with torch and transformers.")
    before: str | None = option(None, "Folder of another checkout of this project, for a row more.")
    repeats: int = option(3, "Rounds in which the programs take turns.")
    bert_config_file: str | None = option(None, "Sizes of another model.")
    batch_size: int = option(32, "Rows in a batch.")
    max_seq_length: int = option(128, "Most tokens of a row.")
    seed: int = option(12345, "Fixes the weights.")

    def check(self) -> None:
        flags.check_positive(self, "questions", "repeats", "batch_size")
        if self.torch_python and not shutil.which(self.torch_python):
            raise InputError(f"--torch_python={self.torch_python}: there is no such program")
        alternating.check_before(self.before)
        if not (self.mrpc_dir or self.banking77_dir):
            raise InputError("nothing to measure: give --mrpc_dir or --banking77_dir, or both")


class Bench:
    """The flags, the model and the folder of rows."""

    def __init__(self, settings: Settings, folder: pathlib.Path):
        from bert.training import run

        self.settings, self.folder = settings, folder
        path = settings.bert_config_file
        self.config: BertConfig = run.read_config(path, settings.max_seq_length) if path else MINILM
        self.versions: dict[str, str] = {}

    def mrpc(self) -> None:
        """An evaluation: pairs of sentences, a loss and measures."""
        from benchmarks import rows

        settings = self.settings
        if not settings.mrpc_dir:
            return
        rows.write_mrpc_dev(self.folder, self.config, settings.max_seq_length, settings.mrpc_dir, settings.vocab_file)
        self.compare("MRPC's dev set, evaluated", "mrpc_dev", "evaluate")

    def questions(self) -> None:
        """A prediction: short rows."""
        from benchmarks import rows

        settings = self.settings
        if not settings.banking77_dir:
            return
        sources = settings.banking77_dir, settings.vocab_file
        rows.write_questions(self.folder, self.config, settings.questions, settings.max_seq_length, *sources)
        self.compare(f"{settings.questions:,} questions, predicted", "questions", "predict")

    def compare(self, title: str, rows: str, work: str) -> None:
        """Measures the programs in turns and prints their table."""
        python = self.settings.torch_python
        script = "evaluate_with_transformers.py"
        ours = self._program(OURS, "evaluate_with_bert.py", sys.executable, rows, work=work)
        programs = [
            ours,
            *alternating.before(ours, self.settings.before),
            self._program("ours, the model alone", "evaluate_with_bert.py", sys.executable, rows, work="forward"),
            self._program("transformers, sorted by length", script, python, rows, sorted=True),
            self._program("transformers, as in the file", script, python, rows, sorted=False),
        ]
        results = alternating.measure_alike(programs, self.settings.repeats)
        for result in results.values():
            self.versions |= result.about["versions"]
        print_results(f"{title}, at most {self.settings.batch_size} in a batch", results)

    def _program(self, name: str, script: str, python: str | None, rows: str, **more: object) -> Program:
        settings = self.settings
        specification = {
            "config": dataclasses.replace(self.config, other={}).to_dict(),
            "records": str(self.folder / f"{rows}.tfrecord"),
            "arrays": str(self.folder / f"{rows}.npz"),
            "sizes": {"S": settings.max_seq_length},
            "batch_size": settings.batch_size,
            "seed": settings.seed,
            **more,
        }
        return Program(name, script, python, specification, steps=1)


def print_results(title: str, results: dict[str, Result]) -> None:
    """A table of whole sets; ratios are of the first row's."""
    header = ["program", "texts/s", "ours is faster by", "CPU s of 1,000 texts", "the same", "first time s", "peak MB"]
    cpu = {name: 1000 * result.total("cpu_seconds") / result.total("examples") for name, result in results.items()}
    lines = [
        [
            name,
            f"{result.examples_per_second:.1f}",
            f"{results[OURS].times_as_fast(result):.2f}",
            f"{cpu[name]:.2f}",
            f"{cpu[name] / cpu[OURS]:.2f}",
            f"{result.about['first_seconds']:.1f}",
            f"{result.peak_mb:.0f}",
        ]
        for name, result in results.items()
    ]
    print_table(title, header, lines)


PARTS: tuple[Callable[[Bench], None], ...] = (Bench.mrpc, Bench.questions)


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(settings, pathlib.Path(folder))
        for part in PARTS:
            part(bench)
    print(f"\n{machine(bench.versions)}")


if __name__ == "__main__":
    cli.run(Settings, main)
