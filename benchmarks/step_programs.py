"""The programs that benchmarks/train_step.py measures: our step and the peers' on the same model and rows, and beside
them the machine's own speed at matrix products.
"""

import dataclasses
import pathlib
import shutil
import statistics
import sys

from benchmarks import alternating, operations
from benchmarks.alternating import Program, Result
from bert import flags
from bert.config import BertConfig
from bert.errors import InputError
from bert.options import option

MINILM = BertConfig(30522, 384, 6, 12, 1536, type_vocab_size=2)
ROUND = 8  # batches of MRPC in one measurement
PRODUCTS = "matrix products"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The flags that say what the programs are, what they read and how often they are measured."""

    repeats: int = option(3, "Rounds in which the programs take turns.")
    steps: int = option(2, "Steps in one measurement, but for mrpc.")
    torch_python: str | None = option(None, "Python of an environment with torch and transformers.")
    keras_hub_python: str | None = option(None, "Python of an environment with TensorFlow and keras-hub.")
    before: str | None = option(None, "Folder of another checkout of this project, for a row more where ours is one.")
    mrpc_dir: str | None = option(None, "Folder with MRPC's train.tsv; without it the part mrpc is left out.")
    vocab_file: str | None = option(None, "WordPiece vocabulary of a lower-cased model, for the part mrpc.")
    mrpc_batches: int = option(32, "Batches drawn from MRPC, once; 112 are all of it.")
    mrpc_repeats: int = option(1, "How often these are trained on.")
    bert_config_file: str | None = option(None, "Sizes of another model.")
    batch_size: int = option(32, "Rows in a batch.")
    max_seq_length: int = option(128, "Tokens of a row; MRPC's rows have fewer.")
    max_predictions_per_seq: int = option(20, "Masked positions of a row, in the part pretraining.")
    seed: int = option(12345, "Fixes rows and weights.")

    def check(self) -> None:
        flags.check_positive(self, "repeats", "steps", "mrpc_batches", "mrpc_repeats", "batch_size")
        for name in ("torch_python", "keras_hub_python"):
            python = getattr(self, name)
            if python and not shutil.which(python):
                raise InputError(f"--{name}={python}: there is no such program")
        alternating.check_before(self.before)
        if self.mrpc_dir and not self.vocab_file:
            raise InputError("--mrpc_dir needs --vocab_file")
        if self.mrpc_batches > ROUND and self.mrpc_batches % ROUND:
            raise InputError(f"--mrpc_batches is {self.mrpc_batches}, expected a multiple of {ROUND}, or less than it")
        if not 1 <= self.max_predictions_per_seq <= self.max_seq_length - 2:
            raise InputError(
                f"--max_predictions_per_seq is {self.max_predictions_per_seq}, expected 1 to "
                f"{self.max_seq_length - 2}, two less than --max_seq_length"
            )


class Bench:
    """The flags, the model, the folder of rows, and what several tables share.

    `with_shares` measures the machine's products beside the programs, for the table of shares.
    """

    def __init__(self, settings: Options, folder: pathlib.Path, with_shares: bool = False):
        from bert.training import run

        self.settings, self.folder = settings, folder
        path = settings.bert_config_file
        self.config = run.read_config(path, settings.max_seq_length) if path else MINILM
        self.with_shares = with_shares
        self.shares: list[list[str]] = []  # rows of the table of shares
        self.versions: dict[str, str] = {}

    @property
    def widest_product(self) -> tuple[int, int, int]:
        """[B * S, H] times [H, I]."""
        rows = self.settings.batch_size * self.settings.max_seq_length
        return rows, self.config.hidden_size, self.config.intermediate_size

    def ours(self, rows: str, steps: int, name: str = "ours", **options) -> Program:
        return self._program(name, "with_bert.py", sys.executable, rows, steps, options=options)

    def before(self, rows: str, steps: int) -> list[Program]:
        """The same from another checkout, where one is given."""
        return alternating.before(self.ours(rows, steps), self.settings.before)

    def transformers(self, rows: str, steps: int, name: str = "transformers", padding: str = "max_length") -> Program:
        return self._program(name, "with_transformers.py", self.settings.torch_python, rows, steps, padding=padding)

    def keras_hub(self, rows: str, steps: int) -> Program:
        return self._program("keras-hub", "with_keras_hub.py", self.settings.keras_hub_python, rows, steps)

    def _program(self, name: str, script: str, python: str | None, rows: str, steps: int, **more) -> Program:
        settings = self.settings
        specification = {
            "config": dataclasses.replace(self.config, other={}).to_dict(),
            "kind": "pretraining" if rows == "pretraining" else "classifier",
            "records": str(self.folder / f"{rows}.tfrecord"),
            "arrays": str(self.folder / f"{rows}.npz"),
            "sizes": {"S": settings.max_seq_length, "P": settings.max_predictions_per_seq},
            "batch_size": settings.batch_size,
            "seed": settings.seed,
            **more,
        }
        return Program(name, script, python, specification, steps)

    def measure(self, programs: list[Program], rounds: int) -> dict[str, Result]:
        results = alternating.measure_alike(programs, rounds)
        for result in results.values():
            self.versions |= result.about["versions"]
        return results

    def products_alone(self) -> Program:
        """The machine's own speed."""
        return Program(PRODUCTS, "with_bert.py", sys.executable, {"shape": self.widest_product}, 1)

    def compare(self, part: str, programs: list[Program], rounds: int) -> dict[str, Result]:
        """Measures ours and its peers, and where shares are asked for, the machine's products among them."""
        if not self.with_shares:
            return self.measure(programs, rounds)
        results = self.measure([self.products_alone(), *programs], rounds)
        self._note_share(part, results["ours"], results.pop(PRODUCTS))
        return results

    def _note_share(self, part: str, ours: Result, products: Result) -> None:
        import numpy as np

        lengths = np.load(self.folder / f"{part}.npz")["input_mask"].sum(axis=1).tolist()
        masked = self.settings.max_predictions_per_seq
        count = sum(
            operations.pretraining(self.config, lengths[row], masked)
            if part == "pretraining"
            else operations.classifier(self.config, lengths[row])
            for run in ours.runs
            for row in run["rows"]
        )
        seconds = sum(run["seconds"] for run in ours.runs)
        possible = statistics.median(run["operations"] / run["seconds"] for run in products.runs)
        a_step = count / len(ours.runs) / ours.program.steps
        reached = count / seconds
        self.shares.append(
            [part, f"{a_step / 1e9:.4g}", f"{reached / 1e9:.3g}", f"{possible / 1e9:.3g}", f"{reached / possible:.0%}"]
        )
