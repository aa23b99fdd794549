"""Bad input to the training commands: one line that names the place and the values, status 1, nothing half-written.

The rows of docs/parity.md 2, and what else users get wrong. Most is refused before any work: a case takes
milliseconds.
"""

import os
import pathlib
import shutil
import types

import numpy as np
import pytest

from bert import input_pipeline, records
from bert.records.frames import frame, header
from bert.records.serialization import serialize
from bert.tokenization import SPECIAL_TOKENS
from tests import commands

PREFIX = "model.ckpt-2"


def pretraining_flags(folder: pathlib.Path) -> dict:
    return {
        "bert_config_file": commands.write_config(folder),
        "input_file": commands.write_records(folder / "records", commands.golden_rows("small_both")[:40]),
        "output_dir": folder / "output",
        "max_seq_length": 32,
        "max_predictions_per_seq": 5,
        "train_batch_size": 8,
        "num_train_steps": 2,
        "do_train": True,
    }


def classifier_flags(folder: pathlib.Path) -> dict:
    data = folder / "data"
    data.mkdir()
    for split in ("train", "dev", "test"):
        rows = "".join(f"{number % 2}\t1\t2\tthe company said no\tafter the bell\n" for number in range(8))
        (data / f"{split}.tsv").write_text("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n" + rows)
    return {
        "task_name": "MRPC",
        "data_dir": data,
        "vocab_file": shutil.copy(commands.VOCABULARY, folder / "vocab.txt"),
        "bert_config_file": commands.write_config(folder),
        "output_dir": folder / "output",
        "max_seq_length": 16,
        "train_batch_size": 8,
        "num_train_epochs": 2,
        "do_train": True,
    }


FLAGS = {"run_pretraining": pretraining_flags, "run_classifier": classifier_flags}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a finished run of each command; made when first asked for, copied by those who change it."""
    folders = {}

    def folder_of(script: str) -> pathlib.Path:
        if script not in folders:
            folder = tmp_path_factory.mktemp(script)
            outcome = commands.run(script, **FLAGS[script](folder))
            assert outcome.status == 0, outcome.stderr
            folders[script] = folder / "output"
        return folders[script]

    return folder_of


def refused(script: str, folder: pathlib.Path, flags: dict) -> str:
    """The line of the error; the output folder is as before, or still not there."""
    output = pathlib.Path(flags["output_dir"])
    existed, before = output.exists(), commands.listing(folder)
    outcome = commands.run(script, **{name: value for name, value in flags.items() if value is not None})
    error = outcome.error
    assert output.exists() == existed
    assert commands.listing(folder) == before
    return error


def check(script, folder, spoil, expected) -> None:
    flags = FLAGS[script](folder)
    flags |= spoil(types.SimpleNamespace(folder=folder, **flags)) or {}
    error = refused(script, folder, flags)
    for part in expected:
        assert part.format(folder=folder) in error, error


def case(identity, spoil, *expected):
    """A wrong input: what spoils the files or gives other flags, and what the line has to hold."""
    return pytest.param(spoil, expected, id=identity)


def flags(**changes):
    """Other flags; {folder} in a text is the folder of the test."""

    def spoil(given):
        return {
            name: value.format(folder=given.folder) if isinstance(value, str) else value
            for name, value in changes.items()
        }

    return spoil


def all_of(*spoils):
    def spoil(given):
        changes = [one(given) or {} for one in spoils]
        return {name: value for change in changes for name, value in change.items()}

    return spoil


def config(**changes):
    """A model of other sizes."""
    return lambda given: commands.write_config(given.folder, **changes) and None


def file(name: str, change):
    """Another content of a file, or what a function makes of its bytes."""

    def spoil(given):
        path = given.folder / name
        path.write_bytes(change(path.read_bytes()) if callable(change) else change)

    return spoil


def removed(name: str):
    return lambda given: (given.folder / name).unlink()


def line(name: str, number: int, text: str):
    """Another line, counted from 1, of a file of the classifier's data."""

    def changed(content: bytes) -> bytes:
        lines = content.decode().splitlines()
        lines[number - 1] = text
        return "\n".join([*lines, ""]).encode()

    return file(f"data/{name}", changed)


