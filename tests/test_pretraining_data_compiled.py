"""The sampler that numba compiles against the one in Python, the reference, whose own are a plain model's and the
original's records."""

import random
import sys
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert import pretraining_data
from bert.pretraining_data import exact
from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.instances import InstanceSampler
from bert.pretraining_data.options import Options
from bert.tokenization import Vocabulary
from tests.test_pretraining_data import SMALL_CASES, check_case

pytest.importorskip("numba")


@pytest.fixture(scope="module")
def vocabulary(golden):
    return Vocabulary.from_file(str(golden / "vocab_small.txt"))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=12), min_size=1, max_size=6),
    # A share of pieces inside a word: with 1 a whole document is one word that fits nowhere.
    inside=st.none() | st.sampled_from([0.0, 0.4, 1.0]),
    max_seq_length=st.integers(5, 200),
    short_seq_prob=st.sampled_from([0.0, 0.3, 1.0]),
    masked_lm_prob=st.sampled_from([0.0, 0.15, 1.0]),
    most=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 20),
)
def test_plans_and_the_stream_behind_them_are_those_of_the_python_sampler(
    vocabulary, sizes, inside, max_seq_length, short_seq_prob, masked_lm_prob, most, seed, batch
):
    from bert.pretraining_data.compiled import CompiledSampler

    options = Options(
        vocab_file="",
        max_seq_length=max_seq_length,
        short_seq_prob=short_seq_prob,
        masked_lm_prob=masked_lm_prob,
        max_predictions_per_seq=most,
    )
    ends = np.cumsum([0, *(size for document in sizes for size in document)])
    continues = None
    if inside is not None:
        continues = (np.random.default_rng(seed).random(ends[-1]) < inside).astype(np.uint8)
    corpus = Corpus(np.zeros(0, np.int32), array("q", ends), array("q", np.cumsum([0, *map(len, sizes)])), continues)
    rng = random.Random(seed)
    rng.random()  # a stream under way
    samplers = CompiledSampler(corpus, vocabulary, options, rng), InstanceSampler(corpus, vocabulary, options, rng)
    for _ in range(2):
        (found, ended), (expected, documents) = (list(zip(*each.batches(batch), strict=True)) for each in samplers)
        assert np.concatenate(found).tolist() == np.concatenate(expected).tolist()
        assert max(map(len, found)) <= batch
        assert sum(ended) == sum(documents) == len(sizes)
        assert samplers[0].state == rng.getstate()
    orders = array("Q", range(100)), array("Q", range(100))
    for sampler, order in zip(samplers, orders, strict=True):
        sampler.shuffle(order)
    assert orders[0] == orders[1]


@pytest.mark.parametrize("name", SMALL_CASES)
def test_records_of_the_compiled_sampler_are_the_originals(name, golden, tmp_path, monkeypatch):
    monkeypatch.setattr(exact, "_TOKENS_TO_COMPILE_FOR", 0)
    monkeypatch.setattr(exact, "InstanceSampler", None)  # must not be asked for
    check_case(name, golden, tmp_path)


def test_without_numba_the_records_are_the_same(golden, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(exact, "_TOKENS_TO_COMPILE_FOR", 0)
    monkeypatch.delitem(sys.modules, "bert.pretraining_data.compiled", raising=False)
    monkeypatch.delattr(pretraining_data, "compiled", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    with caplog.at_level("INFO"):
        check_case(SMALL_CASES[0], golden, tmp_path)
    assert "pip install -r requirements-fast.txt" in caplog.text
