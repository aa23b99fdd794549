"""The table task: its files and columns; every refusal with file and line."""

import pytest

from bert import tasks
from bert.options.tables import TableOptions
from bert.tasks import InputExample, table
from tests.task_files import jsonl, refused, task, tsv

PACKED = ("", ".gz")


# Files and columns


def test_columns_are_found_by_name(folder, tmp_path):
    data_dir = folder(
        {
            "train.tsv": "label\tnote\ttext_b\ttext\tid\nsport\tx\tB\tA\tn1\n art \tx\t\tC\tn2\n",
            "dev.tsv": "text\tlabel\nonly\tart\n",
            "test.tsv": "text\nfirst\nsecond\n",
        }
    )
    found = tasks.find("table")()
    found.prepare(data_dir, str(tmp_path / "output"), tasks.SPLITS)
    assert found.labels == ("art", "sport")
    assert found.examples(data_dir, "train") == [
        InputExample("n1", "A", "B", "sport"),
        InputExample("n2", "C", "", "art"),
    ]
    assert found.examples(data_dir, "dev") == [InputExample("dev-1", "only", None, "art")]
    assert found.examples(data_dir, "test") == [InputExample("test-1", "first"), InputExample("test-2", "second")]


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize(
    ("name", "text", "first"),
    [
        ("train.tsv", 'text\tlabel\n"a, b\tx\nc\ty\n', '"a, b'),
        ("train.txt", "text\tlabel\na\tx\nc\ty\n", "a"),
        ("train.csv", 'text,label\n"a, ""b""\nc",x\nc,y\n', 'a, "b"\nc'),
        ("train.jsonl", '{"text": "a\\tb", "label": "x"}\n{"text": "c", "label": "y"}\n', "a\tb"),
    ],
)
def test_a_file_is_found_in_any_format(folder, name, text, first, packed):
    data_dir = folder({name + packed: text})
    found = task()
    assert [(e.text_a, e.label) for e in found.examples(data_dir, "train")] == [(first, "x"), ("c", "y")]
    assert found.path(data_dir, "train") == f"{data_dir}/{name}{packed}"


def test_files_have_the_names_that_are_given(folder):
    data_dir = folder({"a.csv.gz": "text,label\nb,x\nc,y\n", "d.jsonl": jsonl("x"), "e.txt": "text\nf\n"})
    found = task(train_file="a.csv.gz", dev_file="d.jsonl", test_file="e.txt")
    found.check(data_dir, tasks.SPLITS)
    assert [len(found.examples(data_dir, split)) for split in tasks.SPLITS] == [2, 1, 1]
    assert found.labels == ("x", "y")


def test_two_files_that_could_be_meant_are_an_error(folder):
    data_dir = folder({"train.tsv": tsv("x", "y"), "train.csv.gz": "text,label\na,x\n", "dev.tsv": tsv("x")})
    message = refused(task().prepare, data_dir, data_dir, ["train", "dev", "test"])
    assert message == (
        f"{data_dir}/train.tsv, {data_dir}/train.csv.gz: which is meant? Give `train_file`; "
        f"`do_predict`: {data_dir}/test.tsv does not exist"
    )
    assert len(task(train_file="train.tsv").examples(data_dir, "train")) == 2


def test_columns_are_found_by_number_counted_from_1(folder):
    numbers = {"text_column": "3", "label_column": "1", "id_column": "2"}
    for name, text in (("train.tsv", "x\t7\ta\ny\t8\tb\n"), ("train.csv", "x,7,a\ny,8,b\n")):
        data_dir = folder({name: text})
        found = task(header=False, train_file=name, **numbers)
        assert found.examples(data_dir, "train") == [
            InputExample("7", "a", None, "x"),
            InputExample("8", "b", None, "y"),
        ]
        with_header = task(train_file=name, text_b_column="2", text_column="3", label_column="1")
        folder({name: text + text})
        assert with_header.examples(data_dir, "train")[0] == InputExample("train-1", "b", "8", "y")


