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
import statistics
import tempfile

from benchmarks import operations
from benchmarks.alternating import Result
from benchmarks.step_programs import PRODUCTS, ROUND, Bench, Options
from benchmarks.tables import machine, print_table, tell
from bert import cli
from bert.errors import InputError
from bert.options import option

ROUND_STATIC = 2  # of a program whose batches all cost the same: the others would only take time
SHORT_LENGTHS = 4, 8, 12, 16  # WordPieces of a row in the part short
SHORT_STEPS = 5  # times as many in one measurement, since they are short
STATIC_BATCHES = 4  # batches of random rows, seen over and over

MEMORY_OPTIONS = {
    "none": {},
    "--gradient_accumulation_steps=4": {"accumulation": 4},
    "--mixed_precision=bfloat16": {"mixed_precision": "bfloat16"},
    "--recompute": {"recompute": True},
    "all three": {"accumulation": 4, "mixed_precision": "bfloat16", "recompute": True},
}
_NO_DROPOUT = {"config": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}}
XLA_OPTIONS = {
    "as it is: gelu and dropout in XLA": {},
    "gelu from plain operations": {"gelu": "plain"},
    "dropout from stateless_dropout": {"dropout": "tensorflow"},
    "whole step in XLA": {"xla": True},
    "whole step in XLA, dropout from stateless_dropout": {"xla": True, "dropout": "tensorflow"},
    "no dropout": _NO_DROPOUT,
    "no dropout, whole step in XLA": {"xla": True, **_NO_DROPOUT},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """The flags of this benchmark."""

    parts: str = option("static,mrpc,pretraining,share,short,memory,xla", "What to measure: all or some.")

    def check(self) -> None:
        super().check()
        parts = self.parts.split(",")
        unknown = [part for part in parts if part not in PARTS]
        if unknown:
            raise InputError(f"--parts has '{unknown[0]}', expected some of {','.join(PARTS)}")
        if "share" in parts and not {"static", "mrpc", "pretraining"} & set(parts):
            raise InputError(f"--parts={self.parts}: share is of what static, mrpc or pretraining measure: add one")


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
        parts = settings.parts.split(",")
        bench = Bench(settings, pathlib.Path(folder), with_shares="share" in parts)
        for name, part in PARTS.items():
            if name in parts:
                part(bench)
    print(f"\n{machine(bench.versions)}")


if __name__ == "__main__":
    cli.run(Settings, main)
