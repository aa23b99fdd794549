"""bert predict as a user types it: lines of a file, lines as they come, bad lines, a reader that goes away."""

import io
import json
import subprocess
import sys

import pytest

import bert
from bert.errors import InputError
from bert.prediction.lines import Lines
from tests import commands, trained

EXPECTED = 'expected a text, a pair of texts, or {"text": ..., "text_b": ...}'
ROOT = commands.TESTS.parent
ROWS = ["the company", ("the company", "said no"), "after the bell"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained.classifier(tmp_path_factory.mktemp("classes"), ["good", "bad"], [("the company", "")])


@pytest.fixture(scope="module")
def model(folder):
    return bert.load(str(folder))


def run(folder, **flags):
    return commands.run("bert.commands.predict", model_dir=folder, **flags)


def lines_of(rows) -> str:
    return "".join(f"{row if isinstance(row, str) else chr(9).join(row)}\n" for row in rows)


def test_a_file_is_answered_line_by_line(folder, model, tmp_path):
    (tmp_path / "in.tsv").write_text(lines_of(ROWS) + "\n")  # an empty last line is none
    outcome = run(folder, input_file=tmp_path / "in.tsv", output_file=tmp_path / "out.tsv")
    assert (outcome.status, outcome.stdout) == (0, ""), outcome.stderr
    assert outcome.stderr.splitlines()[-1] == f"Model: {model.stored.weights}, for classification."
    found = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert found == [[one.label, f"{one.score:.4f}"] for one in model.predict(ROWS)]


def test_json_lines_in_json_lines_out(folder, model, tmp_path):
    rows = [{"text": "the company", "text_b": "said no"}, {"text": "the company"}, "the bell", ["the", "bell"]]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = {"output_file": tmp_path / "out.jsonl", "output_format": "json"}
    outcome = run(folder, input_file=tmp_path / "in.jsonl", max_seq_length=16, **flags)
    assert outcome.status == 0, outcome.stderr
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [list(one) for one in found] == [["label", "score", "probabilities", "truncated"]] * 4
    assert [one["label"] for one in found] == [one.label for one in model.predict(rows)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the\n\nbell\n", "in.txt:2: empty line, expected a row"),
        ("the\n{\n", "in.txt:2: not JSON: Expecting property name enclosed in double quotes, column 2"),
        ("the\na\tb\tc\n", 'in.txt:2: found ["a", "b", "c"], ' + EXPECTED),
        ('{"txt": "a"}\n', 'in.txt:1: found the field "txt", ' + EXPECTED),
    ],
)
def test_a_bad_line_of_a_file_ends_it_and_writes_nothing(folder, tmp_path, text, message):
    (tmp_path / "in.txt").write_text(text)
    (tmp_path / "out").write_text("as before")
    outcome = run(folder, input_file=tmp_path / "in.txt", output_file=tmp_path / "out")
    assert outcome.error == f"{tmp_path}/{message}"
    assert commands.listing(tmp_path) == {"in.txt": text.encode(), "out": b"as before"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"output_file": "out"}, "--output_file needs --input_file; standard input is answered on standard output"),
        ({"input_file": "nowhere.txt"}, "--input_file: nowhere.txt does not exist"),
        (
            {"input_file": __file__, "output_file": __file__},
            f"--output_file: {__file__} is among the input files, which would be overwritten",
        ),
        (
            {"input_file": __file__, "output_file": "nowhere/out"},
            "--output_file: the folder nowhere of nowhere/out does not exist",
        ),
        (
            {"doc_stride": 5},
            "--doc_stride is no option of this kind of model, expected some of: truncation, long_text, label_separator",
        ),
        ({"max_seq_length": 200}, "--max_seq_length is 200, expected 3 to 128, the positions of the model of {folder}"),
    ],
)
def test_flags_that_make_no_sense_are_refused(folder, flags, message):
    assert run(folder, **flags).error == message.format(folder=folder)


def asked(model, monkeypatch, data: bytes, output_format: str = "text", input_format: str = "auto"):
    """What standard output and standard error get for what comes in through standard input."""
    output, errors = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", errors)
    try:
        Lines(model, input_format, output_format).answer_standard_input()
    except InputError as error:
        errors.write(f"end: {error}\n")
    return output.buffer.getvalue().decode("utf-8").split("\n"), errors.getvalue().splitlines()


def test_a_byte_order_mark_is_no_part_of_the_first_line(model, monkeypatch):
    output, errors = asked(model, monkeypatch, b'\xef\xbb\xbf{"text": "the company"}\nthe bell\n')
    assert [bool(line) for line in output] == [True, True, False]
    assert not errors
    assert output[0] == asked(model, monkeypatch, b"the company")[0][0]


def test_a_bad_line_has_an_empty_answer_and_the_next_is_answered(model, monkeypatch):
    data = b'the company\n\n{"text": "the bell"}\n\xff\n{"text": 5}\na\tb\tc\nthe company'
    output, errors = asked(model, monkeypatch, data)
    first = model.predict("the company")
    expected = f"{first.label}\t{first.score:.4f}"
    assert [output[0], output[6], output[7:]] == [expected, expected, [""]]
    assert [bool(line) for line in output] == [True, False, True, False, False, False, True, False]
    assert errors == [
        "error: standard input:2: empty line, expected a row",
        "error: standard input:4: not UTF-8: byte 0xff",
        f'error: standard input:5: found {{"text": 5}}, {EXPECTED}',
        f'error: standard input:6: found ["a", "b", "c"], {EXPECTED}',
        "end: standard input: 4 of 7 lines could not be answered",
    ]


def test_text_that_looks_like_json(model, monkeypatch):
    assert asked(model, monkeypatch, b"{bell\n", input_format="text")[1] == []
    output, errors = asked(model, monkeypatch, b'"the bell"\n', "json", "json")
    assert (json.loads(output[0])["label"], errors) == (model.predict("the bell").label, [])


def test_a_dialogue(folder):
    """Each line is answered before the next is typed; a reader that goes away ends it without a word."""
    command = [sys.executable, "-m", "bert", "predict", f"--model_dir={folder}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as child:
        for text in ("the company", "after the bell"):
            print(text, file=child.stdin, flush=True)
            label, score = child.stdout.readline().split("\t")
            assert label in ("good", "bad")
            assert 0.5 <= float(score) <= 1
        child.stdout.close()
        print("the company", file=child.stdin, flush=True)
        errors = child.stderr.read().splitlines()
    assert [line for line in errors if not line.startswith("Model: ")] == []
    assert child.returncode == 0


def test_standard_output_on_a_full_disk(folder):
    command = [sys.executable, "-m", "bert", "predict", f"--model_dir={folder}"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, input="the company\n", cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == ["error: standard output: No space left on device"]
