"""The benchmarks: that their tables print, and that they count and compare rightly."""

import dataclasses
import importlib.util
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import alternating, finished, operations, quality, quality_table, train_step
from benchmarks.peers import fine_tune_with_transformers
from benchmarks.quality_programs import PROGRAMS
from bert import checkpoint
from bert.commands import run_classifier
from bert.config import BertConfig
from bert.errors import InputError
from bert.heads import SequenceClassifier
from bert.optimization import AdamWeightDecay, WarmupLinearDecay
from tests import commands

ROOT = commands.TESTS.parent
CONFIG = BertConfig(vocab_size=10, hidden_size=4, num_hidden_layers=2, num_attention_heads=2, intermediate_size=6)


def run(folder, **flags) -> subprocess.CompletedProcess:
    sizes = {"batch_size": 4, "max_seq_length": 16, "max_predictions_per_seq": 3, "steps": 1, "repeats": 1}
    flags = {"bert_config_file": commands.write_config(folder), **sizes, **flags}
    argv = [sys.executable, "-m", "benchmarks.train_step", *(f"--{name}={value}" for name, value in flags.items())]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)


def rows_of(table: str) -> list[list[str]]:
    """The cells of a table's lines, header and rule left out."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def write_mrpc(folder, split: str, rows: int) -> None:
    """Writes a file of MRPC's columns to the folder MRPC."""
    lines = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
    lines += [f"{i % 2}\t{i}\t{i}\t{'a dog ' * (1 + i % 3)}\tthe man" for i in range(rows)]
    (folder / "MRPC").mkdir(exist_ok=True)
    (folder / "MRPC" / f"{split}.tsv").write_text("\n".join(lines) + "\n")


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
    write_mrpc(tmp_path, "train", 16)
    files = {"mrpc_dir": tmp_path / "MRPC", "vocab_file": commands.VOCABULARY}
    done = run(tmp_path, parts="mrpc,pretraining,share", mrpc_batches=2, **files)
    assert done.returncode == 0, done.stderr
    names = [[row[0] for row in rows_of(table)] for table in done.stdout.split("### ")[1:]]
    assert names == [["ours", "ours, rows of like length together"], ["ours"], ["mrpc", "pretraining"]]


@pytest.mark.slow
def test_texts_evaluated_and_predicted(tmp_path):
    write_mrpc(tmp_path, "dev", 10)
    (tmp_path / "train.csv").write_text("text,category\nThe dog?,dogs\nWhere is the man and the old company?,people\n")
    files = {"mrpc_dir": tmp_path / "MRPC", "banking77_dir": tmp_path, "vocab_file": commands.VOCABULARY}
    sizes = {"bert_config_file": commands.write_config(tmp_path), "max_seq_length": 16, "questions": 5}
    flags = {**files, **sizes, "batch_size": 4, "repeats": 1}
    argv = [sys.executable, "-m", "benchmarks.evaluation", *(f"--{name}={value}" for name, value in flags.items())]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "transformers, sorted by length: left out" in done.stderr
    tables = done.stdout.split("### ")[1:]
    assert [table.splitlines()[0] for table in tables] == [
        "MRPC's dev set, evaluated, at most 4 in a batch",
        "5 questions, predicted, at most 4 in a batch",
    ]
    for table in tables:
        whole, alone = rows_of(table)
        assert (whole[0], alone[0]) == ("ours", "ours, the model alone")
        assert whole[2] == whole[4] == "1.00"
        assert float(alone[2]) == pytest.approx(float(whole[1]) / float(alone[1]), abs=0.02)


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


def quality_bench(folder, **flags) -> quality.Bench:
    """Of a model that is only a file: enough for a bench that runs nothing."""
    (folder / "bert_model.ckpt.data-00000-of-00001").write_bytes(b"weights")
    settings = quality.Settings(model_dir=str(folder), work_dir=str(folder / "work"), **flags)
    return quality.Bench(settings)


