"""How fast a training step is, beside transformers and keras-hub on the same model and rows, and what memory it takes.

    python -m benchmarks.train_step --mrpc_dir=$GLUE_DIR/MRPC --vocab_file=$BERT_BASE_DIR/vocab.txt \\
        --torch_python=torch/bin/python --keras_hub_python=keras_hub/bin/python

The peers live in environments of their own; one that is not given, or lacks its package, is left out:

    python -m venv torch && torch/bin/pip install torch==2.13.0 transformers==5.23.0
    python -m venv keras_hub && keras_hub/bin/pip install tensorflow==2.21.0 keras-hub==0.32.0

The model has 6 layers of 384 if --bert_config_file names no other. docs/benchmarks.md says what the parts measure.
"""

import dataclasses
import pathlib
import shutil
import statistics
import sys
import tempfile

from benchmarks import alternating, operations
from benchmarks.alternating import Program, Result
from benchmarks.tables import machine, print_table, tell
from bert import cli, flags
from bert.config import BertConfig
from bert.errors import InputError
from bert.options import option

MINILM = BertConfig(30522, 384, 6, 12, 1536, type_vocab_size=2)
ROUND = 8  # batches of MRPC in one measurement
ROUND_STATIC = 2  # of a program whose batches all cost the same: the others would only take time
SHORT_LENGTHS = 4, 8, 12, 16  # WordPieces of a row in the part short
SHORT_STEPS = 5  # times as many in one measurement, since they are short
STATIC_BATCHES = 4  # batches of random rows, seen over and over
PRODUCTS = "matrix products"

