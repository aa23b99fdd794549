"""The three kinds of labels: ids, probabilities, answers, scores, histogram, refusals."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special

from bert import records
from bert.errors import InputError
from bert.tasks import label_kinds
from bert.tasks.label_kinds import CLASS, MULTILABEL, REGRESSION

LABELS = ("bad", "good", "so so")
LOGITS = arrays.arrays(np.float32, (4, 3), elements=st.floats(-1e4, 1e4, width=32))


def test_the_names_are_those_of_the_flag():
    assert label_kinds.KINDS == {"class": CLASS, "multilabel": MULTILABEL, "regression": REGRESSION}
    assert [kind.has_classes for kind in label_kinds.KINDS.values()] == [True, True, False]


@pytest.mark.parametrize(
    ("kind", "found", "ids"),
    [
        (CLASS, ["so so", None, "bad"], [[2], [0], [0]]),
        (MULTILABEL, [("so so", "bad"), None, (), ("good",)], [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 1, 0]]),
        (REGRESSION, [2.5, None, -1], [[2.5], [0], [-1]]),
    ],
)
def test_ids_are_what_the_records_hold(kind, found, ids):
    array = kind.ids(found, LABELS)
    assert array.tolist() == ids
    assert array.dtype == (np.float32 if kind is REGRESSION else np.int32)
    feature = {each.name: each for each in kind.record_kind.features}["label_ids"]
    assert {"C": 3}.get(feature.length, feature.length) == array.shape[1]
    assert feature.is_float == (kind is REGRESSION)


def test_a_record_goes_through_the_kind_of_its_labels():
    assert [kind.record_kind for kind in label_kinds.KINDS.values()] == [
        records.CLASSIFIER,
        records.MULTI_LABEL,
        records.REGRESSION,
    ]


@given(LOGITS)
def test_probabilities_of_one_class_are_the_softmax(logits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = CLASS.probabilities(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, special.softmax(logits.astype(np.float64), axis=1), rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


@given(LOGITS)
def test_probabilities_of_several_classes_are_each_the_sigmoid(logits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = MULTILABEL.probabilities(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, special.expit(logits.astype(np.float64)), rtol=1e-6, atol=1e-30)


def test_a_number_is_what_the_model_says():
    logits = np.array([[0.1], [-3]], np.float32)
    assert REGRESSION.probabilities(logits) is logits
    assert REGRESSION.answers(logits, ()) == ["0.1", "-3.0"]
    assert REGRESSION.scores(logits).tolist() == logits[:, 0].tolist()


def test_the_answer_is_the_likeliest_class_and_its_probability_the_score():
    probabilities = np.array([[0.25, 0.5, 0.25], [0.5, 0.5, 0], [0, 0, 1]], np.float32)
    assert CLASS.answers(probabilities, LABELS) == ["good", "bad", "so so"]
    assert CLASS.scores(probabilities).tolist() == [0.5, 0.5, 1]


def test_of_several_classes_all_above_a_half_are_answered():
    probabilities = np.array([[0.75, 0.5, 0.625], [0.25, 0, 0.125], [0.5625, 1, 1]], np.float32)
    assert MULTILABEL.answers(probabilities, LABELS) == ["bad|so so", "", "bad|good|so so"]
    assert MULTILABEL.answers(probabilities, LABELS, separator="; ")[0] == "bad; so so"
    assert MULTILABEL.scores(probabilities).tolist() == [0.5, 0.75, 0.5625]


@pytest.mark.parametrize(
    ("kind", "found", "line"),
    [
        (CLASS, ["good", "bad", "good", None], "Labels: bad: 1, good: 2, so so: 0"),
        (MULTILABEL, [("good", "bad"), (), ("good",), None], "Labels: bad: 1, good: 2, so so: 0"),
        (
            REGRESSION,
            [0, 0.5, 1, None, 0.5, 3],
            "Labels: numbers from 0 to 3, median 0.5, mean 1, standard deviation 1.049",
        ),
        (CLASS, [None, None], ""),
        (MULTILABEL, [None, ()], ""),
        (REGRESSION, [None], ""),
    ],
)
def test_the_summary_tells_how_the_labels_are_spread(kind, found, line):
    assert kind.summary(found, LABELS) == line


@pytest.mark.parametrize("several", [False, True])
def test_of_many_labels_the_most_and_the_least_frequent_are_told(several):
    names = [f"l{i}" for i in range(77)]
    found = [(name,) if several else name for i, name in enumerate(names) for _ in range(i)]
    assert (MULTILABEL if several else CLASS).summary(found, names) == (
        "Labels: l76: 76, l75: 75, l74: 74, l73: 73, l72: 72, ... (77 labels), l4: 4, l3: 3, l2: 2, l1: 1, l0: 0"
    )


def test_ten_labels_are_all_told():
    names = [f"l{i}" for i in range(11)]
    assert CLASS.summary(["l3"], names[:10]).count(",") == 9
    assert "... (11 labels)" in CLASS.summary(["l3"], names)


@pytest.mark.parametrize(
    ("kind", "label", "checked"),
    [
        (CLASS, "good", "good"),
        (MULTILABEL, ("good", "bad"), ("good", "bad")),
        (MULTILABEL, ["good"], ("good",)),
        (MULTILABEL, "so so", ("so so",)),
        (MULTILABEL, (), ()),
        (REGRESSION, "0.5", 0.5),
        (REGRESSION, 3, 3.0),
        (REGRESSION, " -1e3 ", -1000.0),
    ],
)
def test_a_label_that_fits(kind, label, checked):
    assert kind.check(label, LABELS, "here") == checked


@pytest.mark.parametrize(
    ("kind", "label", "problem"),
    [
        (CLASS, "great", "unknown label 'great', expected one of bad, good, so so"),
        (CLASS, "", "unknown label '', expected one of bad, good, so so"),
        (MULTILABEL, ("good", "great"), "unknown label 'great', expected some of bad, good, so so"),
        (MULTILABEL, "goo", "unknown label 'goo', expected some of bad, good, so so"),
        (MULTILABEL, 2.0, "the label is '2.0', expected some of bad, good, so so"),
        (REGRESSION, "good", "the label is 'good', expected a number"),
        (REGRESSION, "", "the label is '', expected a number"),
        (REGRESSION, "inf", "the label is 'inf', expected a number"),
        (REGRESSION, True, "the label is 'True', expected a number"),
        (REGRESSION, ["1"], "the label is '['1']', expected a number"),
    ],
)
def test_a_label_that_does_not_fit_is_told(kind, label, problem):
    with pytest.raises(InputError) as caught:
        kind.check(label, LABELS, "dev.tsv:7")
    assert str(caught.value) == f"dev.tsv:7: {problem}"


def test_a_number_too_large_for_a_float_is_none():
    assert label_kinds.as_number(10**400) is None
    assert label_kinds.as_number("1e400") is None
    assert label_kinds.as_number(10**300) == 1e300


def test_the_loss_of_what_is_predicted_without_logits():
    """As the heads count it: cross entropy, the mean of the binary ones, the squared error."""
    classes = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
    assert label_kinds.CLASS.loss(np.array([[1], [0]]), classes) == pytest.approx(-np.log([0.75, 0.5]).mean())
    assert label_kinds.MULTILABEL.loss(np.array([[0, 1], [1, 1]]), classes) == pytest.approx(
        -np.log([0.75, 0.75, 0.5, 0.5]).mean()
    )
    assert label_kinds.REGRESSION.loss(np.array([[1.0], [3.0]]), np.array([[2.0], [3.5]])) == pytest.approx(1.25 / 2)
    assert np.isfinite(label_kinds.CLASS.loss(np.array([[0]]), np.array([[0.0, 1.0]], np.float32)))
