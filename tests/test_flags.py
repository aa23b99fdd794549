"""The flags of four commands: the original's, all acting, and mistakes told at once."""

import dataclasses
import importlib
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from bert import cli, options
from bert.errors import InputError
from bert.options.questions import AnswerOptions
from bert.prediction.options import settle
from tests import commands

ROOT = pathlib.Path(__file__).parent.parent
SCRIPTS = ("create_pretraining_data", "run_pretraining", "run_classifier", "extract_features")
TYPES = {"string": str, "int": int, "float": float, "bool": bool}


def settings_class(script: str) -> type:
    return importlib.import_module(script).Settings


def required(script: str) -> dict[str, str]:
    return {field.name: "given" for field in dataclasses.fields(settings_class(script)) if options.is_required(field)}


def parse(script: str, *arguments: str, **flags):
    """The settings of a command line that has all required flags."""
    given = [f"--{name}={value}" for name, value in {**required(script), **flags}.items()]
    return cli.parse(settings_class(script), [f"{script}.py", *given, *arguments])


def refused(script: str, *arguments: str, **flags) -> str:
    with pytest.raises(InputError) as caught:
        parse(script, *arguments, **flags)
    return str(caught.value)


@pytest.mark.parametrize("script", SCRIPTS)
def test_names_types_defaults_and_required_are_the_original_s(script, golden):
    fields = {field.name: field for field in dataclasses.fields(settings_class(script))}
    for flag in json.loads((golden / "flags" / f"{script}.json").read_text()):
        field = fields[flag["name"]]
        assert cli.flag_type(settings_class(script), field) is TYPES[flag["type"]], flag["name"]
        assert options.is_required(field) == flag["required"], flag["name"]
        if not flag["required"]:
            assert field.default == flag["default"], flag["name"]
            assert type(field.default) is type(flag["default"]), flag["name"]


@pytest.mark.parametrize("script", ["run_pretraining", "run_classifier"])
def test_parsed_defaults_are_the_original_s(script, golden):
    settings = parse(script, "--do_eval")
    for flag in json.loads((golden / "flags" / f"{script}.json").read_text()):
        if flag["name"] not in (*required(script), "do_eval"):
            assert getattr(settings, flag["name"]) == flag["default"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_missing_required_flag_is_named(script):
    with pytest.raises(InputError) as caught:
        cli.parse(settings_class(script), [f"{script}.py"])
    for name in required(script):
        assert f"--{name}" in str(caught.value)
    assert "--vocab_file" not in refused("run_classifier", output_dir="")
    assert "--output_dir must be given" in refused("run_classifier", output_dir="")


def test_an_ensemble_needs_neither_config_nor_vocabulary(tmp_path):
    """And a vocabulary that is not read decides nothing."""
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert "`do_lower_case` is True, but" in refused("run_classifier", "--do_eval", vocab_file=tmp_path / "vocab.txt")
    for vocab_file in ("", tmp_path / "vocab.txt"):
        given = {"bert_config_file": "", "vocab_file": vocab_file, "ensemble": "one,other"}
        assert parse("run_classifier", "--do_eval", **given).bert_config_file == ""
    assert refused("run_classifier", "--do_eval", bert_config_file="").startswith("--bert_config_file must be given")


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("--do_train=true", "do_train", True),
        ("--do_train=True", "do_train", True),
        ("--do_train=1", "do_train", True),
        ("--do_train", "do_train", True),
        ("-do_train", "do_train", True),
        ("--nodo_train", "do_train", False),
        ("--do_train=false", "do_train", False),
        ("--do_lower_case=True", "do_lower_case", True),
        ("--do_lower_case=False", "do_lower_case", False),
        ("--nodo_lower_case", "do_lower_case", False),
        ("--num_train_epochs=3.0", "num_train_epochs", 3.0),
        ("--num_train_epochs=2", "num_train_epochs", 2.0),
        ("--learning_rate=2e-5", "learning_rate", 2e-5),
        ("--max_seq_length=64", "max_seq_length", 64),
        ("--init_checkpoint=x/bert_model.ckpt", "init_checkpoint", "x/bert_model.ckpt"),
        ("--master=grpc://10.0.0.2:8470", "master", "grpc://10.0.0.2:8470"),
        ("--num_tpu_cores=32", "num_tpu_cores", 32),
    ],
)
def test_values_as_the_original_s_documentation_writes_them(argument, name, value):
    assert getattr(parse("run_classifier", argument, "--do_eval"), name) == value


def test_numbers_are_finite():
    """Of whatever command; -inf passes where it stands for all answers."""
    name = "bert.commands.predict"
    for flag, value in (("threshold", "nan"), ("threshold", "inf"), ("null_score_diff_threshold", "-inf")):
        expected = "a finite number or -inf" if flag == "threshold" else "a finite number"
        assert refused(name, f"--{flag}={value}") == f"`{flag}` is {value}, expected {expected}"
    assert parse(name, "--threshold=-inf").threshold == -math.inf
    assert parse(name).threshold is None
    given = {"bert_config_file": "c", "vocab_file": "v", "knowledge_file": "k", "dev_fraction": 0.5}
    refusal = refused("bert.commands.run_retrieval", "--do_eval", "--temperature=inf", **given)
    assert refusal == "`temperature` is inf, expected a finite number"


def test_numbers_of_python_are_finite_too():
    for value, message in ((math.nan, "is nan, expected a finite number"), (10**400, "is 1000.*, expected a number")):
        with pytest.raises(InputError, match=f"`null_score_diff_threshold` {message}"):
            settle(AnswerOptions, {}, {"null_score_diff_threshold": value})


def test_a_value_may_follow_as_a_word_of_its_own():
    assert parse("run_classifier", "--do_eval", "--max_seq_length", "64").max_seq_length == 64


