"""Sentences as rows: each word once, where it has most context, its label at its first WordPiece."""

import numpy as np
import pytest

from bert import records
from bert.records import parsing, rows
from bert.tasks.tagging import conll, windows
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands

PIECES = ["jim", "hen", "##son", "was", "a", "puppet", "##eer", "中", "国", "##s", "!"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES]
LABELS = ("B-PER", "I-PER", "O")


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(Vocabulary(VOCABULARY), do_lower_case=True)


def build(folder, tokenizer, content: str, max_seq_length: int) -> windows.SentenceWindows:
    (folder / "train.txt").write_text(content, encoding="utf-8")
    return windows.build(conll.read(str(folder / "train.txt")), LABELS, tokenizer, max_seq_length)


def test_the_first_word_piece_carries_the_label(tmp_path, tokenizer):
    """The example of the original's README, and a word that is Chinese."""
    content = "Jim B-PER\nHenson I-PER\nwas O\na O\npuppeteer O\n\n中国 B-PER\n"
    built = build(tmp_path, tokenizer, content, 10)
    features = built.features(0, 2)
    names = [[VOCABULARY[piece] for piece in row] for row in features["input_ids"]]
    padding = ["[PAD]"] * 6
    assert names[0] == ["[CLS]", "jim", "hen", "##son", "was", "a", "puppet", "##eer", "[SEP]", "[PAD]"]
    assert names[1] == ["[CLS]", "中", "国", "[SEP]", *padding]
    assert features["input_mask"].tolist() == [[1] * 9 + [0], [1] * 4 + [0] * 6]
    assert features["label_ids"].tolist() == [[0, 0, 1, 0, 2, 2, 2, 0, 0, 0], [0] * 10]
    assert features["label_weights"].tolist() == [[0, 1, 1, 0, 1, 1, 1, 0, 0, 0], [0, 1] + [0] * 8]
    assert not features["segment_ids"].any()
    assert features["unique_ids"].tolist() == [[0], [1]]


def test_a_word_that_vanishes_is_unknown_to_the_model(tmp_path, tokenizer):
    """Control characters, a zero-width space, a lone accent: tokenization leaves nothing of them."""
    built = build(tmp_path, tokenizer, "\x07 O\njim B-PER\n\u200b O\nhenson I-PER\n\u0301 O\n\x07 O\nzzz O\n", 12)
    features = built.features(0, 1)
    names = [VOCABULARY[piece] for piece in features["input_ids"][0]]
    unknown = "[UNK]"
    expected = ["[CLS]", unknown, "jim", unknown, "hen", "##son", unknown, unknown, unknown, "[SEP]", "[PAD]", "[PAD]"]
    assert names == expected
    assert built.positions(0).tolist() == [1, 2, 3, 4, 6, 7, 8]
    assert features["label_weights"][0].sum() == 7


def test_words_are_tokenized_as_by_themselves(tmp_path, tokenizer):
    words = ["jim", "\x07", "中国", "HENSON", "puppeteer!", "jims", "\x07", "jim"]
    pieces, starts = windows.encode_words(words, tokenizer)
    parts = np.split(pieces, starts[1:])
    assert [[VOCABULARY[piece] for piece in part] for part in parts] == [
        tokenizer.tokenize(word) or ["[UNK]"] for word in words
    ]


def most_context(place: int, firsts: list[int], size: int) -> int:
    """The definition: the window in which the piece has most context on the side that has less; the first of these."""
    context = {
        window: min(place - first, first + size - 1 - place)
        for window, first in enumerate(firsts)
        if first <= place < first + size
    }
    return max(context, key=lambda window: (context[window], -window))


