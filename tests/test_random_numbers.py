"""What dropout draws: by a reference in plain Python, and whether it looks like chance."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from bert.random_numbers import at_least

SIZE = 1 << 20
SEEDS = [[0, 0], [1, 2], [1, 3], [2, 2], [-1, -1], [123456789, -987654321], [0, -2147483648]]


def drawn(seed: list[int], threshold: float = 0.1, shape: tuple[int, ...] = (SIZE,)) -> np.ndarray:
    return at_least(threshold, tf.constant(shape), tf.constant(seed)).numpy()


def by_hand(seed: list[int], index: int) -> int:
    one, other = seed
    start, step = mixed(one + mixed(other)), mixed(other - mixed(one)) | 1
    return mixed(start + index * step)


def mixed(value: int) -> int:
    """The finalizer of MurmurHash3, as its author gives it."""
    value %= 2**32
    value = (value ^ value >> 16) * 0x85EBCA6B % 2**32
    value = (value ^ value >> 13) * 0xC2B2AE35 % 2**32
    return value ^ value >> 16


@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_they_are_those_of_the_reference(seed, threshold):
    expected = [by_hand(seed, index) >= threshold * 2**32 for index in range(1000)]
    assert drawn(seed, threshold, (10, 100)).reshape(-1).tolist() == expected


@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("threshold", [0.0, 1e-6, 0.1, 0.5, 1 - 1e-12])
def test_the_share_is_one_minus_the_threshold(seed, threshold):
    deviation = (threshold * (1 - threshold) / SIZE) ** 0.5
    assert abs(drawn(seed, threshold).mean() - (1 - threshold)) <= 5 * deviation + 2**-20


@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("lag", [1, 2, 3, 12, 64, 128, 384, 768, 65536])
def test_places_know_nothing_of_each_other(seed, lag):
    places = drawn(seed)
    assert_independent(places[:-lag], places[lag:])


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(SEEDS, 2)), ids=str)
def test_seeds_know_nothing_of_each_other(one, other):
    ones, others = drawn(one), drawn(other)
    assert_independent(ones, others)
    assert_independent(ones[1:], others[:-1])


def test_rows_and_columns_vary_as_chance_does():
    """The sums of each are binomial: their variance over that of chance is 1, give or take five deviations of it."""
    drops = ~drawn([5, 6], shape=(1024, 1024))
    for sums in (drops.sum(axis=0), drops.sum(axis=1)):
        assert abs(sums.var() / (1024 * 0.1 * 0.9) - 1) < 5 * (2 / 1024) ** 0.5


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 1537, 5000])
def test_a_larger_shape_begins_as_a_smaller_one(size):
    assert drawn([3, 4], shape=(size,)).tolist() == drawn([3, 4])[:size].tolist()


def assert_independent(one: np.ndarray, other: np.ndarray) -> None:
    """Drops meet as often as those of two masks that know nothing of each other, give or take five deviations."""
    expected = len(one) * (1 - one.mean()) * (1 - other.mean())
    assert abs((~one & ~other).sum() - expected) < 5 * expected**0.5
