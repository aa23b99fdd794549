"""The files of examples/faq keep what its README promises, and the small model fits them."""

import collections
import dataclasses
import importlib
import json
import pathlib
import re

import pytest

from bert.errors import InputError

FAQ = pathlib.Path(__file__).parent.parent / "examples" / "faq"
SPLITS = ("train", "dev", "test")
INTENTS = {"train": 668, "dev": 145, "test": 145}
PAIRS = {"train": 600, "dev": 150, "test": 150}


def read(path: pathlib.Path) -> list[dict[str, str]]:
    """The rows of a TSV file with header; asserts that none is ragged or has an empty or padded field."""
    header, *rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        assert len(row) == len(header), row
        assert all(field and field == field.strip() for field in row), row
    return [dict(zip(header, row, strict=True)) for row in rows]


def labelled(part: str, split: str) -> list[dict[str, str]]:
    """The rows of a split with their labels; those of test.tsv lie in test_labels.tsv, under the same ids."""
    rows = read(FAQ / part / f"{split}.tsv")
    if split != "test":
        return rows
    assert "label" not in rows[0]
    labels = {row["id"]: row["label"] for row in read(FAQ / part / "test_labels.tsv")}
    assert [row["id"] for row in rows] == list(labels) == [str(number) for number in range(1, len(rows) + 1)]
    return [row | {"label": labels[row["id"]]} for row in rows]


@pytest.fixture(scope="module")
def intents() -> dict[str, list[dict[str, str]]]:
    return {split: labelled("intents", split) for split in SPLITS}


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[dict[str, str]]]:
    return {split: labelled("pairs", split) for split in SPLITS}


@pytest.fixture(scope="module")
def texts(intents) -> dict[str, str]:
    """Every sentence of the intents with its split."""
    return {row["text"]: split for split, rows in intents.items() for row in rows}


def test_every_intent_is_in_every_split_and_their_sizes_differ(intents):
    counts = {split: collections.Counter(row["label"] for row in rows) for split, rows in intents.items()}
    assert {split: counter.total() for split, counter in counts.items()} == INTENTS
    assert len(counts["train"]) == 40
    for split, least in (("train", 8), ("dev", 2), ("test", 2)):
        assert counts[split].keys() == counts["train"].keys()
        assert min(counts[split].values()) >= least
    sizes = sum(counts.values(), collections.Counter()).values()
    assert (min(sizes), max(sizes)) == (12, 55)


def test_no_sentence_occurs_twice(intents):
    """Not even with another punctuation."""
    seen = collections.Counter(re.sub(r"\W", "", row["text"]) for rows in intents.values() for row in rows)
    assert [text for text, count in seen.items() if count > 1] == []


def test_sentences_are_short(texts):
    assert all(4 <= len(text) <= 40 for text in texts)


def test_pairs_have_three_labels_a_third_each(pairs):
    for split, rows in pairs.items():
        assert len(rows) == PAIRS[split]
        counts = collections.Counter(row["label"] for row in rows)
        assert counts == dict.fromkeys(("0", "0.5", "1"), len(rows) // 3)


def test_pairs_are_made_of_sentences_of_their_own_split(pairs, texts):
    for split, rows in pairs.items():
        assert {texts[row[column]] for row in rows for column in ("text", "text_b")} == {split}
        unordered = {frozenset((row["text"], row["text_b"])) for row in rows}
        assert {len(pair) for pair in unordered} == {2}
        assert len(unordered) == len(rows)


def test_pair_labels_agree_with_the_intents(pairs, intents):
    """The same question has one intent, and a different one another."""
    intent = {row["text"]: row["label"] for rows in intents.values() for row in rows}
    for rows in pairs.values():
        for row in rows:
            same = intent[row["text"]] == intent[row["text_b"]]
            assert same or row["label"] != "1", row
            assert not same or row["label"] != "0", row


def test_readme_tells_the_counts_and_flags_that_exist():
    text = (FAQ / "README.md").read_text(encoding="utf-8")
    for part, counts in (("intents", INTENTS), ("pairs", PAIRS)):
        numbers = " | ".join(str(count) for count in counts.values())
        assert re.search(rf"^\| `{part}/` \|.*\| {re.escape(numbers)} \|", text, re.MULTILINE)
    for script, call in (
        ("run_classifier", r"run_classifier\.py"),
        ("examples.faq.make_small_model", r"-m examples\.faq\.make_small_model"),
    ):
        known = {field.name for field in dataclasses.fields(importlib.import_module(script).Settings)}
        commands = re.findall(rf"^python {call}((?:.*\\\n)*.*)", text, re.MULTILINE)
        assert commands
        assert set(re.findall(r"--(\w+)", "".join(commands))) <= known
    assert set(re.findall(r"--(\w+)", text)) <= {
        field.name for field in dataclasses.fields(importlib.import_module("run_classifier").Settings)
    }


def make_model(capsys, data_dir, output_dir, **more) -> list[str]:
    """Runs make_small_model.py and returns the lines of its vocabulary."""
    module = importlib.import_module("examples.faq.make_small_model")
    module.main(module.Settings(data_dir=str(data_dir), output_dir=str(output_dir), **more))
    vocabulary = (output_dir / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert f"{len(vocabulary)} pieces" in capsys.readouterr().out
    assert len(set(vocabulary)) == len(vocabulary)
    assert json.loads((output_dir / "bert_config.json").read_text())["vocab_size"] == len(vocabulary)
    return vocabulary


def test_vocabulary_of_the_small_model_covers_every_character(tmp_path, capsys, texts):
    vocabulary = make_model(capsys, FAQ / "intents", tmp_path)
    assert vocabulary[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert set("".join(texts).lower()) <= set(vocabulary)
    assert {"##p", "##0"} <= set(vocabulary)
    assert not {"##货", "##，", "##？"} & set(vocabulary)


def test_small_model_leaves_no_word_of_the_example_unknown(tmp_path, capsys, texts):
    from bert.tokenization import Tokenizer, Vocabulary

    vocabulary = Vocabulary(make_model(capsys, FAQ / "intents", tmp_path))
    ids, _ = Tokenizer(vocabulary).encode(list(texts))
    assert vocabulary.unk_id not in ids


def test_small_model_from_other_kinds_of_files(tmp_path, capsys):
    (tmp_path / "train.csv").write_text("Été,x\n", encoding="utf-8")
    (tmp_path / "dev.jsonl").write_text('{"text": "\\u8d27"}\n', encoding="utf-8")
    (tmp_path / "notes.md").write_text("q", encoding="utf-8")
    lowered = make_model(capsys, tmp_path, tmp_path / "lowered")
    assert {"e", "##e", "货"} <= set(lowered)
    assert not {"é", "É", "E", "q", "8", "\u0301"} & set(lowered)
    assert {"É", "##t", "##é"} <= set(make_model(capsys, tmp_path, tmp_path / "cased", do_lower_case=False))


def test_small_model_says_what_is_wrong(tmp_path, capsys):
    with pytest.raises(InputError, match="no file there ends in"):
        make_model(capsys, tmp_path, tmp_path)
    (tmp_path / "train.jsonl").write_text("{}\n{\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"train\.jsonl:2: not JSON"):
        make_model(capsys, tmp_path, tmp_path)
