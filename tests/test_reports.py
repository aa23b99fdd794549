"""The measures of an evaluation: cases worked by hand, degenerate ones, and what the report files and lines hold."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert.tasks import label_kinds, predictions, reports

SHARES = ("precision", "recall", "f1")


@pytest.fixture(autouse=True)
def _no_warnings():
    """Neither scikit-learn nor scipy may have anything to complain about."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def single(gold, predicted, labels) -> reports.Report:
    return reports.single_label(np.array(gold), np.array(predicted), labels)


def several(gold, predicted, labels) -> reports.Report:
    return reports.multi_label(np.array(gold), np.array(predicted), labels)


def numbers(gold, predicted) -> reports.Report:
    return reports.regression(np.array(gold, np.float32), np.array(predicted, np.float32))


def of(report: reports.Report, name: str) -> list[float]:
    """Precision, recall and F1 of an average."""
    return [report.measures[f"{name}_{share}"] for share in SHARES]


def test_two_classes_have_the_f1_of_the_second_as_glue_counts_it():
    """2 true positives, 1 false one, 2 false negatives, 4 true ones."""
    report = single([1, 1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0, 1], ("different", "same"))
    assert report.measures["accuracy"] == pytest.approx(6 / 9)
    assert [report.measures[share] for share in SHARES] == pytest.approx([2 / 3, 2 / 4, 4 / 7])
    assert report.measures["matthews"] == pytest.approx((2 * 4 - 1 * 2) / math.sqrt(3 * 4 * 5 * 6))
    assert report.classes["same"] == pytest.approx({"precision": 2 / 3, "recall": 1 / 2, "f1": 4 / 7, "support": 4})
    assert report.classes["different"] == pytest.approx(
        {"precision": 4 / 6, "recall": 4 / 5, "f1": 8 / 11, "support": 5}
    )
    assert of(report, "macro") == pytest.approx([2 / 3, (1 / 2 + 4 / 5) / 2, (4 / 7 + 8 / 11) / 2])
    assert report.confusion == {
        "confusion": {"labels": ["different", "same"], "rows_are": "gold", "counts": [[4, 1], [2, 2]]}
    }


