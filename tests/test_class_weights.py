"""What --class_weights makes of the training labels, or of a file."""

import collections
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from bert.errors import InputError
from bert.tasks import class_weights
from bert.tasks.label_kinds import CLASS, MULTILABEL, REGRESSION

LABELS = ("a", "b", "c")


@pytest.fixture
def weights_file(tmp_path):
    """Writes a file of weights; returns its path."""

    def write(text: str) -> str:
        (tmp_path / "weights.tsv").write_text(text, encoding="utf-8")
        return str(tmp_path / "weights.tsv")

    return write


@given(st.lists(st.sampled_from(LABELS)).map(lambda found: [*LABELS, *found]))
def test_balanced_is_that_of_scikit_learn(found):
    weights = CLASS.balanced_weights(found, LABELS)
    assert weights == pytest.approx(compute_class_weight("balanced", classes=np.array(LABELS), y=found))
    counts = collections.Counter(found)
    assert [weight * counts[label] for label, weight in zip(LABELS, weights, strict=True)] == pytest.approx(
        [len(found) / 3] * 3
    )


def test_balanced_weights_of_a_class_that_no_example_has():
    assert CLASS.balanced_weights(["a", "a", "a", "c"], LABELS) == pytest.approx([4 / 9, 1, 4 / 3])


def test_balanced_weights_of_several_labels_are_the_others_over_those_that_have_it():
    found = [("a", "c"), ("a",), (), ("a", "c"), ("c",), ("c",), ("c",), ("c",)]
    weights = MULTILABEL.balanced_weights(found, (*LABELS, "d"))
    assert weights == pytest.approx([5 / 3, 1, 2 / 6, 1])
    assert MULTILABEL.balanced_weights([("a", "b"), ("a",)], ("a", "b")) == [1, 1]  # all have a


def test_a_file_gives_weights_in_any_order(weights_file):
    path = weights_file("c\t3\n\n a \t0.5\nb\t 0 \n")
    assert class_weights.read(path, CLASS, LABELS, ["a"]) == [0.5, 0, 3]
    assert class_weights.read(path, MULTILABEL, LABELS, [("a",)]) == [0.5, 0, 3]


def test_a_label_may_hold_a_tab(weights_file):
    assert class_weights.from_file(weights_file("a\tb\t2\nc\t1\n"), ("a\tb", "c")) == [2, 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a\t1\nd\t1\n", ":2: unknown label 'd', expected a line `label TAB weight` with one of a, b, c"),
        ("a\t1\n\nb 1\n", ":3: unknown label 'b 1', expected a line `label TAB weight` with one of a, b, c"),
        ("a\t1\nb\t1\na\t1\n", ":3: label 'a' comes a second time"),
        ("a\theavy\n", ":1: the weight is 'heavy', expected a number of 0 or more"),
        ("a\t\n", ":1: the weight is '', expected a number of 0 or more"),
        ("a\t-1\n", ":1: the weight is '-1', expected a number of 0 or more"),
        ("a\tinf\n", ":1: the weight is 'inf', expected a number of 0 or more"),
        ("b\t1\n", ": no weight for a, c"),
        ("", ": no weight for a, b, c"),
        ("a\t0\nb\t0\nc\t0\n", ": all weights are 0, expected one above"),
    ],
)
def test_a_bad_file_is_told_with_its_line(weights_file, text, problem):
    path = weights_file(text)
    with pytest.raises(InputError) as caught:
        class_weights.read(path, CLASS, LABELS, ["a"])
    assert str(caught.value) == path + problem


def test_a_missing_file_is_told_with_the_flag(tmp_path):
    with pytest.raises(InputError) as caught:
        class_weights.read(str(tmp_path / "balance"), CLASS, LABELS, ["a"])
    assert str(caught.value).startswith("`class_weights`")
    assert str(caught.value).endswith(f"{tmp_path}/balance does not exist")


def test_numbers_have_no_classes_to_weigh():
    assert class_weights.read("none", REGRESSION, (), [1.0]) is None
    with pytest.raises(InputError, match=r"^`class_weights` is balanced, but the labels are numbers"):
        class_weights.read("balanced", REGRESSION, (), [1.0])


def test_the_log_has_the_weights_of_many_classes_in_part(caplog):
    caplog.set_level(logging.INFO, logger="bert")
    assert class_weights.read("none", CLASS, LABELS, ["a"]) is None
    assert not caplog.messages
    class_weights.read("balanced", CLASS, LABELS, ["a", "a", "b", "c"])
    names = [f"l{i}" for i in range(9)]
    class_weights.read("balanced", CLASS, names, [name for i, name in enumerate(names) for _ in range(i + 1)])
    assert caplog.messages[0] == "Class weights: a: 0.667, b: 1.33, c: 1.33"
    assert caplog.messages[1].startswith("Class weights: l8: 0.556, l7: 0.625, l6: 0.714")
    assert caplog.messages[1].endswith("l2: 1.67, l1: 2.5, l0: 5")
