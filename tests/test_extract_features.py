"""Vectors as the original gives them, pooled ones as numpy has them, in the order of the input, in flat memory."""

import gzip
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bert import checkpoint
from bert.features import extractor, texts
from bert.features.options import Options
from tests import commands
from tests.test_distribution import TWO_CPUS

ROOT = pathlib.Path(__file__).parent.parent
LAYERS = (-1, -2, 0)
WORDS = ("the", "bank", "of", "river", "is", "it", "open", "yes", "to", "public", "no", "such", "word")


@pytest.fixture
def flags(golden, tmp_path) -> dict[str, object]:
    """A run of the original: tests/golden/README.md."""
    return {
        "input_file": golden / "features" / "in.txt",
        "output_file": tmp_path / "out.jsonl",
        "vocab_file": golden / "features" / "vocab_micro.txt",
        "bert_config_file": golden / "model" / "micro" / "bert_config.json",
        "init_checkpoint": golden / "model" / "micro" / "model.ckpt",
        "layers": ",".join(map(str, LAYERS)),
        "max_seq_length": 32,
        "batch_size": 3,
    }


@pytest.fixture
def expected(golden) -> list[dict]:
    return read_lines(golden / "features" / "out.jsonl")


def read_lines(path) -> list[dict]:
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rb") as file:
        return [json.loads(line) for line in file]


def run(flags, **changes) -> commands.Outcome:
    outcome = commands.run("extract_features", **{**flags, **changes})
    assert outcome.status == 0, outcome.stderr
    return outcome


def without_values(lines: list[dict]) -> list:
    """All that a file says but the numbers."""
    return [
        (list(line), line["linex_index"], piece["token"], [one["index"] for one in piece["layers"]])
        for line in lines
        for piece in line["features"]
    ]


def values_of(line: dict) -> np.ndarray:
    """[K, n, H]"""
    return np.array([[one["values"] for one in piece["layers"]] for piece in line["features"]]).transpose(1, 0, 2)


