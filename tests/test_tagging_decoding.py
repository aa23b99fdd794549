"""Which tags may follow which, and the best sequence among those: against the definition and against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert.errors import InputError
from bert.tasks.tagging.decoding import decode
from bert.tasks.tagging.schemes import Order

BIO = ("B-X", "B-Y", "I-X", "I-Y", "O")
BIOES = ("B-X", "E-X", "I-X", "O", "S-X", "B-Y", "E-Y")
LABELS = {"bio": BIO, "bioes": BIOES}


def well_formed(tags, scheme: str) -> bool:
    """The definition: a sentence is a row of spans, written as the scheme writes them, and of O."""
    spans = {"bio": lambda kind, rest: [f"B-{kind}", *[f"I-{kind}"] * rest]}
    spans["bioes"] = lambda kind, rest: (
        [f"B-{kind}", *[f"I-{kind}"] * (rest - 1), f"E-{kind}"] if rest else [f"S-{kind}"]
    )
    if not tags:
        return True
    openings = [["O"], *(spans[scheme](kind, rest) for kind in ("X", "Y", "_") for rest in range(len(tags)))]
    if tags[0] in ("B", "I", "E", "S"):
        return well_formed([tag if "-" in tag or tag == "O" else f"{tag}-_" for tag in tags], scheme)
    return any(tags[: len(part)] == part and well_formed(tags[len(part) :], scheme) for part in openings)


def brute_force(scores: np.ndarray, labels, scheme: str) -> float:
    """The largest sum of scores of a well-formed sequence."""
    return max(
        sum(scores[place, label] for place, label in enumerate(ids))
        for ids in itertools.product(range(len(labels)), repeat=len(scores))
        if well_formed([labels[label] for label in ids], scheme)
    )


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_well_formed_is_what_the_definition_says(scheme, length):
    """Of all sequences of a length."""
    labels = LABELS[scheme]
    order = Order.of(labels, scheme)
    sequences = np.array(list(itertools.product(range(len(labels)), repeat=length)))
    found = order.is_well_formed(sequences.ravel(), np.arange(len(sequences) + 1) * length)
    expected = [well_formed([labels[label] for label in ids], scheme) for ids in sequences]
    assert found.tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_tags_without_types():
    order = Order.of(("B", "E", "I", "S"), "bioes")
    sequences = np.array(list(itertools.product(range(4), repeat=3)))
    found = order.is_well_formed(sequences.ravel(), np.arange(65) * 3)
    assert found.tolist() == [well_formed(["BEIS"[label] for label in ids], "bioes") for ids in sequences]
    assert found.sum() == 4  # BIE, BES, SBE, SSS


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_decoding_equals_brute_force(scheme):
    labels, generator = LABELS[scheme], np.random.default_rng(3)
    splits = np.cumsum([0, 1, 2, 3, 4, 4, 5])
    for _ in range(10):
        scores = generator.normal(size=(splits[-1], len(labels)))
        ids = decode(scores, splits, Order.of(labels, scheme))
        for begin, end in itertools.pairwise(splits):
            chosen = ids[begin:end]
            assert well_formed([labels[label] for label in chosen], scheme)
            best = brute_force(scores[begin:end], labels, scheme)
            assert scores[begin:end][np.arange(end - begin), chosen].sum() == pytest.approx(best)


LABEL_SETS = st.lists(
    st.sampled_from([f"{prefix}-{kind}" for prefix in "BIES" for kind in "XY"]), min_size=1, max_size=8, unique=True
)


@given(LABEL_SETS, st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_what_is_decoded_is_well_formed(labels, lengths, seed):
    """Whatever labels a training file had and whatever the scores: huge ones, ties, and sentences of all lengths."""
    labels = [*labels, "O"]
    scheme = "bio" if all(label[0] in "BIO" for label in labels) else "bioes"
    order = Order.of(labels, scheme)
    order.check(labels)
    splits = np.cumsum([0, *lengths])
    generator = np.random.default_rng(seed)
    scores = np.round(generator.normal(size=(splits[-1], len(labels)))) * generator.choice([0, 1, 1e30], size=(1, 1))
    ids = decode(scores.astype(np.float32), splits, order)
    for begin, end in itertools.pairwise(splits):
        assert well_formed([labels[label] for label in ids[begin:end]], scheme)


def test_without_constraint_each_word_gets_its_best_label():
    scores = np.random.default_rng(4).normal(size=(50, 5))
    assert decode(scores, np.array([0, 20, 50])).tolist() == scores.argmax(axis=1).tolist()


def test_constraint_prefers_the_sequence_to_the_word():
    """O then I-X is the best of each word; B-X I-X loses least."""
    scores = np.array([[0.4, 0, 0, 0, 0.5], [0, 0, 1.0, 0, 0.6]])
    assert [BIO[label] for label in decode(scores, np.array([0, 2]))] == ["O", "I-X"]
    assert [BIO[label] for label in decode(scores, np.array([0, 2]), Order.of(BIO, "bio"))] == ["B-X", "I-X"]


def test_labels_that_cannot_be_constrained():
    with pytest.raises(InputError, match="none of the labels B-X, E-X can stand alone"):
        Order.of(("B-X", "E-X"), "bioes").check(("B-X", "E-X"))
    labels = ("B-X", "E-Y", "I-X", "I-Y", "O", "S-Z")
    assert Order.of(labels, "bioes").out_of_reach().tolist() == [0, 1, 2, 3]
    assert Order.of(BIO, "bio").out_of_reach().tolist() == []
    assert Order.of(("B-X", "I-X", "I-Y", "O"), "bio").out_of_reach().tolist() == [2]
