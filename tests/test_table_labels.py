"""The labels of the table task: their kind, read from the data or forced, and what labels.json makes of them."""

import json

import pytest

from bert.tasks import label_kinds, labels_file, table
from tests.task_files import jsonl, refused, task, tsv

KINDS = "expected one of class, multilabel, regression"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0", "0.5", "1"], "regression"),
        ([0, 0.5, 1], "regression"),
        (["-1.5e-1", " 2 "], "regression"),
        (["0", "1", "2"], "class"),
        (["0.0", "1.0"], "class"),
        ([1, 2], "class"),
        (["0.5", "x"], "class"),
        (["0.5", ""], "class"),
        (["0.5", "nan"], "class"),
        ([0.5, True], "class"),
        ([True, False], "class"),
        ([], "class"),
        (["a", "b c"], "class"),
        (["a", "a|b"], "multilabel"),
        (["0.5", "1|2"], "multilabel"),
        (["a", ["a"]], "multilabel"),
        ([[], []], "multilabel"),
        ([10**400, 0.5], "class"),  # more than a float holds
    ],
)
def test_the_kind_is_read_from_the_data(values, kind):
    assert table.kind_of(values, "|").name == kind
    assert table.kind_of(iter(values), "|").name == kind


def test_the_separator_can_be_another():
    assert table.kind_of(["a;b"], ";") is label_kinds.MULTILABEL
    assert table.kind_of(["a|b"], ";") is label_kinds.CLASS


@pytest.mark.parametrize(
    ("train", "options", "labels", "found"),
    [
        (tsv("0", "0.5", "1"), {}, (), [0.0, 0.5, 1.0]),
        (tsv("0", "0.5", "1"), {"label_kind": "class"}, ("0", "0.5", "1"), ["0", "0.5", "1"]),
        (tsv("2", "10"), {}, ("2", "10"), ["2", "10"]),
        (tsv("2", "10"), {"label_kind": "regression"}, (), [2.0, 10.0]),
        (tsv("b | a", "", "c|b|c"), {}, ("a", "b", "c"), [("b", "a"), (), ("c", "b")]),
        (tsv("a|b", "c"), {"label_kind": "class"}, ("a|b", "c"), ["a|b", "c"]),
        (tsv("a, b", "b"), {"label_separator": ","}, ("a", "b"), [("a", "b"), ("b",)]),
        (tsv("b", "a"), {"label_kind": "multilabel"}, ("a", "b"), [("b",), ("a",)]),
    ],
)
def test_labels_of_a_tsv_file(folder, train, options, labels, found):
    data_dir = folder({"train.tsv": train})
    ours = task(**options)
    assert [example.label for example in ours.examples(data_dir, "train")] == found
    assert ours.labels == labels


@pytest.mark.parametrize(
    ("values", "options", "labels", "found"),
    [
        ([["b", "a", "b"], [], "c"], {}, ("a", "b", "c"), [("b", "a"), (), ("c",)]),
        ([[3], [20, 3]], {}, ("3", "20"), [("3",), ("20", "3")]),
        ([1, 0], {}, ("0", "1"), ["1", "0"]),
        ([1, "0.25"], {}, (), [1.0, 0.25]),
        ([True, False], {}, ("False", "True"), ["True", "False"]),
    ],
)
def test_labels_of_a_jsonl_file(folder, values, options, labels, found):
    data_dir = folder({"train.jsonl": jsonl(*values)})
    ours = task(**options)
    assert [example.label for example in ours.examples(data_dir, "train")] == found
    assert ours.labels == labels


def test_whole_numbers_are_sorted_by_value(folder):
    assert task().learn_labels(folder({"train.tsv": tsv("10", "9", "-1", "10")})) == ("-1", "9", "10")
    assert task().learn_labels(folder({"train.tsv": tsv("10", "9", "-1", "x")})) == ("-1", "10", "9", "x")
    endless = "9" * 5000  # more digits than Python reads
    assert task().learn_labels(folder({"train.tsv": tsv("10", "9", endless)})) == ("10", "9", endless)


# labels.json


def test_labels_json_makes_the_training_file_needless(folder, tmp_path):
    data_dir = folder({"train.tsv": "text\tlabel\na\tzwei\nb\tübrig\n", "test.tsv": "text\na\n"})
    output_dir = tmp_path / "output"
    output_dir.mkdir()
    trained = task()
    trained.prepare(data_dir, str(output_dir), ["train"])
    path = labels_file.write(str(output_dir), {**trained.labels_content(), "max_seq_length": 64})
    assert path == str(output_dir / "labels.json")
    assert json.loads((output_dir / "labels.json").read_text("utf-8")) == {
        "task": "table",
        "label_kind": "class",
        "labels": ["zwei", "übrig"],
        "max_seq_length": 64,
    }
    (tmp_path / "train.tsv").unlink()
    predicting = task()
    predicting.prepare(data_dir, str(output_dir), ["test"])
    assert predicting.labels == ("zwei", "übrig")
    assert predicting.label_kind is label_kinds.CLASS