def without(token: str):
    return file("vocab.txt", lambda content: content.replace(f"{token}\n".encode(), b"other\n"))


def first_record(**changes):
    """Other features of the first pre-training record."""

    def spoil(given):
        rows = commands.golden_rows("small_both")[:40]
        commands.write_records(given.folder / "records", [{**rows[0], **changes}, *rows[1:]])

    return spoil


def serialized(*rows: bytes):
    return file("records", b"".join(frame(rows)))


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_byte_changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def download(model: str, do_lower_case: bool):
    """The folder name of a Google download, which tells how it was trained."""
    return flags(init_checkpoint=f"/models/{model}/bert_model.ckpt", do_lower_case=do_lower_case)


CLASSIFIER_RECORD = serialize(
    records.CLASSIFIER,
    {name: np.zeros([1, 32], int) for name in ("input_ids", "input_mask", "segment_ids")}
    | {name: np.zeros([1, 1], int) for name in ("label_ids", "is_real_example")},
)[0]
CONFIG = "bert_config.json"

COMMON = [
    case("no action", flags(do_train=None), "nothing to do: give --do_train=true"),
    case("config missing", removed(CONFIG), "--bert_config_file: {folder}/bert_config.json does not exist"),
    case("config not JSON", file(CONFIG, half), "{folder}/bert_config.json:1: not JSON"),
    case("config a list", file(CONFIG, b"[]"), "{folder}/bert_config.json: expected a JSON object, found list"),
    case("no config there", flags(bert_config_file=commands.TESTS), f"{commands.TESTS}/config.json does not exist"),
    case("heads", config(num_attention_heads=3), "hidden_size (32)", "num_attention_heads (3)"),
    case("activation", config(hidden_act="swish"), "bert_config.json: hidden_act is 'swish'", "gelu"),
    case("no vocab_size", config(vocab_size=None), "bert_config.json: vocab_size is missing"),
    case("too long", flags(max_seq_length=129), "--max_seq_length is 129", "{folder}/bert_config.json", "128"),
    case("zero batch", flags(train_batch_size=0), "--train_batch_size is 0, expected at least 1"),
    case("zero loop", flags(iterations_per_loop=0), "--iterations_per_loop is 0"),
    case("zero save", flags(save_checkpoints_steps=0), "--save_checkpoints_steps is 0"),
    case("negative rate", flags(learning_rate=-1), "--learning_rate is -1.0"),
    case("rate not a number", flags(learning_rate="nan"), "--learning_rate is nan"),
    case("negative seed", flags(seed=-1), "--seed is -1"),
    case("checkpoint missing", flags(init_checkpoint="{folder}/no"), "--init_checkpoint", "{folder}/no"),
    case("nothing trained", flags(do_train=None, do_eval=True), "no checkpoint in --output_dir={folder}/output"),
    case("output is a file", file("output", b""), "--output_dir={folder}/output", "is a file, expected a folder"),
    case("output below a file", flags(output_dir="{folder}/bert_config.json/x"), "{folder}/bert_config.json is a file"),
    case("no TPU", flags(use_tpu=True), "--use_tpu: no TPU at 'local'", "--tpu_name"),
    case("no TPU there", flags(use_tpu=True, master="grpc://127.0.0.1:1"), "no TPU at 'grpc://127.0.0.1:1'"),
]

