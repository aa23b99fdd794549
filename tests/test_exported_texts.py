"""Texts as rows of ids: the graph of an export lays out what training lays out, whatever the texts."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bert.exporting import tagging, texts
from bert.options.classification import TRUNCATIONS
from bert.tasks import InputExample, encoding
from bert.tasks.tagging import windows
from bert.tasks.tagging.conll import ConllFile
from bert.tokenization import Tokenizer, Vocabulary

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "##x", "##b"]
LENGTHS = (3, 4, 5, 8, 11)
TEXT = st.text("abcdefghijxyz \x01", max_size=30)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(Vocabulary(TOKENS))


@pytest.fixture(scope="module")
def readers(tokenizer):
    """Compiled for each length and truncation, once."""
    specs = [tf.TensorSpec([None], tf.string)] * 2
    return {
        (length, truncation): tf.function(texts.TextReader(tokenizer, length, truncation), specs, autograph=False)
        for length in LENGTHS
        for truncation in TRUNCATIONS
    }


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(LENGTHS), st.sampled_from(TRUNCATIONS), st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_rows_are_those_of_training(tokenizer, readers, length, truncation, pairs):
    found, lost = readers[length, truncation](*(tf.constant(part) for part in zip(*pairs, strict=True)))
    examples = [InputExample("", a, b) for a, b in pairs]
    rows = encoding.build(examples, ("no",), tokenizer, length, truncation=truncation)
    expected = rows.features(0, len(rows))
    longest = expected["input_mask"].sum(axis=1).max()
    for name, values in found.items():
        assert values.dtype == tf.int32
        np.testing.assert_array_equal(values, expected[name][:, :longest], err_msg=name)
    np.testing.assert_array_equal(lost, rows.lost)


def test_rows_of_one_text_each(tokenizer):
    found, lost = texts.TextReader(tokenizer, 5, "head")(tf.constant(["a b", "", "a b c d"]))
    a, b, c = (TOKENS.index(token) for token in "abc")
    assert found["input_ids"].numpy().tolist() == [[2, a, b, 3, 0], [2, 3, 0, 0, 0], [2, a, b, c, 3]]
    assert found["input_mask"].numpy().tolist() == [[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]
    assert not found["segment_ids"].numpy().any()
    assert lost.numpy().tolist() == [0, 0, 1]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(LENGTHS), st.lists(st.text("abcxyz \x01", max_size=60), min_size=1, max_size=5))
def test_windows_are_those_of_training(tokenizer, length, sentences):
    """The same words at the same places of the same windows; a text without words has a window too here."""
    split = tagging.split_words(tf.constant(sentences))
    found = tagging.SentenceWindows.of(split, tokenizer, length)
    words = [sentence.split() for sentence in sentences]
    assert split.to_list() == [[word.encode() for word in part] for part in words]
    flat = [word for part in words for word in part]
    if not flat:
        return
    splits = np.unique(np.cumsum([0, *map(len, words)]))
    expected = windows.build(ConllFile("", [], flat, None, [], splits), (), tokenizer, length)
    features = expected.features(0, len(expected))
    rows = [row for row in found.pieces.to_list() if row]
    assert rows == [
        ids[1 : mask.sum() - 1].tolist()
        for ids, mask in zip(features["input_ids"], features["input_mask"], strict=True)
    ]
    kept = np.cumsum([bool(row) for row in found.pieces.to_list()]) - 1
    np.testing.assert_array_equal(
        kept[found.window], np.repeat(np.arange(len(expected)), np.diff(expected.word_splits))
    )
    positions = np.concatenate([expected.positions(window) for window in range(len(expected))])
    np.testing.assert_array_equal(found.position, positions)


def test_words_end_where_python_says_so():
    spaces = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
    others = ["\u200b", "\u2060", "\ufeff", "\x00", "\x08", "\u180e"]  # that look like some
    found = tagging.split_words(tf.constant([f"a{sign}b" for sign in [*spaces, *others]])).to_list()
    assert found == [[b"a", b"b"]] * len(spaces) + [[f"a{sign}b".encode()] for sign in others]