def test_a_name_in_the_header_wins_over_a_number(folder):
    data_dir = folder({"train.tsv": "a\t1\nb\tx\nc\ty\n"})
    assert task(text_column="1", label_column="2").examples(data_dir, "train")[0].text_a == "x"


def test_names_can_be_others(folder):
    data_dir = folder(
        {"train.jsonl": '{"q": "a", "r": "b", "y": "x", "n": 7}\n{"q": "c", "r": "d", "y": "z", "n": 8}\n'}
    )
    found = task(text_column="q", text_b_column="r", label_column="y", id_column="n")
    assert found.examples(data_dir, "train")[0] == InputExample("7", "a", "b", "x")


def test_without_ids_examples_are_named_by_split_and_line(folder):
    data_dir = folder({"train.tsv": tsv("x", "y"), "dev.jsonl": jsonl("x"), "test.csv": "text,id\n\na,\n"})
    found = task()
    assert [example.guid for example in found.examples(data_dir, "train")] == ["train-1", "train-2"]
    assert [example.guid for example in found.examples(data_dir, "dev")] == ["dev-0"]


def test_json_rows_may_have_a_second_text_or_none(folder):
    data_dir = folder({"test.jsonl": '{"text": "a"}\n{"text": "b", "text_b": "c"}\n', "train.jsonl": jsonl("x", "y")})
    assert [example.text_b for example in task().examples(data_dir, "test")] == [None, "c"]


def test_the_labels_of_a_test_file_are_not_read(folder):
    data_dir = folder({"train.tsv": tsv("x", "y"), "test.tsv": "text\tlabel\nc\t?\n"})
    assert task().examples(data_dir, "test") == [InputExample("test-1", "c")]


# Refusals


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        ("a\tx\nb\ty\n", ":1: no column 'label', the header has: a, x"),
        ("label\tsentence\nx\ta\ny\tb\n", ":1: no column 'text', the header has: label, sentence"),
        ("text\ttext\tlabel\na\tb\tx\n", ":1: the header names 'text' 2 times, expected once"),
        ("text\tlabel\na\n", ":2: 1 columns, expected 2 as in the header"),
        ("text\tlabel\na\tx\nb\tc\ty\n", ":3: 3 columns, expected 2 as in the header"),
        ("text\tlabel\na\t \n", ":2: the label is empty, expected the name of a class"),
        ("text\tlabel\na\tx\nb\tx\n", ": holds only the label 'x', expected at least two labels"),
        ("text\tlabel\na\t0.5\nb\t\n", ":3: the label is empty, expected the name of a class"),
        ("text\tlabel\n", ": holds no example, expected at least two labels"),
        ("", ": holds no example, expected at least two labels"),
    ],
)
def test_a_bad_training_file_is_refused(folder, train, problem):
    for packed in PACKED:
        data_dir = folder({"train.tsv" + packed: train})
        found = task(train_file="train.tsv" + packed)
        assert refused(found.examples, data_dir, "train") == f"{data_dir}/train.tsv{packed}{problem}"


