"""The benchmark of training steps: that its tables print, and that it counts operations rightly."""

import importlib.util
import re
import subprocess
import sys

import pytest

from benchmarks import alternating, operations, train_step
from bert.config import BertConfig
from tests import commands

SCRIPT = commands.TESTS.parent / "benchmarks" / "train_step.py"
CONFIG = BertConfig(vocab_size=10, hidden_size=4, num_hidden_layers=2, num_attention_heads=2, intermediate_size=6)


def run(folder, **flags) -> subprocess.CompletedProcess:
    sizes = {"batch_size": 4, "max_seq_length": 16, "max_predictions_per_seq": 3, "steps": 1, "repeats": 1}
    flags = {"bert_config_file": commands.write_config(folder), **sizes, **flags}
    argv = [sys.executable, str(SCRIPT), *(f"--{name}={value}" for name, value in flags.items())]
    return subprocess.run(argv, capture_output=True, text=True)


def rows_of(table: str) -> list[list[str]]:
    """The cells of a table's lines, header and rule left out."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_operations_counted_by_hand():
    # A layer of 3 tokens: query, key, value and output 4 x 2*3*4*4 = 384, scores and context 2 x 2*3*4*3 = 144,
    # feed-forward 2 x 2*3*4*6 = 288: 816.
    # The last of which 1 is read: 2 x 2*1*4*4 + 2 x 2*3*4*4 = 256, 2 x 2*1*4*3 = 48, 2 x 2*1*4*6 = 96: 400.
    assert operations.encoder(CONFIG, tokens=3, read=3) == 2 * 816
    assert operations.encoder(CONFIG, tokens=3, read=1) == 816 + 400
    # Pooler 2*4*4 = 32, projection to 2 classes 2*4*2 = 16; forward once, backward twice.
    assert operations.classifier(CONFIG, tokens=3) == 3 * (816 + 400 + 32 + 16)
    # 2 of 3 masked: the last layer reads all 3; transform 2*2*4*4 = 64, vocabulary 2*2*4*10 = 160.
    assert operations.pretraining(CONFIG, tokens=3, masked=2) == 3 * (2 * 816 + 32 + 16 + 64 + 160)


@pytest.mark.slow
def test_tables_without_peers(tmp_path):
    done = run(tmp_path, parts="static,share")
    assert done.returncode == 0, done.stderr
    assert "transformers: left out" in done.stderr
    assert "keras-hub: left out" in done.stderr
    _, steps, shares = done.stdout.split("### ")
    ((name, seconds, *_, peak_mb),) = rows_of(steps)
    assert name == "ours"
    assert float(seconds) > 0
    assert float(peak_mb) > 100
    ((part, gigaflop, *_, share),) = rows_of(shares)
    config = BertConfig.from_dict(commands.TINY)
    assert part == "static"
    assert float(gigaflop) == pytest.approx(4 * operations.classifier(config, tokens=16) / 1e9, rel=1e-3)
    assert re.fullmatch(r"\d+%", share)
    assert re.match(r"\d+ cores, .*TensorFlow 2", done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_rows_of_mrpc_and_of_pretraining(tmp_path):
    lines = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
    lines += [f"{i % 2}\t{i}\t{i}\t{'a dog ' * (1 + i % 3)}\tthe man" for i in range(16)]
    (tmp_path / "train.tsv").write_text("\n".join(lines) + "\n")
    files = {"mrpc_dir": tmp_path, "vocab_file": commands.VOCABULARY}
    done = run(tmp_path, parts="mrpc,pretraining,share", mrpc_batches=2, **files)
    assert done.returncode == 0, done.stderr
    names = [[row[0] for row in rows_of(table)] for table in done.stdout.split("### ")[1:]]
    assert names == [["ours"], ["ours"], ["mrpc", "pretraining"]]


@pytest.mark.slow
def test_variants_of_the_step(tmp_path):
    """The forms farthest from the usual step: each flag that saves memory, and XLA with everything changed."""
    settings = train_step.Settings(bert_config_file=commands.write_config(tmp_path), batch_size=4, max_seq_length=16)
    bench = train_step.Bench(settings, tmp_path)
    train_step.write_static(bench)
    variants = {
        "memory": train_step.MEMORY_OPTIONS["all three"],
        "xla": {"xla": True, "gelu": "plain", "dropout": "tensorflow"},
    }
    results = bench.measure([bench.ours("static", 2, name, **options) for name, options in variants.items()], 1)
    for result in results.values():
        assert result.runs[0]["examples"] == 8
        assert 0 < result.runs[0]["loss"] < 2
        assert result.step_seconds > 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"parts": "static,speed"}, "--parts has 'speed'"),
        ({"parts": "share"}, "add one"),
        (
            {"parts": "static", "torch_python": "/path/to/python"},
            "there is no such program",
        ),
        ({"parts": "mrpc", "mrpc_dir": ".", "mrpc_batches": 12}, "--mrpc_dir needs --vocab_file"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tmp_path, flags, message):
    done = run(tmp_path, **flags)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]


def test_a_peer_without_its_package_is_left_out(capsys):
    if importlib.util.find_spec("torch"):
        pytest.skip("torch is installed here")
    program = alternating.Program("transformers", "with_transformers.py", sys.executable, {}, steps=1)
    assert alternating.measure([program], rounds=1) == {}
    assert "transformers: left out" in capsys.readouterr().err