@pytest.mark.parametrize("max_seq_length", [3, 4, 5, 8, 9, 16])
def test_each_word_counts_once_where_it_has_most_context(tmp_path, tokenizer, max_seq_length):
    generator = np.random.default_rng(max_seq_length)
    choices = ["jim", "henson", "puppeteer!", "中国", "\x07"]
    sentences = [generator.choice(choices, size=size) for size in [1, 2, 30, 3, 7, 8, 1, 50]]
    content = "\n".join("".join(f"{word} O\n" for word in sentence) for sentence in sentences)
    built = build(tmp_path, tokenizer, content, max_seq_length)
    room = max_seq_length - 2
    assert built.word_splits.tolist() == sorted(built.word_splits)
    assert (built.word_splits[0], built.word_splits[-1]) == (0, len(built.text.words))

    bounds = built.piece_splits
    sentence_of = np.searchsorted(bounds, built.first, side="right") - 1
    for window in range(len(built)):
        sentence = sentence_of[window]
        rivals = np.flatnonzero(sentence_of == sentence)
        firsts, size = built.first[rivals].tolist(), min(room, bounds[sentence + 1] - bounds[sentence])
        assert built.size[window] == size
        assert built.first[window] + size <= bounds[sentence + 1]
        for word in range(*built.word_splits[window : window + 2]):
            assert rivals[most_context(built.first_pieces[word], firsts, size)] == window
    assert len(built) > len(sentences)  # some need several windows


def test_a_word_has_a_quarter_of_a_window_around_it(tmp_path, tokenizer):
    """Or all there is."""
    built = build(tmp_path, tokenizer, "jim O\n" * 1000, 42)
    places = np.concatenate([built.positions(window) - 1 for window in range(len(built))])
    left, right = places, 39 - places
    whole_left, whole_right = np.arange(1000), 999 - np.arange(1000)
    assert np.all((left >= 10) | (left == whole_left))
    assert np.all((right >= 9) | (right == whole_right))


def test_records_hold_the_features(tmp_path, tokenizer):
    built = build(tmp_path, tokenizer, "jim B-PER\nhenson I-PER\nwas O\n" * 20 + "\na O\n", 10)
    path = str(tmp_path / "records")
    rows.write(path, built)
    parsing.check_all(records.TAGGING, [path], {"S": 10, "C": 3, "V": len(VOCABULARY), "T": 2})
    found, expected = commands.read_records(path), built.features(0, len(built))
    assert len(found) == len(built) > 10
    assert list(expected) == [feature.name for feature in records.TAGGING.features]
    for name, values in expected.items():
        assert [record[name] for record in found] == values.tolist()
    assert expected["label_weights"].sum() == 61


def test_a_file_without_tags_has_no_weights(tmp_path, tokenizer):
    (tmp_path / "test.txt").write_text("jim\nhenson\n")
    text = conll.read(str(tmp_path / "test.txt"), tags_required=False)
    built = windows.build(text, LABELS, tokenizer, 8)
    assert not built.features(0, 1)["label_weights"].any()
    assert built.positions(0).tolist() == [1, 2]


def test_what_is_told(tmp_path, tokenizer):
    built = build(tmp_path, tokenizer, "jim B-PER\nzzz O\n\n" + "was O\n" * 8, 8)
    assert built.describe(128) == [
        f"{tmp_path / 'train.txt'}: 2 sentences, 10 words, 3 rows",
        "  WordPieces a sentence: p50 10, p95 10, p99 10, longest 10; 50.0% are longer than a row; "
        "10.0% of all are [UNK]",
        "  Labels: O: 9, B-PER: 1",
    ]


def test_a_row_is_shown_as_a_person_reads_it(tmp_path, tokenizer):
    built = build(tmp_path, tokenizer, "jim B-PER\nhenson I-PER\nwas O\n", 10)
    shown = [
        "unique_id: 0",
        "tokens: [CLS] jim hen ##son was [SEP]",
        "labels: - B-PER I-PER - O -",
        "length: 6 of 10",
    ]
    assert built.show(0) == shown
    numbers = ["input_ids: 2 5 6 7 8 3 0 0 0 0", "input_mask: 1 1 1 1 1 1 0 0 0 0", "segment_ids: 0 0 0 0 0 0 0 0 0 0"]
    assert built.show(0, verbose=True) == [*shown[:2], *numbers, *shown[2:]]
