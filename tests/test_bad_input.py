"""Bad input to the training commands: one line that names the place and the values, status 1, nothing half-written.

The rows of PARITY 2, and what else users get wrong. Most is refused before any work, so a case takes milliseconds.
"""

import os
import pathlib
import shutil
import types

import pytest

from bert import records
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


def case(identity, expected, spoil):
    """A wrong input: what the line has to hold, and a function that spoils the files or returns other flags."""
    expected = [expected] if isinstance(expected, str) else expected
    return pytest.param(spoil, expected, id=identity)


def edit(path: str, old: str, new: str) -> None:
    text = pathlib.Path(path).read_text()
    assert old in text
    pathlib.Path(path).write_text(text.replace(old, new))


def config(**changes):
    def spoil(given):
        commands.write_config(given.folder, **changes)

    return spoil


def flags(**changes):
    return lambda given: changes


def row(number: int, **changes):
    """Changes features of one pre-training record."""

    def spoil(given):
        rows = commands.golden_rows("small_both")[:40]
        rows[number] = {**rows[number], **changes}
        commands.write_records(given.folder / "records", rows)

    return spoil


def line(file: str, number: int, text: str):
    """Replaces a line, counted from 1, of a file of the classifier's data."""

    def spoil(given):
        lines = (given.data_dir / file).read_text().splitlines()
        lines[number - 1] = text
        (given.data_dir / file).write_text("\n".join(lines) + "\n")

    return spoil


def file_bytes(name: str, change):
    def spoil(given):
        path = given.folder / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def removed(name: str):
    return lambda given: (given.folder / name).unlink()


def case_checkpoint(model: str, do_lower_case: bool):
    path = f"/models/{model}/bert_model.ckpt"
    return lambda given: {"init_checkpoint": path, "do_lower_case": do_lower_case}


def output_is_a_file(given):
    (given.folder / "output").write_text("")


def output_below_a_file(given):
    return {"output_dir": given.folder / "bert_config.json" / "output"}


COMMON = [
    case("no action", "nothing to do: give --do_train=true", flags(do_train=None)),
    case("config missing", "{folder}/bert_config.json does not exist", removed("bert_config.json")),
    case("config not JSON", "{folder}/bert_config.json:1: not JSON", file_bytes("bert_config.json", lambda b: b[:-9])),
    case("config a list", "bert_config.json: expected a JSON object, found list", file_bytes("bert_config.json", lambda b: b"[]")),
    case("config a folder", "is a folder, expected a file", lambda given: {"bert_config_file": given.folder}),
    case("heads", ["bert_config.json: hidden_size (32)", "num_attention_heads (3)"], config(num_attention_heads=3)),
    case("activation", ["bert_config.json: hidden_act is 'swish'", "gelu"], config(hidden_act="swish")),
    case("no vocab_size", "bert_config.json: vocab_size is missing", config(vocab_size=None)),
    case("too long for the model", ["--max_seq_length is 129", "bert_config.json", "128"], flags(max_seq_length=129)),
    case("zero batch", "--train_batch_size is 0, expected at least 1", flags(train_batch_size=0)),
    case("zero loop", "--iterations_per_loop is 0", flags(iterations_per_loop=0)),
    case("zero save", "--save_checkpoints_steps is 0", flags(save_checkpoints_steps=0)),
    case("negative rate", "--learning_rate is -1.0", flags(learning_rate=-1)),
    case("rate not a number", "--learning_rate is nan", flags(learning_rate="nan")),
    case("negative seed", "--seed is -1", flags(seed=-1)),
    case("checkpoint missing", ["--init_checkpoint", "{folder}/no/model.ckpt"], lambda given: {"init_checkpoint": given.folder / "no/model.ckpt"}),
    case("evaluating nothing", ["no checkpoint in --output_dir={folder}/output", "--init_checkpoint"], flags(do_train=None, do_eval=True)),
    case("output is a file", ["--output_dir={folder}/output", "is a file, expected a folder"], output_is_a_file),
    case("output below a file", ["--output_dir=", "{folder}/bert_config.json is a file"], output_below_a_file),
    case("no TPU", ["--use_tpu: no TPU at 'local'", "--tpu_name"], flags(use_tpu=True)),
    case("no TPU of that address", "--use_tpu: no TPU at 'grpc://127.0.0.1:1'", flags(use_tpu=True, master="grpc://127.0.0.1:1")),
]  # fmt: skip