PRETRAINING = [
    case("no file", flags(input_file="{folder}/none*"), "--input_file: no file matches '{folder}/none*'"),
    case("second pattern", flags(input_file="{folder}/records, none"), "--input_file: no file matches 'none'"),
    case("comma at the end", flags(input_file="{folder}/records,"), "--input_file: no file matches ''"),
    case("a folder of records", flags(input_file="{folder}"), "'{folder}', it is a folder"),
    case(
        "other length",
        flags(max_seq_length=64),
        "{folder}/records: record 0: 'input_ids' has 32 values, expected --max_seq_length=64",
    ),
    case(
        "other predictions",
        flags(max_predictions_per_seq=20),
        "{folder}/records: record 0: 'masked_lm_positions' has 5 values, expected --max_predictions_per_seq=20",
    ),
    case("no record", file("records", b""), "{folder}/records: no record"),
    case(
        "no TFRecord",
        file("records", b"Once upon a time\n" * 9),
        "{folder}/records: record 0 is damaged, or this is no",
    ),
    case("cut off", file("records", lambda content: content[:-5]), "{folder}/records: record 39 is damaged or cut off"),
    case(
        "a length that would crash TensorFlow",
        file("records", lambda content: header(2**60) + content[12:]),
        "{folder}/records: record 0 is damaged",
    ),
    case("a byte changed", file("records", one_byte_changed), "{folder}/records: record 19 is damaged or cut off"),
    case("another kind", serialized(CLASSIFIER_RECORD), "record 0: has no feature 'masked_lm_positions'"),
    case("no example", serialized(b"\xff\xff"), "{folder}/records: record 0: is no tf.train.Example"),
    case(
        "token id",
        first_record(input_ids=[473] * 32),
        "record 0: 'input_ids' holds 473, expected 0 to 472 (vocab_size in --bert_config_file is 473)",
    ),
    case(
        "smaller model",
        config(vocab_size=300),
        "record 0: 'input_ids' holds",
        "vocab_size in --bert_config_file is 300",
    ),
    case("negative id", first_record(masked_lm_ids=[-1] * 5), "record 0: 'masked_lm_ids' holds -1"),
    case(
        "position", first_record(masked_lm_positions=[32] * 5), "'masked_lm_positions' holds 32", "max_seq_length is 32"
    ),
    case("segment", config(type_vocab_size=1), "'segment_ids' holds 1", "type_vocab_size in --bert_config_file is 1"),
    case("next sentence", first_record(next_sentence_labels=[2]), "'next_sentence_labels' holds 2, expected 0 to 1"),
    case("zero steps", flags(num_train_steps=0), "--num_train_steps is 0, expected at least 1"),
    case("negative warmup", flags(num_warmup_steps=-1), "--num_warmup_steps is -1"),
    case("zero evaluation steps", flags(max_eval_steps=0), "--max_eval_steps is 0"),
    case("zero predictions", flags(max_predictions_per_seq=0), "--max_predictions_per_seq is 0"),
    case("larger vocabulary", file("records.json", b'{"vocab_size": 500}'), "--input_file", "500", "is 473"),
    case("damaged side-car", file("records.json", b"{"), "{folder}/records.json:1: not JSON"),
]