def store(bench: quality.Bench, task: str, rate: float, seed: int, program: str, seconds: float, **measures: float):
    """Keeps a result as if the run had been made, for benches made later too."""
    took = {"seconds": seconds, "cpu_seconds": 2 * seconds, "other_cpu_seconds": 0.0}
    (run,) = (run for run in bench.runs([task], [program]) if (run.rate, run.seed) == (rate, seed))
    finished.add(bench.path, run, {**measures, **took})
    bench.found |= finished.read(bench.path, quality_table.Run)


def test_quality_tables_of_stored_results(tmp_path, capsys):
    bench = quality_bench(tmp_path, programs="")
    store(bench, "mrpc", 2e-5, 1, "ours", 10, accuracy=0.8, f1=0.9)
    store(bench, "mrpc", 2e-5, 2, "ours", 20, accuracy=0.78, f1=0.9)
    store(bench, "mrpc", 1e-4, 1, "ours", 15, accuracy=0.795, f1=0.95)
    store(bench, "mrpc", 1e-4, 1, "uncorrected", 15, accuracy=0.79, f1=0.91)
    store(bench, "mrpc", 2e-5, 1, "transformers", 30, accuracy=0.8, f1=0.91)
    store(bench, "sts-b", 2e-5, 1, "ours", 8, pearson=0.7, spearman=0.6)
    quality.main(bench.settings)
    table = capsys.readouterr().out
    two = "0.790 ± 0.014 (0.800, 0.780)"  # of its seed 1 the other rate is worse, so this is the best
    f1, of_1 = "0.900 ± 0.000 (0.900, 0.900)", "2e-05 of 1: "
    costs = ["15", "30", "2.00", "30", "60", "2.00"]
    assert [row for row in rows_of(table) if row[0] in ("MRPC", "STS-B")] == [
        ["MRPC", "accuracy", "2e-05", two, "-", "0.800"],
        ["MRPC", "accuracy", "0.0001", "0.795", "0.790", "-"],
        ["MRPC", "F1", "2e-05", f1, "-", "0.910"],
        ["MRPC", "F1", "0.0001", "0.950", "0.910", "-"],
        ["STS-B", "Pearson", "2e-05", "0.700", "-", "-"],
        ["STS-B", "Spearman", "2e-05", "0.600", "-", "-"],
        ["MRPC", "accuracy", f"2e-05 of 2: {two}", "0.0001 of 1: 0.790", f"{of_1}0.800", "+0.000", "-0.010", *costs],
        ["MRPC", "F1", f"2e-05 of 2: {f1}", "0.0001 of 1: 0.910", f"{of_1}0.910", "-0.010", "+0.000", *[""] * 6],
        ["STS-B", "Pearson", f"{of_1}0.700", "-", "-", "-", "-", "8", "-", "-", "16", "-", "-"],
        ["STS-B", "Spearman", f"{of_1}0.600", "-", "-", "-", "-", *[""] * 6],
    ]


@pytest.mark.slow
def test_pretraining_data_beside_another_checkout(tmp_path):
    reviews = tmp_path / "reviews.csv"
    reviews.write_text("text\n" + "The old man. <br />A dog is here! The company said it.\n" * 50)
    sizes = {"megabytes": 0, "scaling_megabytes": 0.01, "scaling_rounds": 1, "scaling_workers": "1", "dupe_factor": 1}
    others = {"memory_megabytes": "", "stage_megabytes": 0, "reviews": reviews, "vocab_file": commands.VOCABULARY}
    flags = {**sizes, **others, "before": ROOT}
    argv = [sys.executable, "-m", "benchmarks.pretraining_data"]
    argv += [f"--{name}={value}" for name, value in flags.items()]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert [row[0] for row in rows] == ["before: exact", "before: streaming 1", "exact", "streaming 1"]
    for name, seconds, *_, whole in rows:
        assert float(whole) > float(seconds), name  # by the imports


