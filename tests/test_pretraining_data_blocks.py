"""Pairs and masks drawn in arrays have the distribution of those drawn one by one with the original's draws."""

import dataclasses
import random
from array import array
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from bert.masking import KEEP, MaskSampler
from bert.pretraining_data.block_masks import BlockMasks
from bert.pretraining_data.block_pairs import draw_pairs
from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.instances import InstanceSampler
from bert.pretraining_data.options import Options
from bert.pretraining_data.plans import MASKED, NOTHING, plan_width
from bert.tokenization import Vocabulary

OPTIONS = Options(vocab_file="", max_seq_length=12, max_predictions_per_seq=4, short_seq_prob=0.3, dupe_factor=4000)


@pytest.fixture(scope="module")
def vocabulary(golden):
    return Vocabulary.from_file(str(golden / "vocab_small.txt"))


def assert_alike(found, expected):
    """Chi-square test of two samples of outcomes; what is rare is one outcome."""
    rare = {outcome for outcome in found | expected if found[outcome] + expected[outcome] < 40}
    table = [[sample[outcome] for outcome in (found | expected).keys() - rare] for sample in (found, expected)]
    others = [sum(sample[outcome] for outcome in rare) for sample in (found, expected)]
    if sum(others):
        table = [[*row, other] for row, other in zip(table, others, strict=True)]
    assert len(table[0]) > 5
    assert stats.chi2_contingency(table).pvalue > 0.001


@pytest.mark.parametrize(
    "sizes",
    [
        [[3, 4, 2, 6, 1], [5], [2, 2, 2]],
        [[30], [1, 1, 20, 3]],  # long sentences: much is cut off
        [[4, 3, 5, 2]],  # one document: a random next sentence comes from it too
    ],
)
def test_pairs_are_those_of_the_exact_mode_but_for_chance(vocabulary, sizes):
    flat = [size for document in sizes for size in document]
    corpus = Corpus(
        np.zeros(sum(flat), np.int32),
        array("q", np.cumsum([0, *flat])),
        array("q", np.cumsum([0, *map(len, sizes)])),
        None,
    )
    found = Counter(map(tuple, draw_pairs(corpus, OPTIONS, np.random.default_rng(1)).tolist()))
    rng, plans = random.Random(1), array("Q")
    for _ in range(OPTIONS.dupe_factor):
        sampler = InstanceSampler(corpus, vocabulary, OPTIONS, rng)
        for index in range(corpus.num_documents):
            sampler.sample(index, plans)
    rows = np.array(plans).reshape(-1, plan_width(OPTIONS))[:, :MASKED]
    assert_alike(found, Counter(map(tuple, rows.tolist())))


def draw(vocabulary, options, count, continues=None):
    """Masks of 20,000 pairs of `count` pieces, A from 2 on and B from 20 on, uint64 [20000, P]."""
    pair = [2, 5, 20, 20 + count - 3, 0]
    if continues is not None:
        where = [*range(*pair[:2]), *range(*pair[2:4])]
        tokens = np.ones(40, np.uint8)
        tokens[where] = continues
        continues = tokens
    pairs = np.tile(np.array(pair), (20_000, 1))
    return BlockMasks(vocabulary, options).draw(pairs, continues, np.random.default_rng(2))


@pytest.mark.parametrize("continues", [None, [1, 0, 1, 0, 1, 1, 0, 0, 0], [0] + [1] * 8])
@pytest.mark.parametrize(("probability", "most"), [(0.15, 4), (0.3, 4), (0.3, 3), (0, 12)])
def test_hidden_pieces_are_those_of_the_exact_mode_but_for_chance(vocabulary, continues, probability, most):
    options = dataclasses.replace(OPTIONS, masked_lm_prob=probability, max_predictions_per_seq=most)
    masked = draw(vocabulary, options, 9, continues)
    sampler = MaskSampler(random.Random(2), list(vocabulary.ids.values()), vocabulary.mask_id, probability, most)
    found = Counter(tuple(sorted(entry >> 32 for entry in row if entry != NOTHING)) for row in masked.tolist())
    words = None if continues is None else bytes(continues)
    expected = Counter(tuple(sorted(entry >> 32 for entry in sampler.sample(9, words))) for _ in masked)
    if len(expected) > 5:
        assert_alike(found, expected)
    else:
        assert found.keys() == expected.keys()
        assert found == pytest.approx(expected, rel=0.05)


def test_no_more_pieces_are_hidden_than_there_are(vocabulary):
    options = dataclasses.replace(OPTIONS, masked_lm_prob=1, max_predictions_per_seq=20)
    for continues in (None, [0, 1, 0, 1]):
        masked = np.sort(draw(vocabulary, options, 4, continues), axis=1)
        assert (masked[:, :4] >> np.uint64(32) == [0, 1, 2, 3]).all()
        assert (masked[:, 4:] == NOTHING).all()


def test_shares_are_80_10_10(vocabulary):
    masked = draw(vocabulary, dataclasses.replace(OPTIONS, masked_lm_prob=0.3), 9)
    shown = Counter((masked[masked != NOTHING] & np.uint64(0xFFFFFFFF)).tolist())
    count = shown.total()
    assert shown.pop(KEEP) / count == pytest.approx(0.1, abs=0.005)
    assert shown[vocabulary.mask_id] / count == pytest.approx(0.8, abs=0.005)
    del shown[vocabulary.mask_id]
    assert shown.keys() == set(vocabulary.ids.values()) - {vocabulary.mask_id}
    assert shown.total() / count == pytest.approx(0.1, abs=0.005)
