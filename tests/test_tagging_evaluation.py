"""Spans, precision, recall and F1: cases worked out by hand, and a thousand random files against seqeval.

`python -m tests.test_tagging_evaluation` prints how many files were compared and how many differ.
"""

import itertools
import random
import warnings

import numpy as np
import pytest

from bert.tasks.tagging import evaluation, schemes

FILES = 1000
LABELS = {
    "bio": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-A-B", "I-A-B"],
    "bioes": ["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC"))],
    "untyped": ["O", "B", "I", "E", "S"],
    "mixed": ["O", "B", "I", "B-PER", "I-PER", "E-PER", "S"],
}


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", []),
        ("B-X I-X O B-Y", [("X", 0, 1), ("Y", 3, 3)]),
        ("B-X B-X I-X", [("X", 0, 0), ("X", 1, 2)]),
        ("S-X B-X I-X E-X S-Y", [("X", 0, 0), ("X", 1, 3), ("Y", 4, 4)]),
        ("B I O B", [("_", 0, 1), ("_", 3, 3)]),
        ("B-X-Y I-X-Y", [("X-Y", 0, 1)]),
        # ill-formed
        ("I-X I-X O I-Y", [("X", 0, 1), ("Y", 3, 3)]),  # an I that continues nothing begins
        ("B-X I-Y I-Y", [("X", 0, 0), ("Y", 1, 2)]),  # another type is another span
        ("B-X O I-X", [("X", 0, 0), ("X", 2, 2)]),
        ("E-X E-X", [("X", 0, 0), ("X", 1, 1)]),
        ("B-X E-X I-X", [("X", 0, 1), ("X", 2, 2)]),
        ("S-X I-X E-X", [("X", 0, 0), ("X", 1, 2)]),
        ("B-X S-X", [("X", 0, 0), ("X", 1, 1)]),
        ("B-X", [("X", 0, 0)]),
    ],
)
def test_spans(tags, spans):
    assert list(schemes.spans(tags.split(), "bioes")) == spans


def test_plain_tags_are_spans_of_a_word():
    assert list(schemes.spans(["NN", "B-X"], "plain")) == [("NN", 0, 0), ("B-X", 1, 1)]


def report(gold: str, predicted: str, scheme: str = "bio") -> evaluation.Report:
    """Sentences are separated by |."""
    words = [sentence.split() for sentence in gold.split("|")]
    splits = np.cumsum([0, *map(len, words)])
    return evaluation.evaluate(gold.replace("|", "").split(), predicted.replace("|", "").split(), splits, scheme)


def test_counts_by_type():
    """Two of three PER are found and one word too many is called PER; LOC has a wrong end and, once, a wrong type."""
    found = report(
        "B-PER I-PER O B-PER | B-LOC I-LOC O B-PER | O B-LOC",
        "B-PER I-PER O B-PER | B-LOC O     O O     | O B-PER",
    )
    assert (found.sentences, found.words, found.accuracy) == (3, 10, 7 / 10)
    assert found.types == {"LOC": evaluation.Counts(2, 1, 0), "PER": evaluation.Counts(3, 3, 2)}
    person, place = found.types["PER"], found.types["LOC"]
    assert (person.precision, person.recall, person.f1) == (2 / 3, 2 / 3, pytest.approx(2 / 3))
    assert (place.precision, place.recall, place.f1) == (0, 0, 0)
    assert found.micro == evaluation.Counts(5, 4, 2)
    assert (found.micro.precision, found.micro.recall, found.micro.f1) == (1 / 2, 2 / 5, pytest.approx(4 / 9))
    assert found.macro == pytest.approx({"precision": 1 / 3, "recall": 1 / 3, "f1": 1 / 3})


def test_a_span_does_not_go_on_in_the_next_sentence():
    found = report("B-X | I-X", "B-X | O")
    assert found.types == {"X": evaluation.Counts(2, 1, 1)}


def test_a_type_that_only_the_prediction_has():
    found = report("O B-X", "B-Y B-X")
    assert found.types == {"X": evaluation.Counts(1, 1, 1), "Y": evaluation.Counts(0, 1, 0)}
    assert found.types["Y"].values() == {"precision": 0, "recall": 0, "f1": 0, "gold": 0, "predicted": 1, "correct": 0}


