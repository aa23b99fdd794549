"""Reading rows of TSV, CSV and JSON lines, packed or not: what is a row, what is an error, and on which line."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert import errors
from bert.tasks import rows
from tests import task_files
from tests.task_files import refused

LIMIT = rows.FIELD_LIMIT


@pytest.fixture
def read(tmp_path):
    """read(name, text) writes a file, packed if its name ends in .gz, and returns its rows as a list."""

    def read(name: str, text: str, has_header: bool = True) -> list[rows.Row]:
        task_files.write(tmp_path, {name: text})
        return list(rows.read(str(tmp_path / name), has_header))

    return read


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "text", "first_line"),
    [
        ("x.tsv", "text\tlabel\nsüß\tA\n“b”\tB", 2),
        ("x.txt", "text\tlabel\r\nsüß\tA\r\n“b”\tB\r\n", 2),
        ("x.csv", 'text,label\nsüß,"A"\n“b”,B\n', 2),
        ("x.csv", "text,label\r\nsüß,A\r\n“b”,B", 2),
        ("x.jsonl", '{"text": "süß", "label": "A"}\n{"label": "B", "text": "\\u201cb\\u201d"}\n', 1),
        ("x.json", '{"text": "süß", "label": "A"}\n{"label": "B", "text": "“b”"}', 1),
    ],
)
def test_the_formats_read_alike(read, tmp_path, name, text, first_line, packed):
    found = read(name + packed, text)
    assert [(row["text"], row["label"]) for row in found] == [("süß", "A"), ("“b”", "B")]
    assert [row.where for row in found] == [f"{tmp_path / name}{packed}:{first_line + i}" for i in range(2)]


def test_without_a_header_every_line_is_a_row(read):
    for name, text in (("x.tsv", "a\tb\nc\td\n"), ("x.csv", "a,b\nc,d\n")):
        found = read(name, text, has_header=False)
        assert [(row.number, row[0], row[-1], row.header) for row in found] == [(0, "a", "b", ()), (1, "c", "d", ())]


def test_quotation_marks_are_text_in_tsv_and_quote_in_csv(read):
    assert read("x.tsv", 'text\tlabel\n"a ""b""\tx\n')[0]["text"] == '"a ""b""'
    found = read("x.csv", 'text,label\n"a, ""b""\nc\n\n",x\n\n d "e",y\n"",""\n')
    assert [(row["text"], row["label"]) for row in found] == [('a, "b"\nc\n\n', "x"), (' d "e"', "y"), ("", "")]
    assert [row.number + 1 for row in found] == [2, 7, 8]  # where a record begins; an empty line is none


def test_names_in_a_header_lose_the_space_around_them(read):
    assert read("x.csv", "text , label\na,b\n")[0].header == ["text", "label"]


@pytest.mark.parametrize("name", ["x.tsv", "x.csv", "x.jsonl"])
@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_file_has_no_rows(read, name, text):
    assert read(name, text) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.tsv", "h\na\n\nb\n", ":3: empty line, expected a row"),
        ("x.tsv", "\nh\na\n", ":1: empty line, expected a row"),
        ("x.tsv", f"h\na\t{'x' * LIMIT}\n{'x' * (LIMIT + 1)}\n", f":3: a field of {LIMIT + 1} characters, expected "),
        ("x.csv", 'h\na\n"b\n\nc\n', ":3: not CSV: unexpected end of data"),
        ("x.csv", 'h\n"a\nb"\n"c"d\n', ":4: not CSV: "),
        ("x.csv", f"h\n{'x' * LIMIT}\n{'x' * (LIMIT + 1)}\n", ":3: not CSV: field larger than field limit (131072)"),
        ("x.jsonl", '{"a": 1}\n\n{"a": 1}\n', ":2: empty line, expected a row"),
        ("x.jsonl", '{"a": 1}\n{"a": x}\n', ":2: not JSON: Expecting value, column 7"),
        ("x.jsonl", '{"a": 1}\n["a"]\n', ":2: found '[\"a\"]', expected a JSON object"),
        ("x.jsonl", '[\n{"a": 1}\n]\n', ":1: not JSON: "),
        ("x.jsonl", '{"a": ' + "1" * 5000 + "}\n", ":1: JSON that cannot be read: "),
        ("x.jsonl", '{"a": ' + "[" * 100_000 + "\n", ":1: JSON that cannot be read: "),
        ("x.jsonl", '{"a": "\\uD83D\\uDE00"}\n{"a": ["\\ud83d"]}\n', ":2: JSON that cannot be read: "),
    ],
)
def test_a_bad_line_is_told_with_its_number(read, tmp_path, name, text, problem):
    for packed in ("", ".gz"):
        message = refused(read, name + packed, text)
        assert message.startswith(f"{tmp_path / name}{packed}{problem}")
        assert len(message) < 300


def test_a_cut_gzip_file_is_told(read, tmp_path):
    read("x.tsv.gz", "h\n" + "".join(f"{i * 7919}\n" for i in range(5000)))
    path = tmp_path / "x.tsv.gz"
    path.write_bytes(path.read_bytes()[:-100])
    message = refused(lambda: list(rows.read(str(path), True)))
    assert message.startswith(f"{path}:")
    assert "not gzip, damaged or cut off" in message


def test_a_column_that_is_not_there_is_told(read, tmp_path):
    (row,) = read("x.tsv", "text\tlabel\na\tb\n")
    assert refused(row.__getitem__, "id") == f"{tmp_path}/x.tsv:1: no column 'id', the header has: text, label"
    assert refused(row.__getitem__, 2) == f"{tmp_path}/x.tsv:2: too short: 2 columns, expected at least 3"
    assert refused(row.__getitem__, -3) == f"{tmp_path}/x.tsv:2: too short: 2 columns, expected at least 3"
    whole, empty = read("x.jsonl", '{"text": 1, "label": 2}\n{}\n')
    assert refused(whole.__getitem__, "id") == f"{tmp_path}/x.jsonl:1: no key 'id', expected it beside text, label"
    assert refused(empty.__getitem__, "id") == f"{tmp_path}/x.jsonl:2: no key 'id', expected it beside nothing"


def test_a_value_for_a_message_is_cut():
    assert errors.quoted("x" * 60) == f"'{'x' * 60}'"
    assert errors.quoted("x" * 61) == f"'{'x' * 60}...'"
    assert errors.quoted([1]) == "'[1]'"
    assert errors.shown({"a": "x" * 60}) == f'{{"a": "{"x" * 53}...'
    assert errors.shown({1}) == "{1} (set)"


# Everything but line ends: those that files have are not kept (docs/parity.md 7); NUL is no CSV to Python 3.10.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")
TABLES = st.lists(st.tuples(st.text(CHARACTERS, max_size=9), st.text(CHARACTERS, max_size=9)), max_size=6)


@given(TABLES)
def test_what_is_written_is_read(tmp_path_factory, table):
    folder = tmp_path_factory.getbasetemp()
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([("a", "b"), *table])
    (folder / "any.csv").write_bytes(written.getvalue().encode("utf-8"))
    lines = [json.dumps({"a": a, "b": b}) for a, b in table]
    (folder / "any.jsonl").write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8"))
    for name in ("any.csv", "any.jsonl"):
        assert [(row["a"], row["b"]) for row in rows.read(str(folder / name), True)] == table


@given(TABLES)
def test_tsv_has_no_other_separators_than_tab_and_newline(tmp_path_factory, table):
    kept = [[cell.replace("\t", " ").replace("\n", " ") for cell in row] for row in table]
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    path.write_bytes("".join(f"{a}\t{b}\n" for a, b in [("a", "b"), *kept]).encode("utf-8"))
    assert [row.columns for row in rows.read(str(path), True)] == kept