@pytest.mark.slow
@pytest.mark.parametrize("program", ["uncorrected", "ours-tanh"])
def test_quality_of_ours(tmp_path, capsys, program):
    commands.write_config(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(commands.VOCABULARY.read_bytes())
    model = SequenceClassifier(BertConfig.from_dict(commands.TINY), 2)
    weights = {variable.path: variable.value for variable in model.weights if variable.path.startswith("bert/")}
    checkpoint.write_variables(str(tmp_path / "bert_model.ckpt"), weights)
    write_mrpc(tmp_path, "train", 16)
    write_mrpc(tmp_path, "dev", 8)
    work_dir = tmp_path / "work"
    flags = {"model_dir": str(tmp_path), "work_dir": str(work_dir), "glue_dir": str(tmp_path), "tasks": "mrpc"}
    settings = quality.Settings(**flags, train_batch_size=4, seeds="1", learning_rates="1e-3", programs=program)
    quality.main(settings)
    ((run, measures),) = finished.read(work_dir / "results.jsonl", quality_table.Run).items()
    assert run[:6] == ("mrpc", 1e-3, 1, program, 3.0, 4)
    name = f"mrpc-0.001-1-{program}"
    log = (work_dir / f"{name}.log").read_text()
    assert "  global_step = 12\n" in log
    for measure in ("accuracy", "f1"):
        assert float(re.search(rf"  eval_{measure} = (\S+)", log)[1]) == measures[measure]
    assert measures["seconds"] > 1
    assert measures["cpu_seconds"] > 1
    assert {path.name for path in work_dir.iterdir()} == {f"{name}.log", "results.jsonl"}  # no weights
    first = capsys.readouterr()
    quality.main(settings)
    again = capsys.readouterr()
    assert f"{name}: running" in first.err
    assert "running" not in again.err
    assert again.out.splitlines()[:-1] == first.out.splitlines()[:-1]  # the machine's speed is measured anew


def test_quality_runs_what_has_no_result(tmp_path, capsys):
    flags = {"seeds": "1,2", "learning_rates": "1e-4", "programs": "ours,transformers", "tasks": "mrpc,sts-b,tnews"}
    bench = quality_bench(tmp_path, glue_dir="glue", tnews_dir="tnews", **flags)
    store(bench, "mrpc", 1e-4, 1, "ours", 10, accuracy=0.8, f1=0.9)
    names = ["sts-b-0.0001-1-ours", "mrpc-0.0001-2-ours", "sts-b-0.0001-2-ours"]
    assert [run.name for run in bench.runs_to_do()] == names
    said = capsys.readouterr().err
    assert "transformers: left out, no Python is given for it" in said
    assert "tnews: not run, --chinese_model_dir is not given" in said


def test_quality_without_packages_or_files(tmp_path, capsys):
    if importlib.util.find_spec("torch"):
        pytest.skip("torch is installed here")
    bench = quality_bench(tmp_path, programs="transformers", torch_python=sys.executable, glue_dir="glue")
    assert bench.runs_to_do() == []
    said = capsys.readouterr().err
    assert f"transformers: left out, {sys.executable} has no package torch" in said
    assert "banking77: not run, --banking77_dir is not given" in said


def test_quality_results_of_other_settings_are_not_mixed(tmp_path):
    store(quality_bench(tmp_path, train_batch_size=16), "cola", 5e-5, 1, "ours", 10, matthews=0.5)
    assert len(quality_bench(tmp_path, train_batch_size=16).results()) == 1
    assert not quality_bench(tmp_path).results()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"learning_rates": "1e-4,0"}, "--learning_rates is '1e-4,0', expected numbers above 0, separated by commas"),
        ({"learning_rates": "1e-4,a"}, "--learning_rates is '1e-4,a', expected numbers above 0, separated by commas"),
        ({"seeds": "1,b"}, "--seeds has 'b', expected numbers separated by commas"),
    ],
)
def test_quality_refuses_what_is_no_number(tmp_path, flags, message):
    settings = quality.Settings(model_dir=str(tmp_path), work_dir=str(tmp_path / "work"), **flags)
    with pytest.raises(InputError, match=re.escape(message)):
        settings.check()