def test_no_span_at_all():
    found = report("O O", "O O")
    assert (found.micro.f1, found.macro["f1"], found.accuracy, found.types) == (0, 0, 1, {})
    assert found.table()[-1].split() == ["all", "(micro)", *["0.0000"] * 3, "0", "0"]


def test_plain_tags_are_judged_word_by_word():
    found = report("NN VB NN", "NN NN NN", "plain")
    assert found.types == {"NN": evaluation.Counts(2, 3, 2), "VB": evaluation.Counts(1, 0, 0)}
    assert found.micro.f1 == pytest.approx(found.accuracy)


def test_the_table_has_a_row_a_type():
    lines = report("B-PER O B-LOC", "B-PER O O").table()
    assert [line.split() for line in lines] == [
        ["precision", "recall", "F1", "gold", "predicted"],
        ["LOC", "0.0000", "0.0000", "0.0000", "1", "0"],
        ["PER", "1.0000", "1.0000", "1.0000", "1", "1"],
        ["all", "(micro)", "1.0000", "0.5000", "0.6667", "2", "1"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_the_loss_is_the_mean_over_words():
    scores = np.log(np.array([[0.5, 0.5], [0.9, 0.1]], np.float32)) + 100
    expected = -(np.log(0.5) + np.log(0.1)) / 2
    assert evaluation.cross_entropy(scores, np.array([1, 1])) == pytest.approx(expected, abs=1e-5)


def random_file(generator: random.Random) -> tuple[list[list[str]], list[list[str]]]:
    """Tags of some sentences and predictions for them, most of them ill-formed somewhere."""
    labels = generator.choice(list(LABELS.values()))
    agreement = generator.random()
    gold, predicted = [], []
    for _ in range(generator.randint(1, 8)):
        tags = generator.choices(labels, k=generator.randint(1, 12))
        for place in range(1, len(tags)):  # some spans of several words
            if generator.random() < 0.4 and tags[place - 1] != "O":
                tags[place] = tags[place - 1].replace("B", "I", 1)
        gold.append(tags)
        predicted.append([tag if generator.random() < agreement else generator.choice(labels) for tag in tags])
    return gold, predicted


def agrees_with_seqeval(gold: list[list[str]], predicted: list[list[str]]) -> bool:
    """Every number that seqeval's default mode gives, by type and on the whole."""
    from seqeval.metrics import accuracy_score, classification_report

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about quotients by 0
        if not any(tag != "O" for sentence in [*gold, *predicted] for tag in sentence):
            return True  # seqeval has no report without a span
        expected = classification_report(gold, predicted, output_dict=True)
        accuracy = accuracy_score(gold, predicted)
    splits = np.cumsum([0, *map(len, gold)])
    flat = [list(itertools.chain.from_iterable(tags)) for tags in (gold, predicted)]
    found = evaluation.evaluate(*flat, splits, "bioes")
    values = {name: counts.values() for name, counts in found.types.items()}
    values |= {"micro avg": found.micro.values(), "macro avg": found.macro}
    pairs = [(found.accuracy, accuracy)]
    for name, numbers in values.items():
        theirs = expected.pop(name)
        pairs += [(numbers[key], theirs[their]) for key, their in zip(KEYS, THEIRS, strict=True)]
        pairs += [(numbers["gold"], theirs["support"])] if "gold" in numbers else []
    return set(expected) == {"weighted avg"} and all(a == pytest.approx(b, abs=1e-12) for a, b in pairs)


KEYS, THEIRS = ("precision", "recall", "f1"), ("precision", "recall", "f1-score")


def differing_files() -> list[int]:
    return [seed for seed in range(FILES) if not agrees_with_seqeval(*random_file(random.Random(seed)))]


def test_equal_to_seqeval_on_random_files():
    pytest.importorskip("seqeval")
    assert differing_files() == []


if __name__ == "__main__":
    print(f"{FILES} random files compared with seqeval, {len(differing_files())} differ")