def assert_same(found: list[dict], expected: list[dict]) -> None:
    assert without_values(found) == without_values(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(values_of(ours), values_of(theirs), atol=2e-5)


def vectors(path) -> np.ndarray:
    with np.load(path) as arrays:
        assert list(arrays) == ["vectors"]
        assert arrays["vectors"].dtype == np.float32
        return arrays["vectors"]


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_the_original_s_output(flags, expected, batch_size):
    outcome = run(flags, batch_size=batch_size)
    assert_same(read_lines(flags["output_file"]), expected)
    assert "1 of 7 texts (14.3%) were cut to --max_seq_length=32; the longest has 89 WordPieces." in outcome.stderr
    assert "not used by this model: cls/predictions/output_bias" in outcome.stderr
    assert "RANDOM" not in outcome.stderr
    assert os.listdir(flags["output_file"].parent) == ["out.jsonl"]


POOLED = {
    "mean": lambda values: values.mean(1),
    "cls": lambda values: values[:, 0],
    "max": lambda values: values.max(1),
}


@pytest.mark.parametrize("pooling", POOLED)
def test_pooling_is_that_of_numpy_over_the_original_s_values(flags, expected, pooling, tmp_path):
    outcome = run(flags, pooling=pooling, output_format="npz", output_file=tmp_path / "out.npz")
    assert f"7 texts, a vector each: {pooling} of layer -1, -2, 0, one after the other: 96 values." in outcome.stderr
    wanted = np.stack([POOLED[pooling](values_of(line)).reshape(-1) for line in expected])
    found = vectors(tmp_path / "out.npz")
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    run(flags, pooling=pooling)
    lines = read_lines(flags["output_file"])
    assert [list(line) for line in lines] == [["linex_index", "values"]] * 7
    assert [line["linex_index"] for line in lines] == list(range(7))
    np.testing.assert_allclose([line["values"] for line in lines], found, atol=1e-6)


def many_lines(count: int) -> list[str]:
    generator = random.Random(4)
    return [" ".join(generator.choice(WORDS) for _ in range(generator.randint(0, 40))) for _ in range(count)]


@pytest.mark.parametrize("pooling", ["none", "mean"])
def test_lines_of_all_lengths_come_out_in_their_order(flags, tmp_path, monkeypatch, pooling):
    """Small windows and blocks, so that there are many of each; and the same lines one by one."""
    lines = many_lines(150)
    paths = {name: str(flags[name]) for name in ("vocab_file", "bert_config_file", "init_checkpoint")}
    options = Options(**paths, max_seq_length=32, batch_size=4, layers="-1,0", pooling=pooling)
    model = extractor.Extractor(options)
    alone = [next(model.extract([line])) for line in lines]
    monkeypatch.setattr(extractor, "_HELD_VALUES", 1 << 14 if pooling == "none" else 1000)
    advanced = []
    together = list(model.extract(lines, advanced.append))
    assert sum(advanced) == len(lines) == len(together)
    for one, other in zip(alone, together, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert one.full_length == other.full_length
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)
    monkeypatch.setattr(texts, "TEXTS_IN_BLOCK", 20)
    (tmp_path / "in.txt").write_text("\n".join(lines))
    run(flags, input_file=tmp_path / "in.txt", pooling=pooling, batch_size=4, layers="-1,0")
    written = read_lines(flags["output_file"])
    assert [line["linex_index"] for line in written] == list(range(150))
    for line, features in zip(written, together, strict=True):
        found = values_of(line) if pooling == "none" else line["values"]
        np.testing.assert_allclose(found, features.values, atol=1e-5)


def test_batches_have_few_lengths_and_little_padding():
    lengths = {longest: texts.padded_length(longest, 500) for longest in range(2, 501)}
    assert len(set(lengths.values())) <= 24
    assert all(longest <= length <= 500 for longest, length in lengths.items())
    assert all(length - longest < max(4, length / 5) for longest, length in lengths.items())


def test_blocks_are_whole_batches_and_limited_in_size(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "TEXTS_IN_BLOCK", 10)
    monkeypatch.setattr(texts, "_CHARACTERS_IN_BLOCK", 1000)
    for name, lines in (("a", ["x"] * 25), ("b", ["y" * 400] * 4)):
        (tmp_path / name).write_text("\n".join(lines))
    surveyed = texts.survey([str(tmp_path / "a"), str(tmp_path / "b")], 4)
    assert surveyed[1:] == (29, 5)
    blocks = [block for part in surveyed.parts for block in texts.read_blocks(part, 4)]
    assert [(block.number, block.first, len(block.lines)) for block in blocks] == [
        *((0, 0, 12), (1, 12, 12), (2, 24, 1)),
        *((3, 25, 3), (4, 28, 1)),
    ]


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("a ||| b", ("a", "b")),
        ("  a|||b ", ("a|||b", "")),
        ("a ||| b ||| c", ("a ||| b", "c")),  # the original looks from the right
        (" ||| b", ("||| b", "")),
        ("a ||| ", ("a |||", "")),
        ("", ("", "")),
    ],
)
def test_pairs(line, pair):
    assert texts.split_pair(line) == pair


def test_the_state_of_a_training_is_left_aside(flags, golden):
    outcome = run(flags, init_checkpoint=golden / "model" / "micro" / "final.ckpt")
    assert "53 variables matched, 0 missing, 9 unused" in outcome.stderr


def test_a_hugging_face_folder(flags, golden, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(golden / "huggingface" / "tagger", folder)
    vocabulary = (golden / "features" / "vocab_micro.txt").read_text().splitlines()
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary[:size]))
    model = dict.fromkeys(("init_checkpoint", "bert_config_file", "vocab_file"), folder)
    flags |= {**model, "layers": "-1", "max_seq_length": 16, "output_file": tmp_path / "out.npz"}
    run(flags, pooling="mean", output_format="npz")
    assert vectors(tmp_path / "out.npz").shape == (7, json.loads((folder / "config.json").read_text())["hidden_size"])


