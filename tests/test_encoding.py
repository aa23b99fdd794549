"""Layout and truncation of classifier records (docs/parity.md 8), and what is logged and counted."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from bert import records
from bert.errors import InputError
from bert.records import parsing, rows
from bert.tasks import InputExample, encoding, label_kinds, truncation
from bert.tasks.encoding import ClassificationRows
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "##x"]
LABELS = ("no", "yes")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(Vocabulary(TOKENS), do_lower_case=True)


def encoded(tokenizer, max_seq_length, *texts) -> dict[str, np.ndarray]:
    examples = [InputExample("g", *pair) for pair in texts]
    return ClassificationRows(examples, LABELS, tokenizer, max_seq_length).features(0, len(examples))


def read(batch: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """Each row of a batch as its tokens and its segments, both up to the last real position."""
    sizes = batch["input_mask"].sum(axis=1)
    return [
        (" ".join(TOKENS[i] for i in ids[:size]), "".join(map(str, segments[:size])))
        for ids, segments, size in zip(batch["input_ids"], batch["segment_ids"], sizes, strict=True)
    ]


@pytest.mark.parametrize(
    ("max_seq_length", "text_a", "text_b", "tokens", "segments"),
    [
        (8, "a bx", None, "[CLS] a b ##x [SEP]", "00000"),
        (5, "a b c", None, "[CLS] a b c [SEP]", "00000"),
        (4, "a b c", None, "[CLS] a b [SEP]", "0000"),
        (2, "a b c", None, "[CLS] [SEP]", "00"),
        (8, "a b", "c", "[CLS] a b [SEP] c [SEP]", "000011"),
        (8, "a b c d", "e f g h", "[CLS] a b c [SEP] e f [SEP]", "00000111"),  # a tie loses from b
        (9, "a b c d", "e f g h", "[CLS] a b c [SEP] e f g [SEP]", "000001111"),
        (8, "a b c d e", "f", "[CLS] a b c d [SEP] f [SEP]", "00000011"),
        (8, "a", "b c d e f", "[CLS] a [SEP] b c d e [SEP]", "00011111"),
        (3, "a b", "c d", "[CLS] [SEP] [SEP]", "001"),
        (4, "a b", "c d", "[CLS] a [SEP] [SEP]", "0001"),
        (8, "a", "", "[CLS] a [SEP]", "000"),
        (8, "a", "\u200b \x00", "[CLS] a [SEP]", "000"),  # tokenizes to nothing
        (8, "", "b", "[CLS] [SEP] b [SEP]", "0011"),
        (8, "", "", "[CLS] [SEP]", "00"),
        (8, "z", None, "[CLS] [UNK] [SEP]", "000"),
    ],
)
def test_layout(tokenizer, max_seq_length, text_a, text_b, tokens, segments):
    # a long pair stands before it, so that a row cannot take its neighbour's WordPieces unseen
    texts = ("i j i j i j i j", None), (text_a, text_b), ("h h h h h h", None)
    batch = encoded(tokenizer, max_seq_length, *texts)
    assert read(batch)[1] == (tokens, segments)
    assert not batch["input_ids"][batch["input_mask"] == 0].any()
    assert batch["input_ids"].shape == (3, max_seq_length)


def popped(a: int, b: int, max_seq_length: int) -> tuple[int, int]:
    """The original's loop: one WordPiece after the other goes from the longer text."""
    if b == 0:
        return min(a, max_seq_length - 2), 0
    while a + b > max_seq_length - 3:
        if a > b:
            a -= 1
        else:
            b -= 1
    return a, b


@given(st.integers(0, 40), st.integers(0, 40), st.integers(3, 50))
def test_truncation_is_that_of_the_loop(a, b, max_seq_length):
    found = truncation.truncated_sizes(np.array([a]), np.array([b]), max_seq_length)
    assert (found[0][0], found[1][0]) == popped(a, b, max_seq_length)


@pytest.mark.parametrize(("max_seq_length", "text_b", "least"), [(2, "b", 3), (1, None, 2), (1, "b", 3), (0, None, 2)])
def test_a_length_without_room_names_the_flag(tokenizer, max_seq_length, text_b, least):
    with pytest.raises(InputError, match=f"`max_seq_length` is {max_seq_length}, .*expected at least {least}$"):
        encoded(tokenizer, max_seq_length, ("a", text_b))


