"""Measures and thresholds worked by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from bert.retrieval import judging
from bert.retrieval.calibration import calibrate, curve
from bert.retrieval.knowledge import KnowledgeBase, Queries
from bert.retrieval.ranking import Search
from bert.retrieval.search import top


class Scores:
    """A retriever with given scores, [R, Q]."""

    def __init__(self, scores):
        self.scores, self.depth = np.asarray(scores, np.float32), len(scores[0])

    def search(self, queries, count):
        return top(self.scores[queries], count)


def judged(base: KnowledgeBase, queries: Queries, scores) -> judging.Report:
    search = Search(base, Scores(scores))
    rankings = search.rankings(queries.texts, np.arange(len(queries)), leave_out_copies=True)
    return judging.judge(base, queries, rankings)


def test_measures_by_hand(caplog):
    base = KnowledgeBase(("q0", "q1", "q2", "q3", "q4", "q5"), ("a", "a", "a", "b", "b", "c"))
    queries = Queries(("x", "y", "Q0", "q5", "z"), ("a", "b", "a", "c", ""))
    scores = [
        [0.1, 0.9, 0.3, 0.2, 0.0, 0.4],  # x: a c b; a is first
        [0.9, 0.8, 0.7, 0.1, 0.2, 0.3],  # y: a c b; b is third
        [1.0, 0.1, 0.2, 0.9, 0.8, 0.7],  # q0 itself is left out: b c a; third
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],  # nothing but itself
        [0.5, 0.4, 0.3, 0.2, 0.1, 0.0],  # has no answer
    ]
    with caplog.at_level("INFO", "bert"):
        report = judged(base, queries, scores)
    assert "1 queries are not judged" in caplog.text
    assert [each.rank for each in report.judged] == [1, 3, 3]
    assert [each.score for each in report.judged] == pytest.approx([0.9, 0.9, 0.9])
    assert [each.query for each in report.outside] == [4]
    assert report.measures == pytest.approx(
        {"hit_at_1": 1 / 3, "hit_at_3": 1, "hit_at_10": 1, "recall_at_10": 1, "mrr_at_10": (1 + 1 / 3 + 1 / 3) / 3}
    )


def test_that_nothing_could_be_judged_is_told(caplog):
    """Every answer has the query alone."""
    base = KnowledgeBase(("q0", "q1"), ("a", "b"))
    report = judged(base, Queries(("Q0", "q1"), ("a", "b")), [[1.0, 0.0], [0.0, 1.0]])
    assert not report.every
    assert "No query could be judged" in caplog.text


def test_hits_are_those_of_scikit_learn():
    """Every answer has one question, so that the scores of questions are those of classes."""
    generator = np.random.default_rng(0)
    names = tuple(f"a{number}" for number in range(40))
    base = KnowledgeBase(tuple(f"q{number}" for number in range(40)), names)
    scores, right = generator.normal(size=[60, 40]), generator.integers(40, size=60)
    report = judged(base, Queries(tuple(f"x{row}" for row in range(60)), tuple(names[row] for row in right)), scores)
    for place in judging.PLACES:
        expected = metrics.top_k_accuracy_score(right, scores.astype(np.float32), k=place, labels=np.arange(40))
        assert report.measures[f"hit_at_{place}"] == pytest.approx(expected)
    assert report.measures["recall_at_10"] == report.measures["hit_at_10"]  # one question each
    ranks = np.array([each.rank for each in report.judged])
    gold = np.eye(40)[right]
    if (ranks <= 10).all():
        assert report.measures["mrr_at_10"] == metrics.label_ranking_average_precision_score(gold, scores)
    assert (1 / ranks).mean() == pytest.approx(metrics.label_ranking_average_precision_score(gold, scores))
    assert report.measures["mrr_at_10"] == pytest.approx(((ranks <= 10) / ranks).mean())


def test_recall_counts_at_most_ten_questions():
    base = KnowledgeBase(tuple(f"q{row}" for row in range(30)), ("a",) * 20 + ("b",) * 10)
    scores = np.concatenate([np.linspace(1, 0.9, 4), np.zeros(16), np.linspace(0.8, 0.7, 10)])[np.newaxis]
    report = judged(base, Queries(("x", "y"), ("a", "b")), np.tile(scores, [2, 1]))
    assert [each.recall for each in report.judged] == [4 / 10, 6 / 10]


def test_ranks_are_told_of_every_query(tmp_path):
    base = KnowledgeBase(("q0", "q\t1"), ("a", "b"), {"a": "yes"})
    queries = Queries(("x", "y"), ("b", ""))
    report = judged(base, queries, [[0.5, 0.25], [0.0, 0.125]])
    judging.write_ranks(str(tmp_path / "ranks.tsv"), base, queries, report)
    assert (tmp_path / "ranks.tsv").read_text().splitlines() == [
        "query\ttext\tanswer_id\trank\tfound\tscore\tquestion",
        "1\tx\tb\t2\ta\t0.500000\tq0",
        "2\ty\t\t\tb\t0.125000\tq 1",
    ]


# I don't know


SCORES = np.array([0.9, 0.8, 0.8, 0.6, 0.4], np.float32)
RIGHT = np.array([True, True, False, True, False])


def test_a_point_for_each_score():
    points = curve(SCORES, RIGHT, np.array([True, True, True, True, False]))
    assert [point.threshold for point in points] == pytest.approx([0.85, 0.7, 0.5, 0.4])
    assert [point.coverage for point in points] == [1 / 5, 3 / 5, 4 / 5, 1]
    assert [point.precision for point in points] == [1, 2 / 3, 3 / 4, 3 / 5]
    assert [point.recall for point in points] == [1 / 4, 2 / 4, 3 / 4, 3 / 4]
    assert points[2].f1 == 3 / 4


@pytest.mark.parametrize(("least", "expected"), [(0.9, 0.85), (0.75, 0.5), (0.7, 0.5), (0.6, 0.4), (0.0, 0.4)])
def test_the_threshold_that_answers_most_and_is_precise_enough(least, expected):
    found = calibrate(SCORES, RIGHT, np.ones(5, bool), "auto", least)
    assert found.chosen.threshold == pytest.approx(expected)
    assert found.criterion == f"min_precision {least:g}"


def test_with_questions_that_have_no_answer_the_best_f1_decides():
    has_answer = np.array([True, True, True, True, False])
    assert calibrate(SCORES, RIGHT, has_answer, "auto", 0.9).chosen.threshold == pytest.approx(0.5)
    assert calibrate(SCORES, RIGHT, has_answer, "min_precision", 0.9).chosen.threshold == pytest.approx(0.85)
    table = calibrate(SCORES, RIGHT, has_answer, "f1", 0.9).table()
    assert table[-1].split() == ["0.5000", "0.8000", "0.7500", "0.7500", "0.7500", "chosen", "by", "f1"]


def test_a_question_that_finds_nothing_is_answered_by_no_threshold():
    """As one whose only neighbour is its copy."""
    scores, right = np.array([0.5, -np.inf], np.float32), np.array([True, False])
    (point,) = curve(scores, right, np.ones(2, bool))
    assert (point.threshold, point.coverage, point.precision, point.recall) == (0.5, 0.5, 1, 0.5)


def test_zero_and_below_are_thresholds():
    scores = np.array([0.5, 0.0], np.float32)
    assert calibrate(scores, np.array([True, True]), np.ones(2, bool), "auto", 0.9).chosen.threshold == 0.0
    assert calibrate(-scores - 0.5, np.array([True, True]), np.ones(2, bool), "auto", 0.9).chosen.threshold == -1.0


def test_a_precision_out_of_reach_is_told(caplog):
    with caplog.at_level("WARNING", "bert"):
        found = calibrate(SCORES, ~RIGHT, np.ones(5, bool), "auto", 0.9)
    assert found.chosen.precision == pytest.approx(2 / 5)
    assert (
        "No threshold answers with a precision of `min_precision`=0.9; the most precise one has 0.4000." in caplog.text
    )