def test_flags_from_a_file(tmp_path):
    (tmp_path / "flags").write_text("# my run\n--max_seq_length=64\n--do_train=true\n")
    settings = parse("run_classifier", f"--flagfile={tmp_path / 'flags'}", "--max_seq_length=32")
    assert (settings.max_seq_length, settings.do_train) == (32, True)
    assert str(tmp_path / "none") in refused("run_classifier", f"--flagfile={tmp_path / 'none'}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"--output_dir=caf\xe9\n", "{path}: expected text, a flag a line: 'utf-8' codec can't decode byte 0xe9"),
        (b"--flagfile=a\0b\n", "{path}: expected text, a flag a line: embedded null byte"),
        (b"--output_dir=a\0b\n", "'--output_dir=a\\x00b' has a byte 0, expected text"),
        (b"--output_dir\na\0b\n", "'a\\x00b' has a byte 0, expected text"),
    ],
)
def test_a_flagfile_that_is_no_text(tmp_path, content, expected):
    given = f"--flagfile={tmp_path / 'flags'}"
    (tmp_path / "flags").write_bytes(content)
    assert refused("run_classifier", "--do_eval", given).startswith(expected.format(path=given))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--max_seq_lenght=64"], "unknown flag --max_seq_lenght, did you mean --max_seq_length?"),
        (["--do_trian"], "unknown flag --do_trian, did you mean --do_train?"),
        (["--zzz=3"], "unknown flag --zzz (--help lists all flags)"),
        (["train.tsv"], "stray argument 'train.tsv', expected only --flag=value"),
        (["--do_train", "false"], "stray argument 'false'"),
        (["--max_seq_length=abc"], "flag --max_seq_length=abc: "),
        (["--max_seq_length=1.5"], "flag --max_seq_length=1.5: "),
        (["--num_train_epochs=many"], "flag --num_train_epochs=many: "),
        (["--do_train=maybe"], "flag --do_train=maybe: "),
        (["--max_seq_length"], "max_seq_length"),
    ],
)
def test_mistakes_are_named(arguments, expected):
    message = refused("run_classifier", *arguments)
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_answers_without_tensorflow(script):
    """Each flag is listed; and --help and a mistyped flag answer at once, because nothing heavy is imported."""
    for argument, status in (("--help", 0), ("--max_seq_lenght=3", 1)):
        code = (
            "import runpy, sys\n"
            f"sys.argv = ['{script}.py', '{argument}']\n"
            "try:\n"
            f"    runpy.run_path('{script}.py', run_name='__main__')\n"
            "finally:\n"
            "    assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        if status:
            assert done.stderr == "error: unknown flag --max_seq_lenght, did you mean --max_seq_length?\n"
        else:
            for field in dataclasses.fields(settings_class(script)):
                assert f"  --{field.name} (" in done.stdout


def test_tpu_flags_without_a_tpu_are_told_to_have_no_effect(tmp_path, golden):
    micro = golden / "model" / "micro"
    flags = {
        "bert_config_file": micro / "bert_config.json",
        "input_file": commands.write_records(tmp_path / "records", [zeros()]),
        "output_dir": tmp_path / "output",
        "init_checkpoint": micro / "model.ckpt",
        "max_seq_length": 8,
        "max_predictions_per_seq": 1,
    }
    outcome = commands.run("run_pretraining", "--do_eval", **flags, tpu_name="node-1", tpu_zone="europe-west4-a")
    assert outcome.status == 0, outcome.stderr
    for name in ("tpu_name", "tpu_zone"):
        assert f"--{name} has no effect without --use_tpu" in outcome.stderr


def zeros() -> dict:
    """A pre-training record of S 8 and P 1."""
    long = {name: [0] * 8 for name in ("input_ids", "input_mask", "segment_ids")}
    one = {name: [0] for name in ("masked_lm_positions", "masked_lm_ids", "next_sentence_labels")}
    return {**long, **one, "masked_lm_weights": [1.0]}


@pytest.mark.parametrize("script", ["run_pretraining", "run_classifier"])
def test_a_real_process_ends_with_one_line_and_status_1(script, tmp_path):
    """The whole of what a user sees on a screen, of TensorFlow's own lines too."""
    flags = [f"--{name}={tmp_path / name}" for name in required(script)]
    done = subprocess.run(
        [sys.executable, f"{script}.py", *flags, "--do_train"], cwd=ROOT, capture_output=True, text=True
    )
    expected = f"error: --bert_config_file: {tmp_path / 'bert_config_file'} does not exist\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_a_real_process_trains_and_evaluates(tmp_path):
    """Nothing on stdout, and on stderr nothing but our own lines."""
    flags = {
        "bert_config_file": commands.write_config(tmp_path),
        "input_file": commands.write_records(tmp_path / "records", [zeros()] * 10),
        "output_dir": tmp_path / "output",
        "max_seq_length": 8,
        "max_predictions_per_seq": 1,
        "num_train_steps": 2,
        "num_warmup_steps": 1,
    }
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    done = subprocess.run(
        [sys.executable, "run_pretraining.py", *arguments, "--do_train=true", "--do_eval=true"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.startswith("*** Input files ***\n")
    assert not [line for line in done.stderr.splitlines() if "tensorflow" in line.lower() or "WARNING" in line]
    assert (tmp_path / "output" / "eval_results.txt").exists()


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoFlags:
    """The flags of a command without any."""

    def check(self) -> None:
        """There is nothing to check."""


def test_an_interrupt_that_a_library_turns_into_another_error(capsys):
    """TensorFlow does so while it traces a function."""

    def main(settings: NoFlags) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            raise AttributeError("what nobody would understand") from None

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as end:
            cli.run(NoFlags, main, ["command.py"])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert end.value.code == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