@pytest.mark.parametrize(
    ("name", "text", "options", "problem"),
    [
        ("train.csv", 'text,label\n"a\nb",x\nc\n', {}, ":4: 1 columns, expected 2 as in the header"),
        (
            "train.csv",
            "a,x\nb,y,z\n",
            {"header": False, "text_column": "1", "label_column": "2"},
            ":2: 3 columns, expected 2 as in line 1",
        ),
        (
            "train.tsv",
            "a\tx\n",
            {"header": False, "text_column": "1", "label_column": "3"},
            ":1: too short: 2 columns, expected at least 3",
        ),
        (
            "train.jsonl",
            '{"text": "a", "label": "x"}\n{"text": "a"}\n',
            {},
            ":2: no key 'label', expected it beside text",
        ),
        ("train.jsonl", '{"text": "a", "label": "x"}\n{}\n', {}, ":2: no key 'label', expected it beside nothing"),
        (
            "train.jsonl",
            '{"text": "a", "label": "x"}\n{"label": "y"}\n',
            {},
            ":2: no key 'text', expected it beside label",
        ),
        (
            "train.jsonl",
            '{"text": "a", "label": "x"}\n{"text": 5, "label": "y"}\n',
            {},
            ":2: 'text' is '5', expected a text",
        ),
        (
            "train.jsonl",
            '{"text": "a", "text_b": null, "label": "x"}\n{"text": "a", "label": "y"}\n',
            {},
            ":1: 'text_b' is 'None', expected a text",
        ),
        ("train.jsonl", jsonl("x", None, "y"), {}, ":2: the label is empty, expected the name of a class"),
        ("train.jsonl", jsonl("x", ["y", ""]), {}, ":2: the label is empty, expected the name of a class"),
        ("train.jsonl", jsonl(["x"], ["y", ["z"]]), {}, ":2: the label is '['z']', expected the name of one class"),
        ("train.jsonl", jsonl("x", {"y": 1}), {}, ":2: the label is '{'y': 1}', expected the name of one class"),
        (
            "train.jsonl",
            jsonl("x", ["y"]),
            {"label_kind": "class"},
            ":2: the label is '['y']', expected the name of one class",
        ),
        ("train.tsv", tsv("1", "many"), {"label_kind": "regression"}, ":3: the label is 'many', expected a number"),
        ("train.tsv", tsv("1", ""), {"label_kind": "regression"}, ":3: the label is '', expected a number"),
        (
            "train.tsv",
            tsv("1", "1e39"),
            {"label_kind": "regression"},
            ":3: the label is '1e39', expected a number of at most 1e+18",
        ),
        ("train.tsv", tsv("1", "nan"), {"label_kind": "regression"}, ":3: the label is 'nan', expected a number"),
        ("train.jsonl", jsonl(0.5, None), {"label_kind": "regression"}, ":2: the label is 'None', expected a number"),
        ("train.jsonl", jsonl(0.5, True), {"label_kind": "regression"}, ":2: the label is 'True', expected a number"),
        ("train.tsv", tsv("a", "|"), {}, ": holds only the label 'a', expected at least two labels"),
    ],
)
def test_a_bad_row_is_told_with_file_and_line(folder, name, text, options, problem):
    data_dir = folder({name: text})
    assert refused(task(**options).examples, data_dir, "train") == f"{data_dir}/{name}{problem}"


def test_without_a_header_names_are_told_to_be_numbers(folder):
    data_dir = folder({"train.tsv": "a\tx\n"})
    message = refused(task(header=False, text_column="1").examples, data_dir, "train")
    assert message == "`label_column` is 'label', but with `header`=false columns have numbers, counted from 1"
    message = refused(task(header=False, text_column="1", label_column="0").examples, data_dir, "train")
    assert message.startswith("`label_column` is '0', but ")


@pytest.mark.parametrize(
    ("dev", "problem"),
    [
        (tsv("x", "z"), ":3: unknown label 'z', expected one of x, y"),
        (tsv("x", ""), ":3: the label is empty, expected the name of a class"),
        (tsv("x", "x|y"), ":3: unknown label 'x|y', expected one of x, y"),
        ("text\tlabel\n", ": holds no example of task table"),
    ],
)
def test_a_dev_label_that_training_never_saw_is_refused(folder, dev, problem):
    data_dir = folder({"train.tsv": tsv("x", "y"), "dev.tsv": dev})
    assert refused(task().examples, data_dir, "dev") == f"{data_dir}/dev.tsv{problem}"


def test_an_unknown_label_among_hundreds_is_told_briefly(folder):
    data_dir = folder({"train.tsv": tsv(*(f"l{i:03}" for i in range(150))), "dev.tsv": tsv("x" * 1000)})
    message = refused(task().examples, data_dir, "dev")
    ten = ", ".join(f"l{i:03}" for i in range(10))
    assert message.endswith(f":2: unknown label '{'x' * 60}...', expected one of {ten} ... (150 labels)")


def test_options_of_the_table_are_refused_beside_other_tasks():
    table.check_unused(TableOptions(), "mrpc")
    message = refused(table.check_unused, TableOptions(text_column="2"), "mrpc")
    assert message == "`text_column` is 2, but only `task_name`=table reads it, not mrpc"
