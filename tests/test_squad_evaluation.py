"""Exact match and F1 of predictions made by hand, with the scores the official rules give, worked out beside them."""

import pytest

from bert.tasks.squad import evaluation
from bert.tasks.squad.examples import Document, Example

TEXT = Document.of("text")


def example(name: str, *references: str, document: Document = TEXT) -> Example:
    return Example(name, "?", document, references=references, is_impossible=not references)


# Prediction, references, exact match, F1. Normalized: lower case, then ASCII punctuation, then articles, then spaces.
SQUAD = [
    ("Denver Broncos", ["Denver Broncos"], 1, 1),
    ("the denver BRONCOS.", ["Denver Broncos"], 1, 1),  # case, article and full stop do not count
    ("Broncos", ["Denver Broncos"], 0, 2 / 3),  # precision 1/1, recall 1/2
    ("Denver Broncos team", ["Denver Broncos"], 0, 4 / 5),  # 2/3 and 2/2
    ("Denver", ["Carolina Panthers", "Denver"], 1, 1),  # the best reference counts
    ("in Denver", ["Denver city", "in the city"], 0, 1 / 2),  # 1/2 and 1/2 with either
    ("Carolina", ["Denver"], 0, 0),
    ("to be to", ["to be or not to be"], 0, 2 / 3),  # in common: to twice, be once; 3/3 and 3/6
    ("a", ["the"], 1, 0),  # nothing is left of either: equal, but no word in common
    ("", ["Denver"], 0, 0),
    ("state-of-the-art", ["state of the art"], 0, 0),  # one word stateoftheart; the other has three
    ("$5.50", ["550"], 1, 1),  # signs vanish without leaving a space
    ("Müller", ["Muller"], 0, 0),  # accents count
    ("“Denver”", ["Denver"], 0, 0),  # so do quotation marks that are not ASCII
    ("theatre", ["tre"], 0, 0),  # an article is a word, not a part of one
]


@pytest.mark.parametrize(("prediction", "references", "exact", "f1"), SQUAD)
def test_squad_1_counts(prediction, references, exact, f1):
    found = evaluation.evaluate([example("q", *references)], {"q": prediction})
    assert found == pytest.approx({"exact_match": 100 * exact, "f1": 100 * f1})


def test_squad_1_means_over_questions():
    examples = [example(str(number), *references) for number, (_, references, _, _) in enumerate(SQUAD)]
    found = evaluation.evaluate(examples, {str(number): row[0] for number, row in enumerate(SQUAD)})
    # exact: 5 of 15; F1: 4 ones, twice 2/3, 4/5, 1/2
    assert found == pytest.approx({"exact_match": 100 * 5 / 15, "f1": 100 * (4 + 2 / 3 + 2 / 3 + 4 / 5 + 1 / 2) / 15})


@pytest.mark.parametrize(
    ("prediction", "references", "exact", "f1"),
    [
        ("", [], 1, 1),  # rightly no answer
        ("Denver", [], 0, 0),  # an answer where there is none
        ("", ["Denver"], 0, 0),
        ("the", [], 1, 1),  # nothing is left of it: no answer
        ("a", ["the"], 1, 1),  # nor of the reference, which then does not count: no answer is right
        ("", ["the", "Denver"], 0, 0),  # the first reference does not count
        ("Broncos", ["Denver Broncos"], 0, 2 / 3),
    ],
)
def test_squad_2_counts(prediction, references, exact, f1):
    examples = [example("q", *references), example("other")]
    found = evaluation.evaluate(examples, {"q": prediction, "other": ""})
    assert found["exact"] == pytest.approx(100 * (exact + 1) / 2)
    assert found["f1"] == pytest.approx(100 * (f1 + 1) / 2)
    assert found["total"] == 2


def test_squad_2_tells_questions_with_answer_from_those_without():
    examples = [example("a", "Denver"), example("b", "Denver Broncos"), example("c"), example("d"), example("e")]
    found = evaluation.evaluate(examples, {"a": "Denver", "b": "Broncos", "c": "", "d": "Oslo", "e": "Oslo"})
    assert found == pytest.approx(
        {
            "exact": 100 * 2 / 5,
            "f1": 100 * (1 + 2 / 3 + 1) / 5,
            "total": 5,
            "HasAns_exact": 100 * 1 / 2,
            "HasAns_f1": 100 * (1 + 2 / 3) / 2,
            "HasAns_total": 2,
            "NoAns_exact": 100 * 1 / 3,
            "NoAns_f1": 100 * 1 / 3,
            "NoAns_total": 3,
        }
    )