def test_packed_files_in_and_out(flags, expected, tmp_path):
    content = pathlib.Path(flags["input_file"]).read_bytes()
    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(content))
    run(flags, input_file=tmp_path / "in.txt.gz", output_file=tmp_path / "out.jsonl.gz")
    assert_same(read_lines(tmp_path / "out.jsonl.gz"), expected)


def test_several_files_are_one_input(flags, expected, tmp_path):
    lines = pathlib.Path(flags["input_file"]).read_text().splitlines(keepends=True)
    for name, part in (("part-0", lines[:4]), ("part-1", lines[4:])):
        (tmp_path / name).write_text("".join(part))
    run(flags, input_file=tmp_path / "part-*")
    assert_same(read_lines(flags["output_file"]), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": "0,last"}, "--layers is '0,last', expected whole numbers with commas between them, such as -1,-2"),
        ({"layers": "-4"}, "has 3 layers, expected -3 to 2"),
        ({"layers": "3"}, "--layers names 3, but the model of --bert_config_file="),
        ({"max_seq_length": 1}, "--max_seq_length is 1, expected at least 2"),
        ({"max_seq_length": 2}, "--max_seq_length is 2, too short for [CLS] [SEP] [SEP] of a text pair"),
        ({"max_seq_length": 41}, "--max_seq_length is 41, but the model of"),
        ({"batch_size": 0}, "--batch_size is 0, expected at least 1"),
        ({"output_format": "npz"}, "--output_format=npz holds one vector a text and needs --pooling"),
        ({"output_format": "npz", "pooling": "mean"}, "expected NAME.npz"),
        ({"pooling": "sum"}, "--pooling=sum"),
        ({"input_file": "none.txt"}, "--input_file: no file matches 'none.txt'"),
        ({"input_file": "{tmp}/bytes"}, "/bytes:2: not UTF-8: byte 0xff"),
        ({"input_file": "{tmp}/empty"}, "--input_file: found no line in"),
        (
            {"output_file": "{tmp}/no/out.jsonl"},
            "--output_file: the folder {tmp}/no of {tmp}/no/out.jsonl does not exist",
        ),
        ({"output_file": "{tmp}/empty", "input_file": "{tmp}/empty"}, "which would be overwritten"),
        ({"output_file": "{tmp}"}, "--output_file: {tmp} is a folder"),
        ({"vocab_file": "{tmp}/none"}, "--vocab_file: {tmp}/none does not exist"),
        ({"vocab_file": str(commands.VOCABULARY)}, "has 473 entries, but vocab_size in --bert_config_file is 100"),
        ({"init_checkpoint": "{tmp}/none.ckpt"}, "--init_checkpoint: no checkpoint at {tmp}/none.ckpt"),
        ({"init_checkpoint": "/path/to/cased_L-12_H-768_A-12/bert_model.ckpt"}, "a cased model"),
        ({"beam_options": "--x"}, "--beam_options='--x' is given without --beam_runner"),
        ({"use_tpu": True, "master": "grpc://localhost:1"}, "--use_tpu: no TPU at 'grpc://localhost:1'"),
        ({"master": 1, "num_tpu_cores": 0}, "--num_tpu_cores is 0, expected at least 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line(flags, tmp_path, changes, message):
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"the bank\n\xff\n")
    before = sorted(os.listdir(tmp_path))
    filled = {name: str(value).replace("{tmp}", str(tmp_path)) for name, value in changes.items()}
    outcome = commands.run("extract_features", **{**flags, **filled})
    assert message.replace("{tmp}", str(tmp_path)) in outcome.error
    assert sorted(os.listdir(tmp_path)) == before


def test_a_part_of_the_encoder_that_is_missing_is_an_error(flags, tmp_path):
    prefix = str(flags["init_checkpoint"])
    names = [name for name in checkpoint.read_shapes(prefix) if "layer_1/intermediate" not in name]
    checkpoint.write_variables(str(tmp_path / "part.ckpt"), checkpoint.read_values(prefix, names))
    error = commands.run("extract_features", **{**flags, "init_checkpoint": tmp_path / "part.ckpt"}).error
    name = "bert/encoder/layer_1/intermediate/dense"
    assert f"part.ckpt lacks 2 variables of the encoder: {name}/kernel, {name}/bias" in error


def test_vectors_that_are_no_numbers_are_an_error(flags, tmp_path):
    values = checkpoint.read_values(
        str(flags["init_checkpoint"]), checkpoint.read_shapes(str(flags["init_checkpoint"]))
    )
    values["bert/embeddings/LayerNorm/beta"][:] = np.nan
    checkpoint.write_variables(str(tmp_path / "nan.ckpt"), values)
    error = commands.run("extract_features", **{**flags, "init_checkpoint": tmp_path / "nan.ckpt"}).error
    assert "nan.ckpt: the model's vectors are no numbers" in error
    assert not flags["output_file"].exists()


def command(flags, **changes) -> list[str]:
    return [
        sys.executable,
        "extract_features.py",
        *(f"--{name}={value}" for name, value in {**flags, **changes}.items()),
    ]


@pytest.mark.slow
def test_a_kill_leaves_nothing_under_the_output_s_name(flags, tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(many_lines(20_000)))
    argv = command(flags, input_file=tmp_path / "in.txt")
    process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)
    while not any(path.stat().st_size for path in tmp_path.glob("out.jsonl.tmp-*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not flags["output_file"].exists()
    run(flags)
    assert sorted(os.listdir(tmp_path)) == ["in.txt", "out.jsonl"]


@pytest.mark.slow
def test_two_devices_give_the_same(flags, expected):
    arguments = [f"--{name}={value}" for name, value in {**flags, "batch_size": 4}.items()]
    code = (
        f"{TWO_CPUS}\n"
        "from bert import cli\n"
        "from bert.commands.extract_features import Settings\n"
        "from bert.features.extract import extract\n"
        f"settings = cli.parse(Settings, ['x', *{arguments!r}])\n"
        "strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])\n"
        "extract(settings.input_paths(), settings.output_file, settings, strategy)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_same(read_lines(flags["output_file"]), expected)


@pytest.mark.slow
@pytest.mark.parametrize("output_format", ["jsonl", "npz"])
def test_beam_gives_the_same_vectors(flags, tmp_path, output_format):
    """On two processes, with lines so long that there are several blocks; the shards in their order."""
    pytest.importorskip("apache_beam")
    lines = [line + "." * 500_000 if number % 7 == 0 else line for number, line in enumerate(many_lines(200))]
    (tmp_path / "in.txt").write_text("\n".join(lines))
    flags |= {"input_file": tmp_path / "in.txt", "pooling": "mean", "output_format": output_format}
    flags["output_file"] = tmp_path / f"out.{output_format}"
    alone = run(flags)
    argv = command(
        flags, beam_runner="DirectRunner", beam_options="--direct_num_workers=2 --direct_running_mode=multi_processing"
    )
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shards = sorted(tmp_path.glob("out-*"))
    assert [path.name for path in shards] == [f"out-{number:05d}-of-00002.{output_format}" for number in range(2)]
    if output_format == "npz":
        found, wanted = np.concatenate([vectors(path) for path in shards]), vectors(flags["output_file"])
    else:
        wanted = np.array([line["values"] for line in read_lines(flags["output_file"])])
        found_lines = [line for path in shards for line in read_lines(path)]
        assert [line["linex_index"] for line in found_lines] == list(range(200))
        found = np.array([line["values"] for line in found_lines])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert done.stderr.splitlines()[-1] == alone.stderr.splitlines()[-1]
    assert len(list(tmp_path.iterdir())) == 4
    again = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 1
    assert "is there already" in again.stderr.splitlines()[-1]