CLASSIFIER = [
    case("unknown task", flags(task_name="sst-9"), "--task_name is 'sst-9'", "cola, iflytek, lcqmc, mnli"),
    case("no test set", flags(task_name="xnli", do_predict=True), "--do_predict: task xnli has no test set"),
    case("no train.tsv", removed("data/train.tsv"), "--do_train: {folder}/data/train.tsv does not exist"),
    case(
        "no test.tsv",
        all_of(removed("data/test.tsv"), flags(do_predict=True)),
        "--do_predict: {folder}/data/test.tsv does not exist",
    ),
    case(
        "dev.tsv is read before training",
        all_of(line("dev.tsv", 5, "7\t1\t2\ta\tb"), flags(do_eval=True)),
        "{folder}/data/dev.tsv:5: unknown label '7'",
    ),
    case("label", line("train.tsv", 3, "7\t1\t2\ta\tb"), "{folder}/data/train.tsv:3: unknown label '7'", "0, 1"),
    case(
        "short row", line("train.tsv", 4, "1\t2"), "{folder}/data/train.tsv:4: too short: 2 columns, expected at least"
    ),
    case("blank line", line("train.tsv", 4, ""), "{folder}/data/train.tsv:4: empty line"),
    case("not UTF-8", file("data/train.tsv", b"0\n1\t\xff"), "{folder}/data/train.tsv:2: not UTF-8: byte 0xff"),
    case("long field", line("train.tsv", 2, "1\t1\t2\ta\t" + "b" * 131073), "train.tsv:2:", "131073", "131072"),
    case("empty train.tsv", file("data/train.tsv", b""), "{folder}/data/train.tsv: holds no example"),
    case("header only", file("data/train.tsv", b"Quality\n"), "{folder}/data/train.tsv: holds no example"),
    case("no step", flags(num_train_epochs=0.5), "8 training ex", "--train_batch_size=8", "--num_train_epochs=0.5"),
    case("zero epochs", flags(num_train_epochs=0), "--num_train_epochs is 0"),
    case("endless epochs", flags(num_train_epochs="inf"), "--num_train_epochs is inf"),
    case("warmup", flags(warmup_proportion=1.5), "--warmup_proportion is 1.5"),
    case("no vocabulary", removed("vocab.txt"), "--vocab_file: {folder}/vocab.txt does not exist"),
    *(case(f"no {token}", without(token), "{folder}/vocab.txt: has no " + token) for token in SPECIAL_TOKENS),
    case("empty vocabulary", file("vocab.txt", b""), "{folder}/vocab.txt: is empty"),
    case("vocabulary not UTF-8", file("vocab.txt", b"[CLS]\n\xe4\n"), "{folder}/vocab.txt:2: not UTF-8"),
    case("large vocabulary", config(vocab_size=400), "--vocab_file={folder}/vocab.txt has 473", "vocab_size", "is 400"),
    case("no room for a pair", flags(max_seq_length=2), "--max_seq_length is 2", "[CLS] [SEP] [SEP]", "at least 3"),
    case("one segment only", config(type_vocab_size=1), "text pairs", "type_vocab_size", "is 1"),
    case("uncased", download("uncased_L-12_H-768_A-12", False), "--do_lower_case is False", "uncased_L-12_H-768_A-12"),
    case("Chinese", download("chinese_L-12_H-768_A-12", False), "--do_lower_case is False", "chinese_L-12_H-768_A-12"),
    case("cased", download("multi_cased_L-12_H-768_A-12", True), "--do_lower_case is True", "multi_cased_L-12"),
    case("table without its columns", flags(task_name="table"), "{folder}/data/train.tsv:1: no column"),
    case("predicting nothing", flags(do_train=None, do_predict=True), "no checkpoint in --output_dir={folder}/output"),
]


@pytest.mark.parametrize("script", FLAGS)
@pytest.mark.parametrize(("spoil", "expected"), COMMON)
def test_both_commands_refuse(script, spoil, expected, tmp_path):
    check(script, tmp_path, spoil, expected)


@pytest.mark.parametrize(("spoil", "expected"), PRETRAINING)
def test_pretraining_refuses(spoil, expected, tmp_path):
    check("run_pretraining", tmp_path, spoil, expected)


@pytest.mark.parametrize(("spoil", "expected"), CLASSIFIER)
def test_classifier_refuses(spoil, expected, tmp_path):
    check("run_classifier", tmp_path, spoil, expected)


@pytest.mark.parametrize("script", FLAGS)
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written(script, tmp_path):
    given = FLAGS[script](tmp_path)
    given["output_dir"].mkdir()
    given["output_dir"].chmod(0o500)
    assert f"--output_dir={given['output_dir']}: no permission to write" in refused(script, tmp_path, given)


INDEX, DATA = f"output/{PREFIX}.index", f"output/{PREFIX}.data-00000-of-00001"
DAMAGED = [
    case("index cut off", file(INDEX, half), "{folder}/output/" + PREFIX + ": damaged"),
    case("index no table", file(INDEX, b"x" * 500), "{folder}/output/" + PREFIX + ": damaged"),
    case("data cut off", file(DATA, half), "{folder}/output/" + PREFIX + ": damaged"),
    case("data missing", removed(DATA), "{folder}/output/" + PREFIX + ": damaged"),
    case("run file cut off", file("output/run.json", half), "{folder}/output/run.json:"),
]


@pytest.mark.parametrize("script", FLAGS)
@pytest.mark.parametrize(("spoil", "expected"), DAMAGED)
def test_a_damaged_output_folder_is_refused(script, spoil, expected, trained, tmp_path):
    shutil.copytree(trained(script), tmp_path / "output")
    check(script, tmp_path, spoil, expected)