MEMORY_OPTIONS = {
    "none": {},
    "--gradient_accumulation_steps=4": {"accumulation": 4},
    "--mixed_precision=bfloat16": {"mixed_precision": "bfloat16"},
    "--recompute": {"recompute": True},
    "all three": {"accumulation": 4, "mixed_precision": "bfloat16", "recompute": True},
}
_NO_DROPOUT = {"config": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}}
XLA_OPTIONS = {
    "as it is: gelu in XLA, dropout from shared halves": {},
    "gelu from plain operations": {"gelu": "plain"},
    "dropout from stateless_dropout": {"dropout": "tensorflow"},
    "whole step in XLA": {"xla": True},
    "whole step in XLA, dropout from stateless_dropout": {"xla": True, "dropout": "tensorflow"},
    "no dropout": _NO_DROPOUT,
    "no dropout, whole step in XLA": {"xla": True, **_NO_DROPOUT},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    parts: str = option("static,mrpc,pretraining,share,short,memory,xla", "What to measure: all or some.")
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
        unknown = [part for part in self.parts.split(",") if part not in PARTS]
        if unknown:
            raise InputError(f"--parts has '{unknown[0]}', expected some of {','.join(PARTS)}")
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
        if "share" in self.parts and not {"static", "mrpc", "pretraining"} & set(self.parts.split(",")):
            raise InputError(f"--parts={self.parts}: share is of what static, mrpc or pretraining measure: add one")
        if not 1 <= self.max_predictions_per_seq <= self.max_seq_length - 2:
            raise InputError(
                f"--max_predictions_per_seq is {self.max_predictions_per_seq}, expected 1 to "
                f"{self.max_seq_length - 2}, two less than --max_seq_length"
            )


class Bench:
    """The flags, the model, the folder of rows, and what several tables share."""

    def __init__(self, settings: Settings, folder: pathlib.Path):
        from bert.training import run

        self.settings, self.folder = settings, folder
        path = settings.bert_config_file
        self.config = run.read_config(path, settings.max_seq_length) if path else MINILM
        self.products = "share" in settings.parts.split(",")
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
        if not self.products:
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


def static(bench: Bench) -> None:
    """Full rows: nobody saves anything on padding."""
    settings = bench.settings
    write_static(bench)
    steps = settings.steps
    programs = [bench.ours("static", steps), *bench.before("static", steps), bench.transformers("static", steps)]
    programs.append(bench.keras_hub("static", steps))
    results = bench.compare("static", programs, settings.repeats)
    title = f"Classifier step, {settings.batch_size} full rows of {settings.max_seq_length}"
    print_steps(title, "program", "ours is faster by", results, settings.batch_size)


def write_static(bench: Bench) -> None:
    from benchmarks import rows

    settings = bench.settings
    count = STATIC_BATCHES * settings.batch_size
    rows.write_static(bench.folder, bench.config, count, settings.max_seq_length, settings.seed)


def mrpc(bench: Bench) -> None:
    """Rows as long as they are: padding costs."""
    from benchmarks import rows

    settings = bench.settings
    if not settings.mrpc_dir:
        tell("mrpc: left out, --mrpc_dir is not given")
        return
    batches, count = settings.mrpc_batches, settings.mrpc_batches * settings.batch_size
    sources = settings.mrpc_dir, settings.vocab_file
    rows.write_mrpc(bench.folder, bench.config, count, settings.max_seq_length, settings.seed, *sources)
    steps = min(ROUND, batches)
    fewer = min(ROUND_STATIC, steps)
    programs = [
        bench.ours("mrpc", steps),
        bench.ours("mrpc", steps, "ours, rows of like length together", grouped=True),
        *bench.before("mrpc", steps),
        bench.transformers("mrpc", fewer, "transformers, padded to the maximum"),
        bench.transformers("mrpc", steps, "transformers, padded to the longest", "longest"),
        bench.keras_hub("mrpc", fewer),
    ]
    results = bench.compare("mrpc", programs, settings.mrpc_repeats * batches // steps)
    title = f"MRPC, {batches} batches of {settings.batch_size}, at most {settings.max_seq_length} tokens"
    header = "examples/s", "ours is faster by", "CPU s of 100 examples", "batches timed", "warm-up s", "peak MB"
    speed = results["ours"].examples_per_second
    lines = [
        [
            name,
            f"{result.examples_per_second:.1f}",
            f"{speed / result.examples_per_second:.2f}",
            f"{100 * result.total('cpu_seconds') / result.total('examples'):.2f}",
            len(result.runs) * result.program.steps,
            f"{result.about['warm_up_seconds']:.1f}",
            f"{result.peak_mb:.0f}",
        ]
        for name, result in results.items()
    ]
    print_table(title, ["program", *header], lines)


def pretraining(bench: Bench) -> None:
    """Masked positions gathered before the vocabulary is scored, by ours and by transformers."""
    from benchmarks import rows

    settings = bench.settings
    length, masked = settings.max_seq_length, settings.max_predictions_per_seq
    count = STATIC_BATCHES * settings.batch_size
    rows.write_pretraining(bench.folder, bench.config, count, length, masked, settings.seed)
    steps = settings.steps
    programs = [bench.ours("pretraining", steps), *bench.before("pretraining", steps)]
    programs.append(bench.transformers("pretraining", steps))
    results = bench.compare("pretraining", programs, settings.repeats)
    title = f"Pre-training step, {settings.batch_size} full rows of {length}, {masked} masked positions"
    print_steps(title, "program", "ours is faster by", results, settings.batch_size)


def share(bench: Bench) -> None:
    """What part of the machine's own speed at matrix products those steps reach."""
    title = "Share of the speed of a matrix product, [{}, {}] times [{}, {}]"
    rows, hidden, wide = bench.widest_product
    header = "step", "useful GFLOP", "GFLOP/s of the step", "GFLOP/s of the product", "share"
    print_table(title.format(rows, hidden, hidden, wide), header, bench.shares)


def short(bench: Bench) -> None:
    """Questions: what a step costs beside its products."""
    settings, lines = bench.settings, []
    steps, products = SHORT_STEPS * settings.steps, bench.products_alone()
    for length in SHORT_LENGTHS:
        own = Bench(dataclasses.replace(settings, max_seq_length=length), bench.folder)
        write_static(own)
        programs = [own.ours("static", steps), *own.before("static", steps), own.transformers("static", steps)]
        results = bench.measure([products, *programs], settings.repeats)
        possible = statistics.median(run["operations"] / run["seconds"] for run in results.pop(PRODUCTS).runs)
        useful = settings.batch_size * operations.classifier(bench.config, length) / possible
        for program, result in results.items():
            times = results["ours"].times_as_fast(result)
            seconds = [result.step_seconds, result.step_cpu_seconds, useful, result.step_seconds - useful]
            lines.append([length, program, *(f"{1000 * each:.1f}" for each in seconds), f"{times:.2f}"])
    header = ["pieces", "program", "ms a step", "CPU ms", "of it products at full speed", "the rest"]
    title = f"Classifier step, {settings.batch_size} short rows"
    print_table(title, [*header, "ours is faster by"], lines)


def memory(bench: Bench) -> None:
    """What the flags that save memory save, and what they cost."""
    _variants(bench, "Memory of the classifier step", "flags", MEMORY_OPTIONS)


def xla(bench: Bench) -> None:
    """Where XLA wins and where it loses."""
    _variants(bench, "XLA and dropout in the classifier step", "step", XLA_OPTIONS)


def _variants(bench: Bench, title: str, what: str, variants: dict[str, dict]) -> None:
    settings = bench.settings
    write_static(bench)
    programs = [bench.ours("static", settings.steps, name, **options) for name, options in variants.items()]
    results = bench.measure(programs, settings.repeats)
    title = f"{title}, {settings.batch_size} full rows of {settings.max_seq_length}"
    print_steps(title, what, "the first is faster by", results, settings.batch_size)


PARTS = {part.__name__: part for part in (static, mrpc, pretraining, share, short, memory, xla)}


def print_steps(title: str, what: str, ratio: str, results: dict[str, Result], batch_size: int) -> None:
    """A table of step times; ratios are of the first row's."""
    header = [what, "s a step", "CPU s a step", "examples/s", ratio, "first step s", "start MB", "peak MB"]
    first = next(iter(results.values()))
    lines = [
        [
            name,
            f"{result.step_seconds:.3f}",
            f"{result.step_cpu_seconds:.3f}",
            f"{batch_size / result.step_seconds:.1f}",
            f"{first.times_as_fast(result):.2f}",
            f"{result.about['first_seconds']:.1f}",
            f"{result.about['start_mb']:.0f}",
            f"{result.peak_mb:.0f}",
        ]
        for name, result in results.items()
    ]
    print_table(title, header, lines)


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(settings, pathlib.Path(folder))
        for name, part in PARTS.items():
            if name in settings.parts.split(","):
                part(bench)
    print(f"\n{machine(bench.versions)}")


if __name__ == "__main__":
    cli.run(Settings, main)