def test_quality_measures_counted_by_hand():
    # Of the second label, "1": found 2 of 3, and 2 of the 3 said are right. "0": 1 of 2, both ways.
    gold, said = ["0", "0", "1", "1", "1"], ["0", "1", "1", "1", "0"]
    expected = {"accuracy": 3 / 5, "f1": 2 / 3, "macro_f1": (2 / 3 + 1 / 2) / 2, "matthews": (2 * 1 - 1 * 1) / 6}
    for name, value in expected.items():
        assert quality_table.measure(name, gold, said) == pytest.approx(value), name
    assert quality_table.measure("spearman", [1.0, 2.0, 3.0], [0.1, 0.2, 9.0]) == pytest.approx(1.0)
    assert quality_table.measure("pearson", [1.0, 2.0, 3.0], [1.0, 0.0, 1.0]) == pytest.approx(0.0)


def test_the_peer_reads_the_files_as_they_are(tmp_path):
    lines = ["\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", '1\t7\t8\t" Yes , " he said\tHe said "yes" .']
    (tmp_path / "train.tsv").write_text("\n".join(lines), encoding="utf-8")
    read = fine_tune_with_transformers.read
    assert read("mrpc", tmp_path, "train") == ([['" Yes , " he said', 'He said "yes" .']], ["1"])
    (tmp_path / "dev.tsv").write_text("gj04\t0\t*\tThe dog sleep.\ngj04\t1\t\tThe dog sleeps.\n")
    assert read("cola", tmp_path, "dev") == ([["The dog sleep."], ["The dog sleeps."]], ["0", "1"])
    (tmp_path / "dev.tsv").write_text("\t".join(["header"] * 10) + "\n" + "\t".join([*"0123456", "A.", "B.", "3.800"]))
    assert read("sts-b", tmp_path, "dev") == ([["A.", "B."]], [3.8])
    (tmp_path / "test.csv").write_text('text,category\n"Why, and\nwhen?",fees\n')
    assert read("banking77", tmp_path, "dev") == ([["Why, and\nwhen?"]], ["fees"])


def test_weights_for_the_peer(tmp_path):
    prefix = str(tmp_path / "bert_model.ckpt")
    kernel = np.arange(6).reshape(2, 3)
    stored = {"bert/pooler/dense/kernel": kernel, "bert/pooler/dense/kernel/adam_m": kernel, "output_weights": kernel}
    checkpoint.write_variables(prefix, stored)
    quality.export_weights(tmp_path, tmp_path / "weights.npz")
    exported = np.load(tmp_path / "weights.npz")
    assert exported.files == ["bert.pooler.dense.weight"]
    assert exported["bert.pooler.dense.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_what_is_changed_of_a_program_is_known_here():
    flags_of_ours = {field.name for field in dataclasses.fields(run_classifier.Settings)}
    for name, program in PROGRAMS.items():
        assert set(program.flags) <= flags_of_ours, name
        BertConfig.from_dict({**commands.TINY, **program.config})
        assert bool(program.peer) == (program.is_peer and name != "transformers"), name


def test_the_peer_can_follow_our_schedule():
    ours = WarmupLinearDecay(1.0, total_steps=20, warmup_steps=2)
    theirs = [fine_tune_with_transformers.google_share(2, 20, step) for step in range(20)]
    assert theirs == pytest.approx([float(ours(step)) for step in range(20)])
    assert theirs[:3] == [0, 0.5, 0.9]


def test_the_peer_can_have_our_epsilon():
    """torch's AdamW, written out, takes ours' steps with it."""
    variable = keras.Variable([0.0, 0.0, 0.0])
    ours = AdamWeightDecay(learning_rate=0.1, decay=0.0, clip_norm=1e9, bias_correction=True)
    weights = m = v = np.zeros(3)
    for step in range(1, 4):
        gradient = np.array([1e-6, 1e-3, step])
        ours.apply([tf.constant(gradient, tf.float32)], [variable])
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        epsilon = fine_tune_with_transformers.google_epsilon(step)
        weights = weights - 0.1 / (1 - 0.9**step) * m / (np.sqrt(v) / np.sqrt(1 - 0.999**step) + epsilon)
    np.testing.assert_allclose(variable.numpy(), weights, rtol=1e-4)
