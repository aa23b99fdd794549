"""Rows against a loop that appends one token after the other; the lengths told in the log; the Chinese ranges."""

import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from bert import unicode_ranges
from bert.records.layout import lay_out
from bert.records.lengths import LengthSummary
from tests import reference_tokenizer

CLS, SEP = 1001, 1002


def row(a: list[int], b: list[int] | None, max_seq_length: int) -> tuple[list[int], list[int], list[int]]:
    ids, segments = [CLS, *a, SEP], [0] * (len(a) + 2)
    if b is not None:
        ids += [*b, SEP]
        segments += [1] * (len(b) + 1)
    padding = [0] * (max_seq_length - len(ids))
    return ids + padding, [1] * len(ids) + padding, segments + padding


@st.composite
def texts(draw):
    """An array of tokens, and places of a first and perhaps a second text in it for some rows."""
    size = draw(st.integers(0, 20))
    bounds = st.tuples(st.integers(0, size), st.integers(0, size)).map(sorted)
    rows = draw(st.lists(st.tuples(bounds, bounds, st.booleans()), min_size=1, max_size=5))
    return np.arange(1, size + 1, dtype=np.int32), rows, draw(st.integers(0, 3))


@given(texts(), st.sampled_from([np.int32, np.int8]))
def test_rows_are_those_of_the_loop(given_texts, dtype):
    tokens, rows, padding = given_texts
    a, b, is_pair = (np.array(column) for column in zip(*rows, strict=True))
    b = np.where(is_pair[:, None], b, 0)
    sizes = (a[:, 1] - a[:, 0]) + (b[:, 1] - b[:, 0]) + 2 + is_pair
    length = int(sizes.max()) + padding
    found = lay_out(tokens, (a[:, 0], a[:, 1]), (b[:, 0], b[:, 1]), CLS, SEP, length, is_pair, dtype)
    for number, (own, other, pair) in enumerate(rows):
        part = tokens[slice(*other)].tolist() if pair else None
        expected = row(tokens[slice(*own)].tolist(), part, length)
        assert tuple(values[number].tolist() for values in found.values()) == expected
    assert list(found) == ["input_ids", "input_mask", "segment_ids"]
    assert [values.dtype for values in found.values()] == [np.int32, dtype, dtype]


def test_without_second_texts_all_rows_are_single():
    tokens, bounds = np.array([7, 8, 9], np.int32), (np.array([0, 1]), np.array([2, 3]))
    found = lay_out(tokens, bounds, None, CLS, SEP, 5)
    assert found["input_ids"].tolist() == [[CLS, 7, 8, SEP, 0], [CLS, 8, 9, SEP, 0]]
    assert not found["segment_ids"].any()
    found = lay_out(tokens, bounds, bounds, CLS, SEP, 7)
    assert found["input_ids"].tolist() == [[CLS, 7, 8, SEP, 7, 8, SEP], [CLS, 8, 9, SEP, 8, 9, SEP]]


def test_lengths_are_those_that_so_many_rows_do_not_exceed():
    assert str(LengthSummary.of(np.array([5] * 98 + [7, 9]))) == "p50 5, p95 5, p99 9, longest 9"
    assert LengthSummary.of(np.zeros(0, int)) == (0, 0, 0, 0)


@pytest.mark.parametrize("notation", ["re", "RE2"])
def test_chinese_characters_are_those_of_the_reference(notation):
    """At the borders of all ranges, in both notations."""
    borders = {code for bounds in (*unicode_ranges.CHINESE, *reference_tokenizer.CHINESE) for code in bounds}
    characters = [chr(code + step) for code in sorted(borders) for step in (-1, 0, 1)] + list("aのハ한。,")
    if notation == "re":
        pattern = f"[{unicode_ranges.for_re(unicode_ranges.CHINESE)}]"
        found = [bool(re.fullmatch(pattern, character)) for character in characters]
    else:
        pattern = f"[{unicode_ranges.for_re2(unicode_ranges.CHINESE)}]"
        found = tf.strings.regex_full_match(characters, pattern).numpy().tolist()
    expected = [any(a <= ord(each) <= b for a, b in reference_tokenizer.CHINESE) for each in characters]
    assert found == expected