def test_labels_become_ids_and_none_becomes_0(tokenizer):
    examples = [InputExample("g", "a", label=label) for label in ("yes", None, "no")]
    assert ClassificationRows(examples, LABELS, tokenizer, 4).features(0, 3)["label_ids"].tolist() == [[1], [0], [0]]
    with pytest.raises(InputError, match="g: unknown label 'maybe', expected one of no, yes"):
        ClassificationRows([InputExample("g", "a", label="maybe")], LABELS, tokenizer, 4).features(0, 1)


@pytest.mark.parametrize(
    ("kind", "found", "ids", "stored"),
    [
        (label_kinds.MULTILABEL, [("yes", "no"), (), ("yes",), None], [[1, 1], [0, 0], [0, 1], [0, 0]], "int64_list"),
        (label_kinds.REGRESSION, [0.5, -2.0, 3.0, None], [[0.5], [-2], [3], [0]], "float_list"),
    ],
)
def test_several_labels_and_numbers_go_into_records_of_their_own(tokenizer, tmp_path, kind, found, ids, stored):
    examples = [InputExample("g", "a", label=label) for label in found]
    labels = LABELS if kind.has_classes else ()
    built = ClassificationRows(examples, labels, tokenizer, 4, kind)
    assert built.features(0, 4)["label_ids"].tolist() == ids
    path = str(tmp_path / "out")
    assert rows.write(path, built, padding=1) == 5
    parsing.check_all(kind.record_kind, [path], {"S": 4, "C": len(labels), "V": len(TOKENS), "T": 2})
    written = [tf.train.Example.FromString(record).features.feature for record in records.read(path)]
    assert [list(getattr(row["label_ids"], stored).value) for row in written] == [*ids, [0] * len(ids[0])]
    assert [row["is_real_example"].int64_list.value[0] for row in written] == [1, 1, 1, 1, 0]
    with pytest.raises(InputError, match=r"^g: "):
        ClassificationRows([InputExample("g", "a", label="maybe")], labels, tokenizer, 4, kind).features(0, 1)


def test_padding_records_are_zero(tokenizer, tmp_path):
    examples = [InputExample("g", "a", label="yes")] * 5
    path = str(tmp_path / "out")
    assert rows.write(path, ClassificationRows(examples, LABELS, tokenizer, 4), padding=3) == 8
    found = commands.read_records(path)
    real = {"input_ids": [2, 5, 3, 0], "input_mask": [1, 1, 1, 0], "segment_ids": [0] * 4}
    zero = {name: [0] * 4 for name in real}
    assert found[:5] == [real | {"label_ids": [1], "is_real_example": [1]}] * 5
    assert found[5:] == [zero | {"label_ids": [0], "is_real_example": [0]}] * 3


def test_what_is_told_is_of_the_whole_set_before_truncation(tokenizer, tmp_path):
    examples = [InputExample("g", "a b", label="yes")] * 98 + [InputExample("g", "a " * 9, "b")] * 2
    built = ClassificationRows(examples, LABELS, tokenizer, 6)
    rows.write(str(tmp_path / "out"), built)
    assert built.lengths.tolist() == [4] * 98 + [13] * 2
    assert built.describe(512) == [
        "  WordPieces an example: p50 4, p95 4, p99 13, longest 13; max_seq_length 6 cuts 2.0%",
        "  `max_seq_length`=13 would cut none.",
        "  3.3% of the WordPieces are in no row (`truncation`=head); `truncation`=tail or head_tail keeps others, "
        "`long_text`=windows keeps all.",
        "  Labels: no: 0, yes: 98",
    ]


@pytest.mark.parametrize(
    ("max_seq_length", "cuts", "advice"),
    [
        (8, "2.0", "  `max_seq_length`=40 would cut none, 20 would cut 1%."),
        (20, "0.5", "  `max_seq_length`=40 would cut none."),
        (30, "0.5", "  `max_seq_length`=40 would cut none."),
        (40, "0.0", None),
        (128, "0.0", "  A shorter `max_seq_length`=40 would cut none either."),
    ],
)
def test_the_length_that_would_cut_none_is_told(max_seq_length, cuts, advice):
    lines = encoding.describe_lengths(np.array([5] * 196 + [20, 20, 20, 40]), max_seq_length, positions=512)
    assert lines[0].endswith(f"longest 40; max_seq_length {max_seq_length} cuts {cuts}%")
    assert lines[1:] == ([advice] if advice else [])


