"""The command: its flags, its log, and one clear line for every kind of bad input (docs/parity.md 2)."""

import dataclasses
import gzip
import json
import os
import pathlib
import resource
import subprocess
import sys

import pytest

import create_pretraining_data as command
from bert import cli, options, records
from bert.errors import InputError
from bert.records import parsing

ROOT = pathlib.Path(__file__).parent.parent
KINDS = {"string": str, "int": int, "float": float, "bool": bool}


def test_flags_are_the_originals(golden):
    fields = {field.name: field for field in dataclasses.fields(command.Settings)}
    for flag in json.loads((golden / "flags" / "create_pretraining_data.json").read_text()):
        field = fields[flag["name"]]
        assert cli.flag_type(command.Settings, field) is KINDS[flag["type"]]
        assert options.is_required(field) == flag["required"]
        if not flag["required"]:
            assert field.default == flag["default"]


@pytest.fixture
def flags(golden, tmp_path):
    """Flags of a run that works."""
    return {
        "input_file": str(golden / "sample_text.txt"),
        "output_file": str(tmp_path / "out" / "records"),
        "vocab_file": str(golden / "vocab_small.txt"),
        "dupe_factor": 1,
    }


@pytest.fixture(autouse=True)
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def run(flags):
    argv = ["create_pretraining_data.py", *(f"--{name}={value}" for name, value in flags.items() if value is not None)]
    command.main(cli.parse(command.Settings, argv))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_file": None}, "--output_file must be given"),
        ({"input_file": None, "vocab_file": None}, "--vocab_file, --input_file must be given"),
        ({"max_seq_length": "abc"}, "max_seq_length=abc"),
        ({"no_such_flag": 3}, "unknown flag --no_such_flag"),
        ({"input_file": "{tmp}/no*.txt"}, "--input_file: no file matches '{tmp}/no*.txt'"),
        ({"input_file": "{golden}/sample_text.txt, {tmp}/missing"}, "--input_file: no file matches '{tmp}/missing'"),
        ({"input_file": "{tmp}/out"}, "--input_file: no file matches '{tmp}/out', it is a folder"),
        ({"input_file": "{tmp}/empty"}, "--input_file: found no text in {tmp}/empty"),
        ({"input_file": "{tmp}/latin"}, "{tmp}/latin:2: not UTF-8: byte 0xe9"),
        ({"input_file": "{tmp}/broken.gz"}, "{tmp}/broken.gz:1: not gzip, damaged or cut off"),
        ({"input_file": "{tmp}/cut.gz"}, "{tmp}/cut.gz:2: not gzip, damaged or cut off"),
        ({"output_file": "{tmp}/nowhere/records"}, "--output_file: the folder {tmp}/nowhere of"),
        ({"output_file": "{tmp}/out"}, "--output_file: {tmp}/out is a folder"),
        ({"output_file": "{tmp}/out/a,{tmp}/out/a"}, "--output_file names {tmp}/out/a twice"),
        ({"output_file": "{tmp}/out/a,"}, "--output_file: '' names no file"),
        ({"output_file": "{tmp}/latin", "input_file": "{tmp}/latin"}, "{tmp}/latin is among the input files"),
        ({"output_file": "{tmp}/out/../latin", "input_file": "{tmp}/latin"}, "latin is among the input files"),
        ({"output_file": "{tmp}/no_cls", "vocab_file": "{tmp}/no_cls"}, "{tmp}/no_cls is among the input files"),
        ({"output_file": "{tmp}/text", "input_file": "{tmp}/text.json"}, "{tmp}/text.json is among the input files"),
        ({"output_file": "{tmp}/a,{tmp}/a.json"}, "--output_file names {tmp}/a.json twice"),
        ({"output_file": "{tmp}/out/a,{tmp}/out/../out/a"}, "--output_file names {tmp}/out/../out/a twice"),
        ({"output_file": ",".join(f"{{tmp}}/out/{n}" for n in range(99))}, "--output_file names 99 files for"),
        ({"dupe_factor": 0}, "--dupe_factor is 0, expected at least 1"),
        ({"max_predictions_per_seq": 0}, "--max_predictions_per_seq is 0, expected at least 1"),
        ({"max_seq_length": 4}, "--max_seq_length is 4, expected 5 or more"),
        ({"max_seq_length": 2097152}, "--max_seq_length is 2097152, expected at most 1048576"),
        ({"max_predictions_per_seq": 10**20}, f"--max_predictions_per_seq is {10**20}, expected at most 1048576"),
        ({"num_workers": 1, "dupe_factor": 10**23}, f"--dupe_factor is {10**23}, expected at most 1000000"),
        ({"num_workers": 1, "block_size_mb": 1e300}, "--block_size_mb is 1e+300, expected at most 1000000"),
        ({"masked_lm_prob": 1.5}, "--masked_lm_prob is 1.5, expected a probability"),
        ({"short_seq_prob": -0.1}, "--short_seq_prob is -0.1, expected a probability"),
        ({"vocab_file": "{tmp}/none"}, "{tmp}/none does not exist"),
        ({"vocab_file": "{tmp}/out"}, "{tmp}/out/vocab.txt does not exist"),
        ({"vocab_file": "{tmp}/no_cls"}, "{tmp}/no_cls: has no [CLS]"),
        ({"vocab_file": "{tmp}/latin"}, "{tmp}/latin:2: not UTF-8"),
        ({"vocab_file": "{tmp}/empty"}, "{tmp}/empty: has no"),
        ({"segmenter": "spaces"}, "--segmenter=spaces groups characters into words for --do_whole_word_mask"),
        ({"segmenter": "thulac"}, "segmenter=thulac"),
        ({"input_format": "csv"}, "input_format=csv"),
        ({"input_format": "jsonl"}, "sample_text.txt:1: not JSON"),
        ({"num_workers": -1}, "--num_workers is -1"),
        ({"num_workers": 1, "shard_size_mb": 0}, "--shard_size_mb is 0.0"),
        ({"num_workers": 1, "block_size_mb": 0}, "--block_size_mb is 0.0"),
        ({"num_workers": 1, "beam_runner": "DirectRunner"}, "--num_workers=1 and --beam_runner=DirectRunner"),
        ({"num_workers": 1, "output_file": "{tmp}/out/a,{tmp}/out/b"}, "--output_file names 2 files, expected one"),
        ({"beam_options": "--x=1"}, "--beam_options='--x=1' is given without --beam_runner"),
    ],
)
def test_bad_input_is_told_and_leaves_nothing(flags, changes, message, golden, tmp_path, out):
    (tmp_path / "empty").write_text("\n \n\n")
    (tmp_path / "latin").write_bytes(b"fine\ncaf\xe9\n")
    (tmp_path / "text.json").write_text("fine\n")
    (tmp_path / "no_cls").write_text((golden / "vocab_small.txt").read_text().replace("[CLS]", "[cls]"))
    (tmp_path / "broken.gz").write_bytes(b"no gzip\n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"one line\n" + os.urandom(5000).hex().encode())[:4000])

    def filled(text):
        return text.format(tmp=tmp_path, golden=golden) if isinstance(text, str) else text

    with pytest.raises(InputError) as error:
        run(flags | {name: filled(value) for name, value in changes.items()})
    told = cli.with_flags(str(error.value), command.Settings)
    assert filled(message) in told
    assert "\n" not in told
    assert list(out.iterdir()) == []


def test_new_records_never_lie_beside_the_side_car_of_others(flags, out, monkeypatch):
    run(flags)
    before = (out / "records").read_bytes()

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("bert.sidecar.write", stop)
    with pytest.raises(KeyboardInterrupt):
        run({**flags, "max_seq_length": 64})
    assert (out / "records").read_bytes() != before
    assert not (out / "records.json").exists()


def test_a_full_disk_leaves_nothing(flags, out):
    """The limit on the size of files is met by the process that makes the records, which inherits it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(OSError, match="cannot be held beside it: File too large"):
            run(flags | {"dupe_factor": 50})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(out.iterdir()) == []


def test_a_failure_while_writing_leaves_nothing(flags, out, monkeypatch):
    from bert.pretraining_data import exact

    def full_disk(maker, numbers):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exact.RecordMaker, "framed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        run(flags)
    assert list(out.iterdir()) == []


def test_smallest_length_works(flags, out):
    run(flags | {"max_seq_length": 5, "short_seq_prob": 1, "masked_lm_prob": 0})
    first = next(records.read(str(out / "records")))
    parsed = parsing.parse(records.PRETRAINING, [first], {"S": 5, "P": 20})
    assert parsed["input_mask"].numpy().tolist() == [[1] * 5]
    assert parsed["masked_lm_weights"].numpy().sum() == 1  # never none (docs/parity.md 6.9)


def test_a_glob_is_read_in_the_folders_order(flags, out, tmp_path, golden):
    texts = tmp_path / "texts"
    texts.mkdir()
    for name in "cabed":
        (texts / name).write_text(f"the ferry {name}\n\n")
    run(flags | {"input_file": f"{texts}/*"})
    expected = (out / "records").read_bytes()
    run(flags | {"input_file": ",".join(entry.path for entry in os.scandir(texts))})
    assert (out / "records").read_bytes() == expected


def start(flags, **environment):
    argv = [sys.executable, "create_pretraining_data.py", *(f"--{name}={value}" for name, value in flags.items())]
    return subprocess.run(argv, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True)


def test_the_program_narrates_on_stderr(flags, out, golden):
    result = start(flags)
    assert result.returncode == 0
    assert result.stdout == ""
    count = len(list(records.read(str(out / "records"))))
    positions = [
        result.stderr.index(line)
        for line in (
            "*** Reading from input files ***",
            f"  {golden}/sample_text.txt",
            "*** Writing to output files ***",
            f"  {out}/records",
            "*** Example ***\ntokens: [CLS] ",
            f"Wrote {count} total instances",
            "*** Corpus report ***",
        )
    ]
    assert positions == sorted(positions)


def test_an_error_is_one_line_and_status_1(flags, tmp_path):
    result = start(flags | {"input_file": f"{tmp_path}/none"})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: --input_file: no file matches '{tmp_path}/none'\n"


def test_help_does_not_wait_for_tensorflow(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('imported')")
    argv = [sys.executable, "create_pretraining_data.py", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0
    assert "--masked_lm_prob (float, default 0.15)" in result.stdout


def test_beam_missing_is_told(flags, tmp_path):
    (tmp_path / "apache_beam.py").write_text("raise ImportError('not there')")
    result = start(flags | {"beam_runner": "DirectRunner"}, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.endswith(
        "error: --beam_runner: apache-beam is not installed "
        "(in a checkout: pip install '.[beam]', or pip install -r requirements-beam.txt)\n"
    )