def test_three_classes():
    report = single([0, 0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 2, 2], ("a", "b", "c"))
    assert report.examples == 7
    assert report.classes == {
        "a": pytest.approx({"precision": 1, "recall": 3 / 4, "f1": 6 / 7, "support": 4}),
        "b": pytest.approx({"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2}),
        "c": pytest.approx({"precision": 1 / 2, "recall": 1, "f1": 2 / 3, "support": 1}),
    }
    assert report.measures["accuracy"] == pytest.approx(5 / 7)
    assert of(report, "micro") == pytest.approx([5 / 7] * 3)
    assert of(report, "macro") == pytest.approx([2 / 3, 9 / 4 / 3, (6 / 7 + 1 / 2 + 2 / 3) / 3])
    assert of(report, "weighted") == pytest.approx([(4 + 1 + 0.5) / 7, 5 / 7, (4 * 6 / 7 + 2 / 2 + 2 / 3) / 7])
    # (correct · all - Σ predicted · gold) / √((all² - Σ predicted²) · (all² - Σ gold²))
    assert report.measures["matthews"] == pytest.approx((5 * 7 - 18) / math.sqrt((49 - 17) * (49 - 21)))
    assert report.confusion["confusion"]["counts"] == [[3, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert not {"f1", "precision", "recall"} & set(report.measures)  # there is no one positive class


def test_a_class_that_is_neither_there_nor_predicted_has_a_row_all_the_same():
    report = single([0, 0, 2], [0, 2, 2], ("a", "b", "c"))
    assert report.classes["b"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert report.confusion["confusion"]["counts"] == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_the_averages_leave_out_what_is_neither_there_nor_predicted():
    """Of four classes the last two: macro F1 is the mean of the others' 2/3, not a quarter of their sum."""
    report = single([0, 1, 1], [0, 1, 0], ["a", "b", "c", "d"])
    assert report.measures["macro_f1"] == pytest.approx(2 / 3)
    assert [line.split()[0] for line in report.table()[1:]] == ["a", "b", "micro", "macro", "weighted"]


def test_several_labels():
    report = several([[1, 0, 1], [0, 1, 0], [1, 1, 0]], [[1, 0, 0], [0, 1, 0], [1, 0, 1]], ("a", "b", "c"))
    assert report.examples == 3
    assert report.classes == {
        "a": pytest.approx({"precision": 1, "recall": 1, "f1": 1, "support": 2}),
        "b": pytest.approx({"precision": 1, "recall": 1 / 2, "f1": 2 / 3, "support": 2}),
        "c": pytest.approx({"precision": 0, "recall": 0, "f1": 0, "support": 1}),
    }
    assert report.measures["accuracy"] == pytest.approx(1 / 3)  # rows with all labels right
    assert report.measures["hamming_loss"] == pytest.approx(3 / 9)
    assert of(report, "micro") == pytest.approx([3 / 4, 3 / 5, 6 / 9])
    assert of(report, "macro") == pytest.approx([2 / 3, 1 / 2, 5 / 9])
    assert of(report, "weighted") == pytest.approx([4 / 5, 3 / 5, (2 + 4 / 3) / 5])
    assert report.confusion["confusion"]["b"] == {
        "true_negative": 1,
        "false_positive": 0,
        "false_negative": 1,
        "true_positive": 1,
    }
    assert report.confusion["confusion"]["c"] == {
        "true_negative": 1,
        "false_positive": 1,
        "false_negative": 1,
        "true_positive": 0,
    }


def test_numbers():
    report = numbers([1, 2, 3, 4], [2, 1, 4, 3])
    assert report.values() == {
        "examples": 4,
        "measures": pytest.approx(
            {"pearson": 3 / 5, "spearman": 3 / 5, "mean_squared_error": 1, "mean_absolute_error": 1}
        ),
    }


def test_spearman_gives_ties_their_mean_rank():
    report = numbers([10, 20, 20, 90], [1, 3, 2, 4])  # ranks 1, 2.5, 2.5, 4
    assert report.measures["spearman"] == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    gold, predicted = np.array([-25, -15, -15, 55]), np.array([-1.5, 0.5, -0.5, 1.5])  # from their means
    assert report.measures["pearson"] == pytest.approx(gold @ predicted / math.sqrt(gold @ gold * 5))


@pytest.mark.parametrize("right", [0, 1])
@pytest.mark.parametrize("gold", [[0] * 4, [1] * 4, [0, 1, 1, 1]])
def test_a_constant_prediction_has_no_correlation_and_no_warning(gold, right):
    report = single(gold, [right] * 4, ("no", "yes"))
    assert report.measures["matthews"] == 0
    assert report.measures["accuracy"] == gold.count(right) / 4
    assert report.measures["f1"] == pytest.approx(2 * sum(gold) / (sum(gold) + 4) if right else 0)
    assert report.classes["yes"]["precision"] == (sum(gold) / 4 if right else 0)


@pytest.mark.parametrize(
    ("gold", "predicted"), [([1, 2, 3], [5, 5, 5]), ([5, 5, 5], [1, 2, 3]), ([2], [3]), ([0, 0], [0, 0])]
)
def test_what_is_all_the_same_correlates_with_nothing(gold, predicted):
    report = numbers(gold, predicted)
    assert (report.measures["pearson"], report.measures["spearman"]) == (0, 0)
    errors = np.subtract(gold, predicted)
    assert report.measures["mean_squared_error"] == np.mean(errors**2)
    assert report.measures["mean_absolute_error"] == np.mean(abs(errors))


@pytest.mark.parametrize("value", [0, 1])
def test_several_labels_that_are_all_there_or_none(value):
    for predicted in (0, 1):
        report = several([[value] * 3] * 2, [[predicted] * 3] * 2, ("a", "b", "c"))
        assert report.measures["accuracy"] == (value == predicted)
        assert report.measures["micro_f1"] == report.measures["weighted_f1"] == (value and predicted)


CASES = st.integers(1, 12).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(0, 3), min_size=size, max_size=size)] * 2)
)


@settings(max_examples=30)
@given(CASES)
def test_a_report_of_any_classes_is_plain_json(case):
    gold, predicted = map(np.array, case)
    floats = reports.regression(gold / 3, predicted / 3)
    rows = reports.multi_label(np.eye(4)[gold], np.eye(4)[predicted], "abcd")
    classes = reports.single_label(gold, predicted, "abcd")
    for report in (floats, rows, classes):
        values = json.loads(json.dumps(report.values(), allow_nan=False))
        assert values == report.values()
        assert all(type(value) is float for value in report.measures.values())
        assert report.table() or report is floats
    counts = np.array(classes.confusion["confusion"]["counts"])
    assert counts.sum() == len(gold)
    assert np.trace(counts) / len(gold) == pytest.approx(classes.measures["accuracy"])
    assert counts.sum(axis=1).tolist() == [each["support"] for each in classes.classes.values()]


# The table for the log


def test_the_table_has_a_row_a_class_and_the_averages():
    assert single([0, 0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 2, 2], ("a", "b", "a long name")).table() == [
        "             precision  recall      F1  support",
        "a               1.0000  0.7500  0.8571        4",
        "b               0.5000  0.5000  0.5000        2",
        "a long name     0.5000  1.0000  0.6667        1",
        "micro           0.7143  0.7143  0.7143        7",
        "macro           0.6667  0.7500  0.6746        7",
        "weighted        0.7857  0.7143  0.7279        7",
    ]
    assert numbers([1, 2], [1, 2]).table() == []


def test_of_many_classes_the_table_has_those_with_the_lowest_f1():
    labels = [f"l{i:02}" for i in range(40)]
    gold = np.repeat(np.arange(40), 2)
    predicted = gold.copy()
    worse = [i for i in range(40) if i % 4]  # 30 of them: one of two examples is taken for the class before it
    predicted[[2 * i for i in worse]] -= 1
    lines = reports.single_label(gold, predicted, labels).table()
    assert lines[0] == "The 30 of 40 classes with the lowest F1:"
    shown = [line.split()[0] for line in lines[2:]]
    report = reports.single_label(gold, predicted, labels)
    lowest = sorted(labels, key=lambda name: report.classes[name]["f1"])[:30]
    assert shown == [*sorted(lowest), "micro", "macro", "weighted"]
    assert max(report.classes[name]["f1"] for name in lowest) <= min(
        report.classes[name]["f1"] for name in set(labels) - set(lowest)
    )
    assert len(report.values()["classes"]) == 40
    assert {line.split()[-1] for line in lines[-3:]} == {"80"}  # the averages are of all classes


# From logits to a report


JUDGED = [
    (label_kinds.CLASS, ("no", "yes"), ["yes", "no", "yes"], [[[0, 1], [3, 2]], [[0.2, 0.1]]], {"accuracy": 2 / 3}),
    (
        label_kinds.MULTILABEL,
        ("a", "b"),
        [("a", "b"), (), ("a",)],
        [[[1, -1], [-2, -2]], [[0.1, -5]]],
        {"accuracy": 2 / 3, "micro_f1": 4 / 5},
    ),
    (label_kinds.REGRESSION, (), [1.0, 2.0, 4.0], [[[1.0], [2.0]], [[7.0]]], {"mean_squared_error": 3.0}),
]


@pytest.mark.parametrize(("kind", "labels", "gold", "batches", "measures"), JUDGED)
def test_a_label_kind_reports_the_measures_that_it_declares(kind, labels, gold, batches, measures):
    probabilities = kind.probabilities(np.concatenate([np.array(rows, np.float32) for rows in batches]))
    report = kind.report(kind.ids(gold, labels), probabilities, labels)
    assert {name: report.measures[name] for name in measures} == pytest.approx(measures)
    assert list(report.measures) == [measure.name for measure in kind.measures(labels)]
    assert report.examples == 3


def test_what_is_declared_depends_on_the_number_of_classes():
    two = [measure.name for measure in label_kinds.CLASS.measures(("no", "yes"))]
    assert {"accuracy", "f1", "matthews", "macro_f1"} <= set(two)
    assert "f1" not in [measure.name for measure in label_kinds.CLASS.measures(("a", "b", "c"))]


def test_errors_are_the_better_the_lower_and_all_else_the_higher():
    declared = [*label_kinds.REGRESSION.measures(()), *label_kinds.MULTILABEL.measures(("a", "b"))]
    lower = {measure.name for measure in declared if not measure.higher_is_better}
    assert lower == {"mean_squared_error", "mean_absolute_error", "hamming_loss"}


def test_a_model_with_one_answer_is_warned_of(caplog):
    predictions.warn_of_one_answer(["no", "yes", "no"])
    assert not caplog.messages
    predictions.warn_of_one_answer(["no"] * 3)
    assert [message.partition(".")[0] for message in caplog.messages] == ["All 3 predictions are 'no'"]


class TestBands:
    """Seven classes, a to g, of 9, 9, 50, 1, 3, 2 and 4 training rows: c a b, then g e, then f d."""

    COUNTS = (9, 9, 50, 1, 3, 2, 4)

    def report(self) -> reports.Report:
        # a, b, c always right; e once of twice, g never, taken for a; d right, f not in the set.
        report = single([0, 0, 1, 2, 4, 4, 6, 3], [0, 0, 1, 2, 4, 0, 0, 3], tuple("abcdefg"))
        return reports.banded(report, self.COUNTS)

    def test_worked_by_hand(self):
        bands = self.report().values()["bands"]
        f1_of_a, f1_of_e = 2 * 1 / 2 / (1 + 1 / 2), 2 / 3
        head = {"classes": 3, "least_training_rows": 9, "most_training_rows": 50, "support": 4}
        assert bands["head"] == pytest.approx({"macro_f1": (f1_of_a + 1 + 1) / 3, **head})
        middle = {"classes": 2, "least_training_rows": 3, "most_training_rows": 4, "support": 3}
        assert bands["middle"] == pytest.approx({"macro_f1": (f1_of_e + 0) / 2, **middle})
        tail = {"classes": 2, "least_training_rows": 1, "most_training_rows": 2, "support": 1}
        assert bands["tail"] == pytest.approx({"macro_f1": 1, **tail})  # f has no row to be judged by
        line = "tail: macro F1 1.0000 of 2 classes with 1 to 2 training rows; 1 rows here"
        assert self.report().table()[-1] == line

    def test_several_labels_have_them_too(self):
        report = reports.banded(several([[1, 1, 0], [1, 0, 1]], [[1, 0, 0], [1, 0, 1]], ("a", "b", "c")), (9, 5, 2))
        assert [band["macro_f1"] for band in report.bands.values()] == [1, 0, 1]

    @pytest.mark.parametrize("counts", [(), (5, 5, 5), (0, 0, 0)])
    def test_where_nothing_tells_classes_apart_there_are_none(self, counts):
        report = single([0, 1, 2], [0, 1, 1], ("a", "b", "c"))
        assert reports.banded(report, counts) is report

    def test_two_classes_have_none(self):
        report = single([0, 1], [0, 1], ("a", "b"))
        assert reports.banded(report, (9, 1)) is report

    def test_a_band_that_the_set_has_nothing_of_is_left_out(self):
        report = reports.banded(single([0, 0, 1], [0, 1, 1], ("a", "b", "c")), (9, 5, 2))
        assert list(report.bands) == ["head", "middle"]
