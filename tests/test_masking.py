"""The draws are those of Python's own `random`, and the masks those of the paper."""

import random
from collections import Counter

import pytest

from bert.masking import KEEP, MaskSampler, random_below, shuffle, shuffled_start

MASK, WORDS = 4, list(range(100, 200))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 124, 509, 5000])
def test_shuffle_is_that_of_the_random_module(count):
    expected, found = list(range(count)), list(range(count))
    reference, rng = random.Random(count), random.Random(count)
    reference.shuffle(expected)
    shuffle(found, rng.getrandbits)
    assert found == expected
    assert rng.getstate() == reference.getstate()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 1000, 2**31, 2**40])
def test_below_draws_as_randint(count):
    reference, rng = random.Random(7), random.Random(7)
    for _ in range(50):
        assert random_below(rng.getrandbits, count) == reference.randint(0, count - 1)
    assert rng.getstate() == reference.getstate()


@pytest.mark.parametrize("count", [1, 2, 19, 64, 124, 509])
def test_start_of_a_shuffle_is_that_of_the_whole(count):
    for wanted in {0, 1, count // 2, count}:
        reference, rng = random.Random(count), random.Random(count)
        expected = list(range(count))
        reference.shuffle(expected)
        assert shuffled_start(list(range(count)), wanted, rng.getrandbits) == expected[:wanted]
        assert rng.getstate() == reference.getstate()


def naive_masks(rng, count, probability, most, continues=None):
    """docs/parity.md 6.9 and 6.10 word by word, on lists and with the random module's own functions."""
    words = []
    for piece in range(count):
        if continues is not None and words and continues[piece]:
            words[-1].append(piece)
        else:
            words.append([piece])
    rng.shuffle(words)
    wanted = min(most, max(1, round((count + 3) * probability)))
    hidden = {}
    for word in words:
        if len(hidden) >= wanted:
            break
        if len(hidden) + len(word) > wanted:
            continue
        for piece in word:
            if rng.random() < 0.8:
                hidden[piece] = MASK
            elif rng.random() < 0.5:
                hidden[piece] = KEEP
            else:
                hidden[piece] = WORDS[rng.randint(0, len(WORDS) - 1)]
    return list(hidden.items())


@pytest.mark.parametrize("whole_words", [False, True])
def test_masks_are_those_of_a_plain_model(whole_words):
    shapes, reference, rng = random.Random(1), random.Random(2), random.Random(2)
    for _ in range(500):
        count = shapes.randint(2, 120)
        probability, most = shapes.choice([0, 0.15, 0.3, 1]), shapes.randint(1, 40)
        continues = bytes(shapes.random() < 0.4 for _ in range(count)) if whole_words else None
        sampler = MaskSampler(rng, WORDS, MASK, probability, most)
        found = [(entry >> 32, entry & 0xFFFFFFFF) for entry in sampler.sample(count, continues)]
        assert found == naive_masks(reference, count, probability, most, continues)
    assert rng.getstate() == reference.getstate()


def test_shares_are_80_10_10():
    sampler = MaskSampler(random.Random(3), WORDS, MASK, 0.15, 20)
    entries = [entry & 0xFFFFFFFF for _ in range(2000) for entry in sampler.sample(125)]
    kinds = Counter("mask" if entry == MASK else "keep" if entry == KEEP else "word" for entry in entries)
    assert len(entries) == 2000 * 19  # 15% of 128, rounded
    assert kinds["mask"] / len(entries) == pytest.approx(0.8, abs=0.01)
    assert kinds["keep"] / len(entries) == pytest.approx(0.1, abs=0.01)
    assert kinds["word"] / len(entries) == pytest.approx(0.1, abs=0.01)
