"""test_results.tsv and predictions.tsv: a line an example, whatever its texts hold; the warning of one answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert.tasks import InputExample, predictions
from bert.tasks.label_kinds import CLASS, MULTILABEL, REGRESSION

TWO = np.array([[0.75, 0.25], [0.5, 0.5], [1e-7, 1]], np.float32)
NASTY = "a\tb\nc\r\nd\re\x0bf\x0cg\x85h\u2028i\u2029j\x1ck"


def table(path, examples, probabilities, labels=("no", "yes"), kind=CLASS, separator="|") -> list[list[str]]:
    """The cells of a predictions.tsv."""
    answers = kind.answers(probabilities, labels, separator)
    predictions.write_table(str(path), examples, probabilities, answers, labels, kind)
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    assert len(text.splitlines()) == text.count("\n")  # whichever way lines are told apart
    return [line.split("\t") for line in text.splitlines()]


def test_the_columns_of_the_original_have_no_header(tmp_path):
    predictions.write_columns(str(tmp_path / "out"), TWO)
    assert (tmp_path / "out").read_text() == "0.75\t0.25\n0.5\t0.5\n1e-07\t1.0\n"
    predictions.write_columns(str(tmp_path / "out"), TWO[:, :1])
    assert (tmp_path / "out").read_text() == "0.75\n0.5\n1e-07\n"


def test_a_single_text(tmp_path):
    examples = [InputExample("test-1", "eins"), InputExample("test-2", "zwei 二"), InputExample("test-3", "")]
    assert table(tmp_path / "out", examples, TWO) == [
        ["id", "text", "label", "score", "no", "yes"],
        ["test-1", "eins", "no", "0.75", "0.75", "0.25"],
        ["test-2", "zwei 二", "no", "0.5", "0.5", "0.5"],
        ["test-3", "", "yes", "1.0", "1e-07", "1.0"],
    ]


def test_a_second_text_has_a_column_where_one_example_has_one(tmp_path):
    examples = [InputExample("1", "a"), InputExample("2", "b", "B"), InputExample("3", "c", "")]
    assert [row[:4] for row in table(tmp_path / "out", examples, TWO)] == [
        ["id", "text", "text_b", "label"],
        ["1", "a", "", "no"],
        ["2", "b", "B", "no"],
        ["3", "c", "", "yes"],
    ]


def test_texts_ids_and_labels_cannot_break_lines_or_columns(tmp_path):
    examples = [InputExample(NASTY, NASTY, NASTY)] * 3
    found = table(tmp_path / "out", examples, TWO, labels=(NASTY, "yes"))
    assert [len(row) for row in found] == [7] * 4
    flat = "a b c  d e f g h i j k"
    assert found[0] == ["id", "text", "text_b", "label", "score", flat, "yes"]
    assert found[1][:4] == [flat] * 4


def test_a_class_named_like_a_column_is_told_apart(tmp_path):
    examples = [InputExample("1", "a")] * 3
    for labels in (("label", "text_b"), ("score", "id")):
        header = table(tmp_path / "out", examples, TWO, labels=labels)[0]
        assert header == ["id", "text", "label", "score", *(f"class {label}" for label in labels)]
        assert len(set(header)) == 6


def test_several_labels_stand_in_one_cell(tmp_path):
    probabilities = np.array([[0.75, 0.625], [0.25, 0.125], [0.25, 0.5625]], np.float32)
    examples = [InputExample("1", "a")] * 3
    assert table(tmp_path / "out", examples, probabilities, kind=MULTILABEL, separator=", ") == [
        ["id", "text", "label", "score", "no", "yes"],
        ["1", "a", "no, yes", "0.625", "0.75", "0.625"],
        ["1", "a", "", "0.75", "0.25", "0.125"],
        ["1", "a", "yes", "0.5625", "0.25", "0.5625"],
    ]


def test_a_number_has_no_columns_of_classes(tmp_path):
    examples = [InputExample("1", "a", "b")] * 2
    assert table(tmp_path / "out", examples, np.array([[0.1], [-2]], np.float32), kind=REGRESSION) == [
        ["id", "text", "text_b", "label", "score"],
        ["1", "a", "b", "0.1", "0.1"],
        ["1", "a", "b", "-2.0", "-2.0"],
    ]


@given(st.lists(st.tuples(st.text(), st.none() | st.text()), min_size=1, max_size=5), st.sampled_from("\t\n\r"))
def test_as_many_lines_as_examples(tmp_path_factory, pairs, breaker):
    examples = [InputExample(str(i), a + breaker, b) for i, (a, b) in enumerate(pairs)]
    probabilities = np.full([len(pairs), 2], 0.5, np.float32)
    found = table(tmp_path_factory.getbasetemp() / "any.tsv", examples, probabilities)
    assert [row[0] for row in found] == ["id", *map(str, range(len(pairs)))]
    assert len({len(row) for row in found}) == 1


def test_examples_and_predictions_must_be_as_many(tmp_path):
    with pytest.raises(ValueError, match=r"zip\(\) argument"):
        table(tmp_path / "out", [InputExample("1", "a")], TWO)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["no"] * 3, "All 3 predictions are 'no'."),
        ([""] * 2, "All 2 predictions are 'no class'."),
        (["no", "yes", "no"], None),
        (["no"], None),
        ([], None),
    ],
)
def test_one_answer_for_all_is_a_warning(caplog, answers, told):
    predictions.warn_of_one_answer(answers)
    found = [(record.name, record.levelname) for record in caplog.records]
    assert found == ([("bert.tasks.predictions", "WARNING")] if told else [])
    if told:
        assert caplog.messages[0].startswith(told)
        assert "`learning_rate`" in caplog.messages[0]
