"""How fast a loaded classifier answers, as a checkpoint and as ONNX, beside transformers' pipeline, onnxruntime alone
and keras-hub.

    python -m benchmarks.serving --model_dir=minilm --torch_python=torch/bin/python \\
        --onnx_python=onnx/bin/python --keras_hub_python=keras_hub/bin/python

`--model_dir` is the Hugging Face folder of an encoder, such as MiniLM; it gets a random head of two classes, the same
for all but keras-hub, whose weights are random throughout. The peers live in environments of their own:

    python -m venv torch && torch/bin/pip install torch==2.13.0 transformers==5.24.0
    python -m venv onnx && onnx/bin/pip install torch==2.13.0 transformers==5.24.0 onnx onnxscript onnxruntime==1.32.0
    python -m venv keras_hub && keras_hub/bin/pip install tensorflow==2.21.0 keras-hub==0.32.0
"""

import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

from benchmarks import alternating
from benchmarks.alternating import Program, Result
from benchmarks.tables import machine, print_table
from bert import cli, flags
from bert.errors import InputError
from bert.options import option, required

LENGTHS = {"short questions, 8 to 20 pieces": (8, 20), "texts of 128 pieces": (128, 128)}
BATCH_SIZES = (1, 32)
CALLS = {(1, 20): 100, (32, 20): 8, (1, 128): 20, (32, 128): 2}  # in one measurement: some seconds each
TEXTS = 320
OURS, ONNX = "ours", "ours, as ONNX"
AGREEMENT = 1e-4  # of a probability: what programs may differ by and still answer the same


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    model_dir: str = required("Hugging Face folder of an encoder, lower-cased, with vocab.txt.")
    repeats: int = option(5, "Rounds in which the programs take turns.")
    torch_python: str | None = option(None, "Python of an environment with torch and transformers.")
    onnx_python: str | None = option(None, "Python of an environment with these and onnxruntime.")
    keras_hub_python: str | None = option(None, "Python of an environment with TensorFlow and keras-hub.")
    seed: int = option(12345, "Fixes the texts and the head.")

    def check(self) -> None:
        flags.check_positive(self, "repeats")
        for name in ("torch_python", "onnx_python", "keras_hub_python"):
            python = getattr(self, name)
            if python and not shutil.which(python):
                raise InputError(f"--{name}={python}: there is no such program")


def write_classifier(settings: Settings, folder: pathlib.Path) -> None:
    """The encoder with a head, as a Hugging Face folder and as ONNX."""
    import numpy as np

    from bert import checkpoint, conversion, exporting, formats, stored_model

    encoder = stored_model.read(settings.model_dir)
    values = checkpoint.read_values(encoder.weights, encoder.shapes)
    draw = np.random.default_rng(settings.seed)
    hidden = encoder.config.hidden_size
    values["output_weights"] = draw.normal(0, 1 / hidden**0.5, [2, hidden]).astype(np.float32)
    values["output_bias"] = np.zeros(2, np.float32)
    checkpoint.write_variables(str(folder / "model.ckpt-0"), values)
    (folder / "bert_config.json").write_text(encoder.config.to_json())
    shutil.copy(os.path.join(settings.model_dir, formats.VOCAB_FILE), folder)
    stored = stored_model.read(str(folder))
    conversion.convert(stored, str(folder / "huggingface"), formats.HUGGINGFACE)
    exporting.export(stored, str(folder / "onnx"), "onnx", None, {})


def write_texts(settings: Settings, folder: pathlib.Path, shortest: int, longest: int) -> str:
    """Texts of words that are one WordPiece each, [CLS] and [SEP] included in the lengths; returns the path."""
    import numpy as np

    draw = np.random.default_rng(settings.seed)
    entries = pathlib.Path(settings.model_dir, "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = [entry for entry in entries if entry.isascii() and entry.isalpha()]
    sizes = draw.integers(shortest - 2, longest - 2, TEXTS, endpoint=True)
    texts = [" ".join(draw.choice(words, size)) for size in sizes]
    path = folder / f"texts-{longest}.json"
    path.write_text(json.dumps(texts))
    return str(path)


def programs(settings: Settings, folder: pathlib.Path, texts: str, batch_size: int, longest: int) -> list[Program]:
    """Ours and the peers, each answering `batch_size` texts a call."""
    scripts = {
        OURS: ("answer_with_bert.py", sys.executable),
        ONNX: ("answer_with_bert.py", sys.executable),
        "transformers": ("answer_with_transformers.py", settings.torch_python),
        "onnxruntime": ("answer_with_onnxruntime.py", settings.onnx_python),
        "keras-hub": ("answer_with_keras_hub.py", settings.keras_hub_python),
    }
    specification = {
        "texts": texts,
        "batch_size": batch_size,
        "max_seq_length": 24 if longest < 24 else longest,
    }
    calls = CALLS[batch_size, longest]
    models = {name: str(folder / ("onnx" if name == ONNX else "huggingface")) for name in scripts}
    return [
        Program(name, script, python, {"model": models[name], **specification}, calls)
        for name, (script, python) in scripts.items()
    ]


def compare(title: str, results: dict[str, Result], batch_size: int) -> None:
    """Prints a table. Raises InputError where a peer with the same weights answers otherwise."""
    ours = results[OURS]
    for name, result in results.items():
        difference = abs(result.runs[0]["score"] - ours.runs[0]["score"])
        if name != "keras-hub" and difference > AGREEMENT:
            raise InputError(f"{name} and ours give probabilities that differ by {difference:.1e}")
    lines = []
    for name, result in results.items():
        latencies = sorted(1000 * seconds for run in result.runs for seconds in run["latencies"])
        lines.append(
            [
                name,
                f"{result.examples_per_second:.1f}",
                *(f"{result.times_as_fast(own) ** -1:.2f}" for own in (ours, results[ONNX])),
                f"{100 * result.total('cpu_seconds') / result.total('examples'):.2f}",
                f"{statistics.median(latencies):.1f}",
                f"{latencies[int(0.99 * len(latencies))]:.1f}",
                f"{result.about['start_seconds']:.1f}",
                f"{result.peak_mb:.0f}",
            ]
        )
    faster = "ours is faster by", "ours as ONNX is faster by"
    header = "texts/s", *faster, "CPU s of 100 texts", "p50 ms", "p99 ms", "start s", "peak MB"
    print_table(f"{title}, {batch_size} a call", ["program", *header], lines)


def main(settings: Settings) -> None:
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        write_classifier(settings, folder)
        for title, (shortest, longest) in LENGTHS.items():
            texts = write_texts(settings, folder, shortest, longest)
            for batch_size in BATCH_SIZES:
                wanted = programs(settings, folder, texts, batch_size, longest)
                results = alternating.measure(wanted, settings.repeats)
                compare(title, results, batch_size)
                for result in results.values():
                    versions |= result.about["versions"]
    print(f"\n{machine(versions)}")


if __name__ == "__main__":
    cli.run(Settings, main)