@pytest.mark.parametrize(
    ("train", "dev", "kind", "labels", "found"),
    [
        (tsv("0", "0.5"), tsv("0", "1"), label_kinds.REGRESSION, (), [0.0, 1.0]),  # dev alone would be classes
        (tsv("a|b", "c"), tsv("c", ""), label_kinds.MULTILABEL, ("a", "b", "c"), [("c",), ()]),
    ],
)
def test_the_kind_is_read_back_from_labels_json(folder, tmp_path, train, dev, kind, labels, found):
    data_dir = folder({"train.tsv": train, "dev.tsv": dev})
    trained = task()
    trained.prepare(data_dir, data_dir, ["train"])
    labels_file.write(data_dir, trained.labels_content())
    (tmp_path / "train.tsv").unlink()
    judged = task()
    judged.prepare(data_dir, data_dir, ["dev"])
    assert (judged.label_kind, judged.labels) == (kind, labels)
    assert [example.label for example in judged.examples(data_dir, "dev")] == found


def test_without_training_and_labels_json_the_training_file_gives_the_labels(folder, tmp_path):
    data_dir = folder({"train.tsv": tsv("x", "y"), "test.tsv": "text\na\n"})
    found = task()
    found.prepare(data_dir, str(tmp_path / "output"), ["test"])
    assert found.labels == ("x", "y")
    (tmp_path / "train.tsv").unlink()
    message = refused(task().prepare, data_dir, str(tmp_path / "output"), ["test"])
    assert "labels.json does not exist, and neither does" in message
    assert message.startswith("`output_dir`: ")


@pytest.mark.parametrize(
    ("stored", "train", "options", "lies", "has"),
    [
        ({"labels": ["p", "q"]}, tsv("x", "y"), {}, "p, q", "x, y"),
        ({"labels": ["y", "x"]}, tsv("x", "y"), {}, "y, x", "x, y"),
        ({"labels": ["x", "y"]}, tsv("x", "x|y"), {}, "x, y", "x, y (several at once)"),
        ({"labels": [], "label_kind": "regression"}, tsv("0", "1"), {}, "that are numbers", "0, 1"),
        ({"labels": ["0", "1"]}, tsv("0", "1"), {"label_kind": "regression"}, "0, 1", "that are numbers"),
    ],
)
def test_a_labels_json_with_other_labels_is_an_error(folder, stored, train, options, lies, has):
    data_dir = folder({"train.tsv": train, "labels.json": json.dumps({"task": "table", **stored})})
    message = refused(task(**options).prepare, data_dir, data_dir, ["train"])
    assert message == (
        f"{data_dir}/labels.json: a model with labels {lies} lies here, "
        f"but task table in `data_dir`={data_dir} has {has}"
    )


def test_a_forced_kind_must_be_that_of_the_model(folder):
    stored = {"task": "table", "label_kind": "multilabel", "labels": ["x", "y"]}
    data_dir = folder({"test.tsv": "text\na\n", "labels.json": json.dumps(stored)})
    task(label_kind="multilabel").prepare(data_dir, data_dir, ["test"])
    message = refused(task(label_kind="class").prepare, data_dir, data_dir, ["test"])
    assert "a model with labels x, y (several at once) lies here, but" in message


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        ({"label_kind": "class", "labels": []}, "'labels' is [], expected a list of names"),
        ({"label_kind": "regression", "labels": ["x"]}, "'labels' is ['x'], expected a list of names"),
        ({"label_kind": "tags", "labels": ["x"]}, f"'label_kind' is 'tags', {KINDS}"),
        ({"label_kind": ["x"], "labels": ["x"]}, "'label_kind' is [\"x\"], expected a text"),
        ({"label_kind": None, "labels": ["x"]}, "'label_kind' is null, expected a text"),
        ({}, "has no 'labels', expected a list, each a text"),
        ({"labels": ["x", 5]}, "'labels[1]' is 5, expected a text"),
        ({"labels": ["x", "x"]}, "label 'x' occurs twice, expected different ones"),
    ],
)
def test_a_damaged_labels_json_is_refused(folder, stored, problem):
    data_dir = folder({"test.tsv": "text\na\n", "labels.json": json.dumps(stored)})
    assert refused(task().prepare, data_dir, data_dir, ["test"]) == f"{data_dir}/labels.json: {problem}"