PRETRAINING = [
    case("no file matches", "--input_file: no file matches '{folder}/none*'", lambda given: {"input_file": f"{given.folder}/none*"}),
    case("second pattern", "--input_file: no file matches 'none'", lambda given: {"input_file": f"{given.input_file}, none"}),
    case("comma at the end", "--input_file: no file matches ''", lambda given: {"input_file": f"{given.input_file},"}),
    case("a folder of records", "'{folder}', it is a folder", lambda given: {"input_file": given.folder}),
    case("other length", ["{folder}/records: record 0: 'input_ids' has 32 values", "--max_seq_length=64"], flags(max_seq_length=64)),
    case("other predictions", ["{folder}/records: record 0: 'masked_lm_positions' has 5", "--max_predictions_per_seq=20"], flags(max_predictions_per_seq=20)),
    case("no record", "{folder}/records: no record", lambda given: commands.write_records(given.folder / "records", []) and None),
    case("no TFRecord", "{folder}/records: record 0 is damaged, or this is no TFRecord file", file_bytes("records", lambda b: b"Once upon a time\n" * 9)),
    case("cut off", "{folder}/records: record 39 is damaged or cut off", file_bytes("records", lambda b: b[:-5])),
    case("a byte changed", "{folder}/records: record 19 is damaged or cut off", file_bytes("records", lambda b: b[: len(b) // 2] + bytes([b[len(b) // 2] ^ 255]) + b[len(b) // 2 + 1 :])),
    case("another kind", "{folder}/records: record 0: has no feature 'masked_lm_positions'", lambda given: classifier_records(given.folder / "records")),
    case("no example", "{folder}/records: record 0: is no tf.train.Example", lambda given: records.write(given.input_file, [b"\xff\xff"]) and None),
    case("token id", ["record 0: 'input_ids' holds 473, expected 0 to 472", "vocab_size in --bert_config_file is 473"], row(0, input_ids=[473] * 32)),
    case("smaller model", ["record 0: 'input_ids' holds", "vocab_size in --bert_config_file is 300"], config(vocab_size=300)),
    case("negative id", "record 0: 'masked_lm_ids' holds -1", row(0, masked_lm_ids=[-1] * 5)),
    case("position", ["record 0: 'masked_lm_positions' holds 32", "max_seq_length is 32"], row(0, masked_lm_positions=[32] * 5)),
    case("segment", ["record 0: 'segment_ids' holds 1", "type_vocab_size in --bert_config_file is 1"], config(type_vocab_size=1)),
    case("next sentence", "record 0: 'next_sentence_labels' holds 2, expected 0 to 1", row(0, next_sentence_labels=[2])),
    case("zero steps", "--num_train_steps is 0, expected at least 1", flags(num_train_steps=0)),
    case("negative warmup", "--num_warmup_steps is -1", flags(num_warmup_steps=-1)),
    case("zero evaluation steps", "--max_eval_steps is 0", flags(max_eval_steps=0)),
    case("zero predictions", "--max_predictions_per_seq is 0", flags(max_predictions_per_seq=0)),
    case("side-car of a larger vocabulary", ["--input_file", "500", "473"], lambda given: (given.folder / "records.json").write_text('{"vocab_size": 500}') and None),
    case("damaged side-car", "{folder}/records.json:1: not JSON", lambda given: (given.folder / "records.json").write_text("{") and None),
]  # fmt: skip

CLASSIFIER = [
    case("unknown task", ["--task_name is 'sst-2'", "cola, mnli, mrpc"], flags(task_name="sst-2")),
    case("no test set", "--do_predict: task xnli has no test set", flags(task_name="xnli", do_predict=True)),
    case("train.tsv missing", "--do_train: {folder}/data/train.tsv does not exist", removed("data/train.tsv")),
    case("test.tsv missing", "--do_predict: {folder}/data/test.tsv does not exist", lambda given: removed("data/test.tsv")(given) or {"do_predict": True}),
    case("dev.tsv is read before training", "{folder}/data/dev.tsv:5: unknown label '7'", lambda given: line("dev.tsv", 5, "7\t1\t2\ta\tb")(given) or {"do_eval": True}),
    case("unknown label", ["{folder}/data/train.tsv:3: unknown label '7'", "0, 1"], line("train.tsv", 3, "7\t1\t2\ta\tb")),
    case("short row", "{folder}/data/train.tsv:4: too short: 2 columns, expected at least", line("train.tsv", 4, "1\t2")),
    case("blank line", "{folder}/data/train.tsv:4: empty line", line("train.tsv", 4, "")),
    case("not UTF-8", ["{folder}/data/train.tsv:2: not UTF-8", "0xff"], file_bytes("data/train.tsv", lambda b: b.replace(b"the company", b"\xff", 1))),
    case("long field", ["{folder}/data/train.tsv:2:", "131073", "131072"], line("train.tsv", 2, "1\t1\t2\t" + "a" * 131073 + "\tb")),
    case("empty train.tsv", "{folder}/data/train.tsv: holds no example", file_bytes("data/train.tsv", lambda b: b"")),
    case("header only", "{folder}/data/train.tsv: holds no example", file_bytes("data/train.tsv", lambda b: b.split(b"\n")[0] + b"\n")),
    case("no step", ["8 training examples", "--train_batch_size=8", "--num_train_epochs=0.5"], flags(num_train_epochs=0.5)),
    case("zero epochs", "--num_train_epochs is 0", flags(num_train_epochs=0)),
    case("endless epochs", "--num_train_epochs is inf", flags(num_train_epochs="inf")),
    case("warmup", "--warmup_proportion is 1.5", flags(warmup_proportion=1.5)),
    case("vocabulary missing", "{folder}/vocab.txt does not exist", removed("vocab.txt")),
    *(
        case(f"no {token}", ["{folder}/vocab.txt", token], lambda given, token=token: edit(given.vocab_file, token, f"x{token}"))
        for token in ("[CLS]", "[SEP]", "[UNK]", "[MASK]")
    ),
    case("empty vocabulary", "{folder}/vocab.txt: is empty", file_bytes("vocab.txt", lambda b: b"")),
    case("vocabulary not UTF-8", "{folder}/vocab.txt:474: not UTF-8", file_bytes("vocab.txt", lambda b: b + b"\xe4\n")),
    case("vocabulary larger than the model", ["--vocab_file={folder}/vocab.txt has 473", "is 400"], config(vocab_size=400)),
    case("no room for a pair", ["--max_seq_length is 2", "[CLS] [SEP] [SEP]", "at least 3"], flags(max_seq_length=2)),
    case("one segment only", ["text pairs", "type_vocab_size", "is 1"], config(type_vocab_size=1)),
    case("uncased model", ["--do_lower_case is False", "uncased_L-12_H-768_A-12"], case_checkpoint("uncased_L-12_H-768_A-12", False)),
    case("Chinese model", ["--do_lower_case is False", "chinese_L-12_H-768_A-12"], case_checkpoint("chinese_L-12_H-768_A-12", False)),
    case("cased model", ["--do_lower_case is True", "multi_cased_L-12_H-768_A-12"], case_checkpoint("multi_cased_L-12_H-768_A-12", True)),
    case("table without a text column", "{folder}/data/train.tsv:1: no column", flags(task_name="table")),
    case("predicting nothing", "no checkpoint in --output_dir", flags(do_train=None, do_predict=True)),
]  # fmt: skip


def classifier_records(path: pathlib.Path) -> None:
    short = {"label_ids": [0], "is_real_example": [1]}
    rows = [{name: [0] * 32 for name in ("input_ids", "input_mask", "segment_ids")} | short]
    commands.write_records(path, rows, records.CLASSIFIER)


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


DAMAGED = {  # what is wrong with the last checkpoint -> what the line holds
    "index cut off": (lambda output: cut(output / f"{PREFIX}.index"), "{output}/" + PREFIX),
    "data cut off": (lambda output: cut(output / f"{PREFIX}.data-00000-of-00001"), "{output}/" + PREFIX),
    "data missing": (lambda output: (output / f"{PREFIX}.data-00000-of-00001").unlink(), "{output}/" + PREFIX),
    "index no table": (lambda output: (output / f"{PREFIX}.index").write_bytes(b"x" * 500), "{output}/" + PREFIX),
    "state damaged": (lambda output: (output / "checkpoint").write_text("none"), "{output}/checkpoint: names no"),
    "all deleted": (lambda output: [file.unlink() for file in output.glob(f"{PREFIX}*")], "{output}/checkpoint: names no"),
    "run file cut off": (lambda output: cut(output / "run.json"), "{output}/run.json:"),
}


def cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("script", FLAGS)
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_output_folder_is_refused(script, damage, trained, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(trained(script), output)
    spoil, expected = DAMAGED[damage]
    spoil(output)
    given = FLAGS[script](tmp_path)
    assert expected.format(output=output) in refused(script, tmp_path, given)


def as_cola(given):
    line("train.tsv", 1, "x\t1\t\tno header here")(given)
    return {"task_name": "cola"}


ANOTHER_RUN = {  # the second command -> what the line holds
    "config": ("run_pretraining", config(hidden_size=64), ["its hidden_size is 32, this run's is 64"]),
    "command": ("run_classifier", flags(), ['its command is "run_pretraining", this run\'s is "run_classifier"']),
    "task": ("run_classifier", as_cola, ['its task is "mrpc", this run\'s is "cola"']),
    "case": ("run_classifier", flags(do_lower_case=False), ["do_lower_case is true, this run's is false"]),
}


@pytest.mark.parametrize("difference", ANOTHER_RUN)
def test_the_output_folder_of_another_run_is_refused(difference, trained, tmp_path):
    script, spoil, expected = ANOTHER_RUN[difference]
    before = "run_pretraining" if difference == "command" else script
    shutil.copytree(trained(before), tmp_path / "output")
    check(script, tmp_path, spoil, ["--output_dir={folder}/output holds another run", *expected])


def test_a_checkpoint_of_other_shapes_is_refused(trained, tmp_path):
    """The line names the variables with both shapes."""
    prefix = trained("run_pretraining") / PREFIX
    spoil = lambda given: config(intermediate_size=48)(given) or {"init_checkpoint": prefix}  # noqa: E731
    expected = [str(prefix), "intermediate/dense/kernel is [32, 64] there, expected [32, 48]"]
    check("run_pretraining", tmp_path, spoil, expected)


def test_a_damaged_start_checkpoint_is_refused(trained, tmp_path):
    for file in trained("run_pretraining").glob(f"{PREFIX}.*"):
        shutil.copy(file, tmp_path)
    cut(tmp_path / f"{PREFIX}.data-00000-of-00001")
    check("run_pretraining", tmp_path, flags(init_checkpoint=tmp_path / PREFIX), ["{folder}/" + PREFIX, "damaged"])


def test_a_pretraining_checkpoint_is_no_trained_classifier(trained, tmp_path):
    spoil = flags(init_checkpoint=trained("run_pretraining") / PREFIX, do_train=None, do_predict=True)
    check("run_classifier", tmp_path, spoil, ["lacks 'output_", "no trained model"])


@pytest.mark.parametrize("action", ["do_train", "do_eval"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"input_ids": [7] * 31 + [473]}, "'input_ids' holds 473, expected 0 to 472"),
        ({"input_ids": [1] * 30}, "'input_ids' has 30 values, expected --max_seq_length=32"),
    ],
    ids=["value", "length"],
)
def test_a_wrong_record_deep_in_a_file_is_named(action, changes, expected, trained, tmp_path):
    """TensorFlow stops in the middle of its graph; the line still says which record of which file it was."""
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
    assert not (tmp_path / "output" / "eval_results.txt").exists()
