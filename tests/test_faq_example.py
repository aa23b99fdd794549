"""The files of examples/faq keep what its README promises, the small model fits them, and run.sh goes all the way."""

import collections
import dataclasses
import importlib
import json
import pathlib
import re
import shlex

import pytest

import bert
from bert.errors import InputError
from bert.options.retrieval import RetrievalOptions
from bert.retrieval import knowledge
from tests import commands
from tests.test_chinese_example import execute, run_script

FAQ = pathlib.Path(__file__).parent.parent / "examples" / "faq"
SPLITS = ("train", "dev", "test")
INTENTS = {"train": 668, "dev": 145, "test": 145}
OUTSIDE = 24  # questions in each of dev and test
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


def test_every_intent_has_an_answer(intents):
    """And no answer is one of another intent, or too long to be read on a telephone."""
    answers = {row["answer_id"]: row["answer"] for row in read(FAQ / "answers.tsv")}
    assert answers.keys() == {row["label"] for row in intents["train"]}
    assert len(set(answers.values())) == len(answers) == len(read(FAQ / "answers.tsv"))
    assert max(map(len, answers.values())) <= 80


def test_questions_outside_are_no_sentence_of_the_shop(texts):
    dev, test = ([row["text"] for row in read(FAQ / "outside" / f"{split}.tsv")] for split in ("dev", "test"))
    assert len(dev) == len(test) == OUTSIDE
    asked = (FAQ / "asked.txt").read_text(encoding="utf-8").splitlines()
    every = [re.sub(r"\W", "", text) for text in (*texts, *dev, *test, *asked)]
    assert len(set(every)) == len(every)


def test_tables_of_the_retrieval(tmp_path, intents):
    outcome = commands.run("examples.faq.knowledge_base", output_dir=tmp_path)
    assert outcome.status == 0, outcome.stderr
    base = knowledge.read(str(tmp_path / "questions.tsv"), RetrievalOptions())
    assert base.questions == tuple(row["text"] for row in intents["train"])
    assert base.answer_ids == tuple(row["label"] for row in intents["train"])
    assert base.answers.keys() == set(base.names)
    for split in ("dev", "test"):
        queries = knowledge.read_queries(str(tmp_path / f"{split}.tsv"), RetrievalOptions(), needs_answers=True)
        knowledge.check_known(queries, base, split)
        assert queries.answer_ids == (*(row["label"] for row in intents[split]), *[""] * OUTSIDE)


def commands_of(text: str) -> list[tuple[str, dict[str, str]]]:
    """The commands of a text, `python -m bert NAME` by their name and others by their module, each with its flags."""
    found = re.findall(r"^python -m ((?:.*\\\n)*.*)", text, re.MULTILINE)
    parts = [shlex.split(each.replace("\\\n", " ")) for each in found]
    return [command_of([part for part in each if part != "#"]) for each in parts]


def command_of(argv: list[str]) -> tuple[str, dict[str, str]]:
    name, *flags = argv[1:] if argv[0] == "bert" else argv
    module = f"bert.commands.{name}" if argv[0] == "bert" else name
    return module, dict(flag.removeprefix("--").split("=", 1) for flag in flags if flag != "...")


def test_readme_tells_the_counts_and_flags_that_exist():
    text = (FAQ / "README.md").read_text(encoding="utf-8")
    for part, counts in (("intents", INTENTS), ("pairs", PAIRS)):
        numbers = " | ".join(str(count) for count in counts.values())
        assert re.search(rf"^\| `{part}/` \|.*\| {re.escape(numbers)} \|", text, re.MULTILINE)
    assert re.search(rf"^\| `outside/` \|.*\| \| {OUTSIDE} \| {OUTSIDE} \|", text, re.MULTILINE)
    told = commands_of(text)
    assert len(told) >= 12
    for module, given in told:
        known = {field.name for field in dataclasses.fields(importlib.import_module(module).Settings)}
        assert given.keys() <= known, module
    known = {field.name for name in ("classifier", "retrieval") for field in dataclasses.fields(settings_of(name))}
    assert set(re.findall(r"`--(\w+)", text)) <= known


def settings_of(name: str) -> type:
    return importlib.import_module(f"bert.commands.run_{name}").Settings


def test_the_steps_of_the_readme_are_those_of_the_script(tmp_path):
    """The same commands, in the same order, with the same flags and values."""
    text = (FAQ / "README.md").read_text(encoding="utf-8")
    steps = text[text.index("## Step by step") : text.index("## The service")].replace("$MODEL", "faq_output/model")
    typed = run_script(tmp_path, {"FAQ_OUTPUT": "faq_output"}, str(FAQ / "run.sh"))
    assert [command_of(argv[2:]) for argv in typed if argv[1] == "-m"] == commands_of(steps)


def test_a_model_to_start_from(tmp_path):
    typed = run_script(tmp_path, {"FAQ_OUTPUT": str(tmp_path), "FAQ_MODEL": "some/model"}, str(FAQ / "run.sh"))
    trained = [command_of(argv[2:])[1] for argv in typed if "--do_train=true" in argv]
    starts = [given["init_checkpoint"] for given in trained]
    assert starts == ["some/model/bert_model.ckpt", f"{tmp_path}/faq"]  # the intents go on from the retrieval
    assert {given["bert_config_file"] for given in trained} == {"some/model/bert_config.json"}
    assert not any("examples.faq.make_small_model" in argv for argv in typed)


@pytest.mark.slow
def test_run_sh_in_miniature(tmp_path):
    """The commands of the script one after the other, and then again: what is there is not made a second time."""
    environment = {"FAQ_OUTPUT": str(tmp_path / "output"), "FAQ_EPOCHS": "2", "FAQ_INTENT_EPOCHS": "1"}
    typed = [argv for argv in run_script(tmp_path, environment, str(FAQ / "run.sh")) if argv[1] == "-m"]
    for argv in typed:
        outcome = execute(argv)
        assert outcome.status == 0, f"{shlex.join(argv)}\n{outcome.stderr}"
    asked = (FAQ / "asked.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in outcome.stdout.splitlines() if line in asked] == asked
    assert len(re.findall(r"^\| (?:bm25|faq) (?:\| [01]\.\d{3} ){6}\|$", outcome.stdout, re.MULTILINE)) == 2
    report = json.loads((tmp_path / "output" / "faq" / "test_report.json").read_text())
    assert (report["queries"], report["outside"]) == (INTENTS["test"], OUTSIDE)
    predictor = bert.load(str(tmp_path / "output" / "faq"), intent_model=str(tmp_path / "output" / "intents"))
    found = predictor.predict(asked[0])
    assert found.intent in {row["answer_id"] for row in read(FAQ / "answers.tsv")}
    assert found.answers[0].answer
    again = run_script(tmp_path, environment, str(FAQ / "run.sh"))
    assert [argv[2] for argv in again if argv[1] == "-m"] == ["examples.faq.summary"]


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