def test_best_threshold():
    """Questions in the order of their odds: b right by half, d none but answered, a right, c none but answered.

    No answer anywhere gives 2 of 4. Then: b 2 + 2/3, d 1 + 2/3, a 2 + 2/3, c 1 + 2/3: F1 is best once b is answered,
    and no threshold is better than that. Exact: b 2, d 1, a 2, c 1: nothing is better than saying nothing.
    """
    examples = [example("a", "Denver"), example("b", "Denver Broncos"), example("c"), example("d")]
    predictions = {"a": "Denver", "b": "Broncos", "c": "Oslo", "d": "Oslo"}
    odds = {"a": 1.5, "b": -3.0, "c": 4.0, "d": -1.0}
    found = evaluation.evaluate(examples, predictions, odds)
    best = {name: found[name] for name in found if name.startswith("best")}
    expected = {"best_exact": 50.0, "best_exact_thresh": 0.0, "best_f1": 100 * (2 + 2 / 3) / 4, "best_f1_thresh": -3.0}
    assert best == pytest.approx(expected)


def test_best_threshold_gives_that_score():
    """Saying "no answer" above the best threshold, and counting anew, gives the best score."""
    examples = [example("a", "x"), example("b", "y"), example("c"), example("d")]
    predictions = {"a": "x", "b": "y", "c": "z", "d": "z"}
    odds = {"a": -2.0, "b": 1.0, "c": 0.5, "d": 3.0}
    found = evaluation.evaluate(examples, predictions, odds)
    assert (found["best_f1"], found["best_f1_thresh"]) == (75.0, -2.0)
    again = {name: "" if odds[name] > found["best_f1_thresh"] else text for name, text in predictions.items()}
    assert evaluation.evaluate(examples, again)["f1"] == found["best_f1"]


@pytest.mark.parametrize(
    ("prediction", "references", "exact", "f1"),
    [
        ("北京", ["北京"], 1, 1),
        ("《北京》。", ["北京"], 1, 1),  # signs do not count
        ("北京市", ["北京"], 0, 4 / 5),  # the run 北京: 2/3 and 2/2
        ("北海京", ["北京"], 0, 2 / 5),  # a run has no gap: 北 alone, 1/3 and 1/2
        ("上海", ["北京"], 0, 0),
        ("上海", ["北京", "上海市"], 0, 4 / 5),  # the best reference counts
        ("BERT模型", ["bert模型"], 1, 1),  # case does not count
        ("BERT模型", ["BERT"], 0, 1 / 2),  # a word is one part: 1/3 and 1/1
        ("1,000人", ["1,000"], 0, 2 / 3),  # so is a number
        ("New York", ["New York City"], 0, 4 / 5),  # 2/2 and 2/3
        ("", ["北京"], 0, 0),
    ],
)
def test_cmrc_counts(prediction, references, exact, f1):
    found = evaluation.evaluate([example("q", *references)], {"q": prediction}, metric="cmrc")
    average = 100 * (exact + f1) / 2
    assert found == pytest.approx({"EM": 100 * exact, "F1": 100 * f1, "AVERAGE": average, "TOTAL": 1})


def test_cmrc_parts():
    assert evaluation.cmrc_parts("北京 in 2008, 3.14 GB。") == ["北", "京", "in", "2008", ",", "3.14", "gb"]


def test_the_metric_follows_the_documents():
    chinese = example("q", "吴", document=Document.of("吴先生 was born in 北京，后来很有名。"))
    english = example("q", "吴", document=Document.of("Dr. Wu 吴 was born in Oslo."))
    assert "EM" in evaluation.evaluate([chinese], {"q": "吴"})
    assert "exact_match" in evaluation.evaluate([english], {"q": "吴"})
    assert "exact_match" in evaluation.evaluate([chinese], {"q": "吴"}, metric="squad")
