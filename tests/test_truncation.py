"""Texts longer than a row: their head, their tail, some of both, or windows over all of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bert.errors import InputError
from bert.records import rows
from bert.tasks import InputExample, encoding, label_kinds, truncation
from bert.tokenization import Tokenizer, Vocabulary

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "##x"]
LABELS = ("no", "yes")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(Vocabulary(TOKENS), do_lower_case=True)


def read(built: encoding.ClassificationRows) -> list[str]:
    """Every row as its WordPieces, special tokens but the [SEP] between two texts left out."""
    features = built.features(0, len(built))
    sizes = features["input_mask"].sum(axis=1)
    found = []
    for ids, segments, size in zip(features["input_ids"], features["segment_ids"], sizes, strict=True):
        parts = [[TOKENS[i] for i in ids[:size][segments[:size] == segment]] for segment in (0, 1)]
        assert (parts[0][0], parts[0][-1]) == ("[CLS]", "[SEP]")
        assert not parts[1] or parts[1][-1] == "[SEP]"
        found.append("".join(parts[0][1:-1]) + ("|" + "".join(parts[1][:-1]) if parts[1] else ""))
    return found


def built_of(tokenizer, length, *texts, **options) -> encoding.ClassificationRows:
    """Texts of letters, "abc" or "abc|de", a WordPiece a letter."""
    pairs = [[" ".join(part) for part in text.split("|")] for text in texts]
    examples = [InputExample(f"g{number}", *pair, label="yes") for number, pair in enumerate(pairs)]
    return encoding.build(examples, LABELS, tokenizer, length, **options)


@pytest.mark.parametrize(
    ("length", "text", "head", "tail", "head_tail"),
    [
        (8, "abcdef", "abcdef", "abcdef", "abcdef"),  # fits
        (8, "abcdefghij", "abcdef", "efghij", "abghij"),  # of 6 the first 2
        (6, "abcdefghij", "abcd", "ghij", "ahij"),
        (3, "abc", "a", "c", "a"),
        (2, "abc", "", "", ""),
        (8, "abcd|efgh", "abc|ef", "bcd|gh", "acd|eh"),  # each text by itself
        (8, "abcdefg|h", "abcd|h", "defg|h", "aefg|h"),
        (8, "h|abcdefg", "h|abcd", "h|defg", "h|aefg"),
        (4, "ab|cd", "a|", "b|", "a|"),
        (3, "ab|cd", "|", "|", "|"),
    ],
)
def test_what_of_a_text_is_kept(tokenizer, length, text, head, tail, head_tail):
    # others stand around it, so that a text cannot take its neighbours' WordPieces unseen
    for name, expected in (("head", head), ("tail", tail), ("head_tail", head_tail)):
        built = built_of(tokenizer, length, "jijijijijiji", text, "j", truncation=name)
        assert read(built)[1] == expected.removesuffix("|") + "|" * expected.endswith("|")
        assert built.lost[1] == sum(map(str.isalpha, text)) - sum(map(str.isalpha, expected))


def test_of_510_wordpieces_128_are_of_the_head_as_in_the_literature():
    assert truncation.head_sizes(np.array([510]), "head_tail").tolist() == [128]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=6),
    st.sampled_from(["head", "tail", "head_tail"]),
)
def test_kept_is_what_slices_of_lists_are(numbers, name):
    """In order, and as much of it as there is room for."""
    size, kept = (np.array([sorted(pair)[-1 - i] for *pair, _ in numbers], np.int64) for i in (0, 1))
    gaps = np.array([gap for *_, gap in numbers], np.int64)  # between the texts, which is nobody's
    start = np.cumsum(size + gaps) - size
    pieces = np.arange((size + gaps).sum(), dtype=np.int32)
    head = truncation.head_sizes(kept, name)
    found, found_start = truncation.keep(pieces, start, size, kept, head)
    expected = []
    for begin, length, wanted, first in zip(start, size, kept, head, strict=True):
        text = pieces[begin : begin + length].tolist()
        expected.append(text[:first] + text[length - (wanted - first) :])
        assert len(expected[-1]) == wanted
    assert found.tolist() == list(itertools.chain(*expected))
    assert found_start.tolist() == [0, *np.cumsum(kept)][: len(kept)]


@pytest.mark.parametrize(
    ("length", "text", "windows", "lost"),
    [
        (6, "abcd", ["abcd"], 0),
        (6, "abcde", ["abcd", "bcde"], 0),
        (6, "abcdefghi", ["abcd", "cdef", "fghi"], 0),
        (6, "abcdefghij", ["abcd", "defg", "ghij"], 0),
        (3, "abc", ["a", "b", "c"], 0),
        (8, "abcdef|g", ["abcd|g", "cdef|g"], 0),
        (8, "g|abcdef", ["g|abcd", "g|cdef"], 0),
        (8, "abc|def", ["abc|de"], 1),  # equally long: the first is read whole, the second cut to its half
        (8, "abcd|efgh", ["abc|ef", "bcd|ef"], 2),
        (8, "abcd|efghi", ["abc|ef", "abc|fg", "abc|hi"], 1),
        (3, "ab|cd", ["|"], 4),
    ],
)
def test_the_windows_over_a_text(tokenizer, length, text, windows, lost):
    built = built_of(tokenizer, length, "j", text, "i", long_text="windows")
    assert read(built) == ["j", *windows, "i"]
    assert built.example.tolist() == [0, *[1] * len(windows), 2]
    assert built.lost.tolist() == [0, lost, 0]
    assert built.features(0, len(built))["label_ids"].tolist() == [[1]] * len(built)


def test_a_text_there_is_no_room_for_has_one_window(tokenizer):
    built = built_of(tokenizer, 2, "abc", long_text="windows")
    assert (read(built), built.lost.tolist()) == ([""], [3])


@pytest.mark.parametrize(("name", "kept"), [("tail", "gh"), ("head_tail", "eh")])
def test_the_text_in_all_windows_is_truncated_as_any_other(tokenizer, name, kept):
    built = built_of(tokenizer, 8, "abcde|efgh", truncation=name, long_text="windows")
    assert read(built) == [f"{window}|{kept}" for window in ("abc", "cde")]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=5))
def test_windows_cover_every_wordpiece_and_are_not_more_than_needed(numbers):
    kept, sizes = np.array(numbers, np.int64).reshape(-1, 2).T
    splits, first = truncation.window_places(sizes, kept)
    assert len(splits) == len(sizes) + 1
    for text, (size, room) in enumerate(zip(sizes, kept, strict=True)):
        starts = first[splits[text] : splits[text + 1]]
        if room == 0:
            assert len(starts) == 1
            continue
        assert (starts[0], starts[-1]) == (0, size - room)
        overlap, step = room // 4, room - room // 4
        assert all(overlap <= a + room - b < room for a, b in itertools.pairwise(starts))
        assert len(starts) == 1 or room + (len(starts) - 2) * step < size


def test_windows_are_the_same_however_many_rows_are_asked_for(tokenizer, monkeypatch):
    texts = [("abcdefghij" * 3)[: 1 + 7 * i % 29] + ("|" + "fgh" * (i % 5) if i % 3 else "") for i in range(25)]
    whole = built_of(tokenizer, 8, *texts, long_text="windows")
    expected = whole.features(0, len(whole))
    monkeypatch.setattr(encoding, "BATCH", 4)
    parts = built_of(tokenizer, 8, *texts, long_text="windows")
    assert len(parts) == len(whole) > 40
    found = [parts.features(begin, min(begin + 3, len(parts))) for begin in range(0, len(parts), 3)]
    for name, values in expected.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in found]), values)


def test_short_texts_make_the_same_rows_whatever_is_asked_for(tokenizer):
    texts = ("abc", "a|b", "", "abcdef", "abc|de")
    expected = built_of(tokenizer, 8, *texts).features(0, 5)
    for options in ({"truncation": "tail"}, {"truncation": "head_tail"}, {"long_text": "windows"}):
        found = built_of(tokenizer, 8, *texts, **options).features(0, 5)
        assert all(np.array_equal(found[name], values) for name, values in expected.items())


def test_of_several_windows_the_mean_counts(tokenizer):
    built = built_of(tokenizer, 6, "a", "abcdefghi", "b", long_text="windows")
    logits = np.array([[0.1, 0.7], [1, 2], [3, 4], [8, 0], [0.3, 0.2]], np.float32)
    found = built.of_examples(logits)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array([[0.1, 0.7], [4, 2], [0.3, 0.2]], np.float32))
    assert built_of(tokenizer, 6, "a").of_examples(logits) is logits


def test_windows_are_told(tokenizer):
    built = built_of(tokenizer, 8, "a", "abcd|efghi", "b", long_text="windows")
    assert built.describe(512) == [
        "  WordPieces an example: p50 3, p95 12, p99 12, longest 12; 33.3% are longer than max_seq_length 8",
        "  3 examples in 5 rows (`long_text`=windows), at most 3 each",
        "  5.6% of the WordPieces are in no row: the shorter text of a pair is cut to its half.",
        "  Labels: no: 0, yes: 3",
    ]
    shown = ["guid: g1", "tokens: [CLS] a b c [SEP] f g [SEP]", "label: yes (id = 1)"]
    assert built.show(2) == [*shown, "length: 8 of 8, window 2 of 3 over 12"]
    assert built.show(4)[-1] == "length: 3 of 8"


def test_several_labels_and_numbers_go_to_every_window(tokenizer):
    text = " ".join("abcdefghi")
    for kind, label, ids in ((label_kinds.MULTILABEL, ("yes",), [0, 1]), (label_kinds.REGRESSION, 2.5, [2.5])):
        labels = LABELS if kind.has_classes else ()
        built = encoding.build([InputExample("g", text, label=label)], labels, tokenizer, 6, kind, "head", "windows")
        assert built.features(0, 3)["label_ids"].tolist() == [ids] * 3


def test_an_unknown_label_and_too_short_a_length_are_refused(tokenizer, tmp_path):
    built = encoding.build([InputExample("g", "a " * 9, label="maybe")], LABELS, tokenizer, 6, long_text="windows")
    with pytest.raises(InputError, match="g: unknown label 'maybe'"):
        rows.write(str(tmp_path / "out"), built)
    with pytest.raises(InputError, match=r"`max_seq_length` is 2, .*expected at least 3$"):
        rows.write(str(tmp_path / "out"), built_of(tokenizer, 2, "abc|de", long_text="windows"))