def test_no_length_is_advised_that_the_model_does_not_have():
    lines = encoding.describe_lengths(np.array([5] * 190 + [600] * 10), 64, positions=512)
    assert lines[1:] == ["  `max_seq_length`=512, all that the model has, would cut 5.0%."]


def test_batches_do_not_show_in_the_file(tokenizer, tmp_path, monkeypatch):
    examples = [InputExample(f"g{i}", "a b c"[: i % 6], "d e f"[: i % 4], LABELS[i % 2]) for i in range(25)]
    built = ClassificationRows(examples, LABELS, tokenizer, 6)
    rows.write(str(tmp_path / "whole"), built)
    monkeypatch.setattr(rows, "BATCH", 4)
    assert rows.write(str(tmp_path / "parts"), built) == 25
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()


def test_the_log_has_the_lines_of_the_original(tokenizer, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(rows, "BATCH", 5)
    monkeypatch.setattr(rows, "LOG_EVERY", 10)
    examples = [InputExample(f"dev-{i}", "a bx", "c", "yes") for i in range(12)]
    built = ClassificationRows(examples, LABELS, tokenizer, 8)
    with caplog.at_level(logging.INFO, logger="bert"):
        rows.write(str(tmp_path / "out"), built)
    assert caplog.messages == [
        "Writing example 0 of 12",
        "*** Example ***",
        "guid: dev-0",
        "tokens: [CLS] a b ##x [SEP] c [SEP]",
        "label: yes (id = 1)",
        "length: 7 of 8",
        "Writing example 10 of 12",
    ]


@pytest.mark.parametrize(("logged", "count"), [(None, 5), (0, 0), (3, 3), (20, 12)])
def test_the_verbose_log_has_all_lines_of_the_original(tokenizer, tmp_path, caplog, monkeypatch, logged, count):
    monkeypatch.setattr(rows, "BATCH", 2)
    examples = [InputExample(f"dev-{i}", "a bx", "c", "yes") for i in range(12)]
    built = ClassificationRows(examples, LABELS, tokenizer, 8)
    with caplog.at_level(logging.INFO, logger="bert"):
        rows.write(str(tmp_path / "out"), built, logged=logged, verbose=True)
    assert caplog.messages.count("*** Example ***") == count
    assert [line for line in caplog.messages if line.startswith("guid")] == [f"guid: dev-{i}" for i in range(count)]
    if count:
        assert caplog.messages[2:8] == [
            "guid: dev-0",
            "tokens: [CLS] a b ##x [SEP] c [SEP]",
            "input_ids: 2 5 6 15 3 7 3 0",
            "input_mask: 1 1 1 1 1 1 1 0",
            "segment_ids: 0 0 0 0 0 1 1 0",
            "label: yes (id = 1)",
        ]


@pytest.mark.parametrize(
    ("kind", "label", "line"),
    [
        (label_kinds.MULTILABEL, ("yes", "no"), ["label: yes, no (id = 1 1)"]),
        (label_kinds.REGRESSION, 2.5, ["label: 2.5"]),
        (label_kinds.CLASS, None, []),
    ],
)
def test_labels_are_shown_as_a_person_reads_them(tokenizer, kind, label, line):
    built = ClassificationRows([InputExample("g", "a b c", label=label)], LABELS, tokenizer, 4, kind)
    assert built.show(0) == ["guid: g", "tokens: [CLS] a b [SEP]", *line, "length: 4 of 4, cut from 5"]


def test_an_error_leaves_no_file(tokenizer, tmp_path):
    examples = [InputExample("g", "a")] * rows.BATCH + [InputExample("g", "a", "b")]
    with pytest.raises(InputError, match="`max_seq_length` is 2"):
        rows.write(str(tmp_path / "out"), ClassificationRows(examples, LABELS, tokenizer, 2))
    assert list(tmp_path.iterdir()) == []