COLA = all_of(line("train.tsv", 1, "x\t1\t\tno header here"), flags(task_name="cola"))
ANOTHER_RUN = [
    ("run_pretraining", config(hidden_size=64), "its hidden_size is 32, this run's is 64"),
    ("run_classifier", COLA, 'its task is "mrpc", this run\'s is "cola"'),
    ("run_classifier", flags(do_lower_case=False), "its do_lower_case is true, this run's is false"),
    (
        "run_classifier",
        file("vocab.txt", lambda content: content.replace(b"after\n", b"before\n")),
        "its vocab_sha256 is",
    ),
]


@pytest.mark.parametrize(("script", "spoil", "expected"), ANOTHER_RUN, ids=["config", "task", "case", "vocabulary"])
def test_the_output_folder_of_another_run_is_refused(script, spoil, expected, trained, tmp_path):
    shutil.copytree(trained(script), tmp_path / "output")
    check(script, tmp_path, spoil, ["--output_dir={folder}/output holds another run", expected])


def test_the_output_folder_of_another_command_is_refused(trained, tmp_path):
    shutil.copytree(trained("run_pretraining"), tmp_path / "output")
    expected = 'its command is "run_pretraining", this run\'s is "run_classifier"'
    check("run_classifier", tmp_path, flags(), ["--output_dir={folder}/output holds another run", expected])


def test_a_checkpoint_of_other_shapes_is_refused(trained, tmp_path):
    """The line names the variables with both shapes."""
    prefix = trained("run_pretraining") / PREFIX
    spoil = all_of(config(intermediate_size=48), flags(init_checkpoint=prefix))
    expected = [str(prefix), "intermediate/dense/kernel is [32, 64] there, expected [32, 48]"]
    check("run_pretraining", tmp_path, spoil, expected)


def test_a_damaged_start_checkpoint_is_refused(trained, tmp_path):
    shutil.copytree(trained("run_pretraining"), tmp_path / "start")
    spoil = all_of(
        file(f"start/{PREFIX}.data-00000-of-00001", half), flags(init_checkpoint=tmp_path / "start" / PREFIX)
    )
    check("run_pretraining", tmp_path, spoil, ["{folder}/start/" + PREFIX + ": damaged"])


def test_a_pretraining_checkpoint_is_no_trained_classifier(trained, tmp_path):
    spoil = flags(init_checkpoint=trained("run_pretraining") / PREFIX, do_train=None, do_predict=True)
    check("run_classifier", tmp_path, spoil, ["lacks 'output_", "no trained model"])


@pytest.mark.parametrize("action", ["do_train", "do_eval"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"input_ids": [7] * 31 + [473]}, "'input_ids' holds 473, expected 0 to 472"),
        ({"segment_ids": [2] * 32}, "'segment_ids' holds 2, expected 0 to 1"),  # no operation would stop over it
        ({"input_ids": [1] * 30}, "'input_ids' has 30 values, expected --max_seq_length=32"),
    ],
    ids=["token", "segment", "length"],
)
@pytest.mark.parametrize("looked_at", [input_pipeline.SAMPLE, 10])
def test_a_wrong_record_deep_in_a_file_is_named(looked_at, action, changes, expected, trained, tmp_path, monkeypatch):
    """TensorFlow stops in the middle of its graph, at the start or later; the line says which record it was."""
    monkeypatch.setattr(input_pipeline, "SAMPLE", looked_at)
    given = {**FLAGS["run_pretraining"](tmp_path), "do_train": None, action: True}
    rows = commands.golden_rows("small_both")[:40]
    rows[33] = {**rows[33], **changes}
    second = commands.write_records(tmp_path / "second", rows)
    given["input_file"] = f"{given['input_file']},{second}"
    if action == "do_eval":
        given["init_checkpoint"] = trained("run_pretraining") / PREFIX
    given["num_train_steps"] = 20
    outcome = commands.run("run_pretraining", **{name: value for name, value in given.items() if value is not None})
    assert outcome.error.startswith(f"{second}: record 33: {expected}")
    if looked_at > 40:
        assert not (tmp_path / "output").exists()
    assert not (tmp_path / "output" / "eval_results.txt").exists()
