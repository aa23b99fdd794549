"""add_words as a user runs it: vectors that are means, folders that every command takes, words that are refused."""

import itertools
import json
import pathlib
import shutil

import numpy as np
import pytest

from bert.tokenization import Tokenizer, Vocabulary
from tests import commands, numpy_bert, reference_tokenizer
from tests.formats import folders

EMBEDDINGS, BIAS = "bert/embeddings/word_embeddings", "cls/predictions/output_bias"
SLOTS = ("", "/adam_m", "/adam_v")
PRETRAINING = {"max_seq_length": 32, "max_predictions_per_seq": 5}
OLD = Vocabulary.from_file(str(commands.VOCABULARY))


def run(command: str, *arguments: str, **flags):
    return commands.run(f"bert.commands.{command}", *arguments, **flags)


def pieces_of(word: str) -> list[int]:
    """What a word is under the small vocabulary, by the reference tokenizer."""
    return [OLD.ids[piece] for piece in reference_tokenizer.tokens(word, OLD.ids, lower_case=True)]


def records_with(vocabulary: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Pre-training records of the sample text."""
    outcome = run(
        "create_pretraining_data",
        input_file=commands.TESTS / "golden" / "sample_text.txt",
        output_file=folder / "sample.tfrecord",
        vocab_file=vocabulary,
        dupe_factor=1,
        **PRETRAINING,
    )
    assert outcome.status == 0, outcome.stderr
    return folder / "sample.tfrecord"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A pre-training of four steps, with the optimizer's slots."""
    folder = tmp_path_factory.mktemp("pretraining")
    outcome = run(
        "run_pretraining",
        "--do_train",
        input_file=records_with(commands.VOCABULARY, folder),
        output_dir=folder / "run",
        bert_config_file=commands.write_config(folder),
        num_train_steps=4,
        num_warmup_steps=1,
        train_batch_size=4,
        **PRETRAINING,
    )
    assert outcome.status == 0, outcome.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def google(trained, tmp_path_factory):
    """The same model as a folder like Google's downloads."""
    folder = tmp_path_factory.mktemp("google") / "model"
    outcome = run("convert", model_dir=trained, output_dir=folder, to="google", vocab_file=commands.VOCABULARY)
    assert outcome.status == 0, outcome.stderr
    return folder


def add(model_dir, tmp_path, words: str, *arguments: str, **flags):
    (tmp_path / "words.txt").write_text(words, encoding="utf-8")
    flags = {"model_dir": model_dir, "output_dir": tmp_path / "new", "words_file": tmp_path / "words.txt", **flags}
    flags.setdefault("do_lower_case", True)
    return run("add_words", *arguments, **flags)


def check_rows(before: dict, after: dict, places: dict[int, str], name: str) -> None:
    """Every old row is the same but those of the new words, which are means."""
    for place, word in places.items():
        expected = np.mean([before[name][index] for index in pieces_of(word)], axis=0)
        np.testing.assert_allclose(after[name][place], expected, rtol=1e-6, atol=1e-12)
    old = [index for index in range(len(before[name])) if index not in places]
    np.testing.assert_array_equal(after[name][old], before[name][old])


def test_words_take_the_unused_entries(google, tmp_path):
    outcome = add(google, tmp_path, "Tokenizers\n\nwordpiece\n")
    assert outcome.status == 0, outcome.stderr
    assert f"{tmp_path}/words.txt:1: Tokenizers is added as the tokenizer gives it: tokenizers" in outcome.stderr
    tokens = (tmp_path / "new" / "vocab.txt").read_text().splitlines()
    assert tokens == [OLD.tokens[0], "tokenizers", "wordpiece", *OLD.tokens[3:]]
    assert (tmp_path / "new" / "bert_config.json").read_bytes() == (google / "bert_config.json").read_bytes()
    before = numpy_bert.read_variables(google / "bert_model.ckpt")
    after = numpy_bert.read_variables(tmp_path / "new" / "bert_model.ckpt")
    assert before.keys() == after.keys()
    for name in before:
        if name in (EMBEDDINGS, BIAS):
            check_rows(before, after, {1: "tokenizers", 2: "wordpiece"}, name)
        else:
            np.testing.assert_array_equal(after[name], before[name])
    rows = [line.split("\t") for line in (tmp_path / "new" / "added_words.tsv").read_text().splitlines()]
    pieces = " ".join(reference_tokenizer.tokens("tokenizers", OLD.ids, lower_case=True))
    assert rows[0] == ["tokenizers", "1", pieces]
    assert Tokenizer(Vocabulary.from_file(str(tmp_path / "new")), True).tokenize("TOKENIZERS") == ["tokenizers"]


def test_words_are_appended(google, tmp_path):
    outcome = add(google, tmp_path, "".join(f"zz{letter}\n" for letter in "abcdefghijkl"), "--append")
    assert outcome.status == 0, outcome.stderr
    assert json.loads((tmp_path / "new" / "bert_config.json").read_text())["vocab_size"] == 485
    assert (tmp_path / "new" / "vocab.txt").read_text().splitlines()[:474] == [*OLD.tokens, "zza"]
    before = numpy_bert.read_variables(google / "bert_model.ckpt")
    after = numpy_bert.read_variables(tmp_path / "new" / "bert_model.ckpt")
    assert after[EMBEDDINGS].shape == (485, 32)
    check_rows(before, after, {473 + number: f"zz{letter}" for number, letter in enumerate("abcdefghijkl")}, BIAS)


@pytest.mark.parametrize("append", [True, False])
def test_a_pre_training_goes_on_in_the_new_folder(trained, append, tmp_path):
    flags = {"vocab_file": commands.VOCABULARY, "append": append}
    outcome = add(trained, tmp_path, "wordpiece\ntokenizers", **flags)
    assert outcome.status == 0, outcome.stderr
    new, places = tmp_path / "new", {473 if append else 1: "wordpiece", 474 if append else 2: "tokenizers"}
    before = numpy_bert.read_variables(trained / "model.ckpt-4")
    after = numpy_bert.read_variables(new / "model.ckpt-4")
    assert before.keys() == after.keys()
    for name, slot in itertools.product((EMBEDDINGS, BIAS), SLOTS):
        check_rows(before, after, places, name + slot)
    outcome = run(
        "run_pretraining",
        "--do_train",
        "--do_eval",
        input_file=records_with(new / "vocab.txt", tmp_path),
        output_dir=new,
        bert_config_file=new,
        num_train_steps=6,
        num_warmup_steps=1,
        train_batch_size=4,
        **PRETRAINING,
    )
    # The run remembers the digest of the vocabulary of its records, and takes those of the new one.
    assert outcome.status == 0, outcome.stderr
    assert "Going on from" in outcome.stderr
    assert commands.results(new)["global_step"] == "6"
    moved = numpy_bert.read_variables(new / "model.ckpt-6")[EMBEDDINGS][list(places)]
    assert not np.array_equal(moved, after[EMBEDDINGS][list(places)])


def test_a_classifier_starts_from_the_new_folder_and_is_given_words_itself(google, golden, tmp_path, folder):
    assert add(google, tmp_path, "wordpiece\n", "--append").status == 0
    rows = "text\tlabel\n" + "the wordpiece is good\tgood\nthe company said no\tbad\n" * 8
    data = folder(train=rows, dev=rows, test=rows)
    first = tmp_path / "new"
    flags = {"task_name": "table", "data_dir": data, "max_seq_length": 16, "train_batch_size": 8}
    model = {"vocab_file": first / "vocab.txt", "bert_config_file": first / "bert_config.json"}
    outcome = commands.run(
        "run_classifier",
        "--do_train",
        "--do_eval",
        **{**flags, **model, "init_checkpoint": first / "bert_model.ckpt", "output_dir": tmp_path / "output"},
    )
    assert outcome.status == 0, outcome.stderr
    outcome = add(tmp_path / "output", tmp_path, "tokenizers\n", output_dir=tmp_path / "again")
    assert outcome.status == 0, outcome.stderr
    shutil.move(tmp_path / "again", tmp_path / "moved")
    again = tmp_path / "moved"
    model = {"vocab_file": again, "bert_config_file": again, "output_dir": again}
    outcome = commands.run("run_classifier", "--do_eval", "--do_predict", **flags, **model)
    assert outcome.status == 0, outcome.stderr
    # No text has the new word, so the answers are the old ones.
    assert commands.results(again) == commands.results(tmp_path / "output")
    outcome = run("convert", model_dir=again, output_dir=tmp_path / "theirs")
    assert outcome.status == 0, outcome.stderr


def test_other_commands_take_the_new_folder(google, tmp_path):
    """The word is one piece, whose vector is the mean; a mask is filled; a pre-training starts from it."""
    assert add(google, tmp_path, "wordpiece\n", "--append").status == 0
    new = tmp_path / "new"
    model = {"vocab_file": new / "vocab.txt", "bert_config_file": new, "init_checkpoint": new / "bert_model.ckpt"}
    for name, text in (("text.txt", "the Wordpiece\n"), ("masked.txt", "the [MASK] wordpiece [MASK]\n")):
        (tmp_path / name).write_text(text)
    outcome = run(
        "extract_features",
        **model,
        input_file=tmp_path / "text.txt",
        output_file=tmp_path / "vectors.jsonl",
        layers="-1",
    )
    assert outcome.status == 0, outcome.stderr
    found = json.loads((tmp_path / "vectors.jsonl").read_text())["features"]
    assert [feature["token"] for feature in found] == ["[CLS]", "the", "wordpiece", "[SEP]"]
    bert = numpy_bert.Bert(numpy_bert.read_variables(google / "bert_model.ckpt"), heads=2)
    table = bert.v[EMBEDDINGS]
    ids = np.array([[OLD.cls_id, OLD.ids["the"], len(OLD), OLD.sep_id]])
    bert.v[EMBEDDINGS] = np.concatenate([table, [table[pieces_of("wordpiece")].mean(axis=0)]])
    batch = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    expected = bert.encode(batch)[0][0]
    np.testing.assert_allclose([feature["layers"][0]["values"] for feature in found], expected, atol=1e-5)
    outcome = run(
        "predict",
        model_dir=new,
        do_lower_case=True,
        input_file=tmp_path / "masked.txt",
        output_file=tmp_path / "filled.txt",
    )
    assert outcome.status == 0, outcome.stderr
    assert "by its vocabulary" not in outcome.stderr  # it was told
    assert len((tmp_path / "filled.txt").read_text().split("\t")) == 2
    outcome = run(
        "run_pretraining",
        "--do_train",
        **{name: path for name, path in model.items() if name != "vocab_file"},
        input_file=records_with(new / "vocab.txt", tmp_path),
        output_dir=tmp_path / "pretraining",
        num_train_steps=1,
        train_batch_size=4,
        **PRETRAINING,
    )
    assert outcome.status == 0, outcome.stderr


def test_a_hugging_face_folder_becomes_one_like_googles(tmp_path):
    model = folders.copy("pretraining", tmp_path)
    config = json.loads((model / "config.json").read_text())
    folders.write_vocabulary(model, config["vocab_size"])
    outcome = add(model, tmp_path, "Wordpiece\n", "--append", do_lower_case=False)
    assert outcome.status == 0, outcome.stderr
    after = numpy_bert.read_variables(tmp_path / "new" / "bert_model.ckpt")
    # With no pieces of it in the vocabulary it was unknown.
    np.testing.assert_array_equal(after[EMBEDDINGS][-1], after[EMBEDDINGS][1])
    assert json.loads((tmp_path / "new" / "bert_config.json").read_text())["hidden_act"] == "gelu_exact"


def test_words_are_found_in_a_text(google, tmp_path):
    """`aarhus` (2 saved) and `zyzyx` (4) are told by their occurrences times what they save; 77777 is a number."""
    counts = {"aarhus": 9, "zyzyx": 6, "naïve-café": 7, "77777": 30, "rare-zqzq": 1, "the": 50}
    saved = {word: len(pieces_of(word)) - 1 for word in ("aarhus", "zyzyx", "naive", "cafe")}
    text = "".join(f"{word}\n" * count for word, count in counts.items())
    (tmp_path / "field.txt").write_text(text, encoding="utf-8")
    flags = {"input_file": tmp_path / "field.txt", "model_dir": google, "output_dir": tmp_path / "new"}
    flags["do_lower_case"] = True
    outcome = run("add_words", **flags, max_words=3)
    assert outcome.status == 0, outcome.stderr
    times = {"aarhus": 9, "zyzyx": 6, "naive": 7, "cafe": 7}
    expected = sorted(saved, key=lambda word: (-times[word] * saved[word], word))[:3]
    assert Vocabulary.from_file(str(tmp_path / "new")).tokens[1:4] == tuple(expected)
    again = run("add_words", **{**flags, "output_dir": tmp_path / "again"}, max_words=3)
    assert again.status == 0, again.stderr
    assert commands.listing(tmp_path / "new") == commands.listing(tmp_path / "again")
    outcome = run("add_words", **{**flags, "output_dir": tmp_path / "none"}, min_word_count=60)
    assert outcome.error == "--input_file: no word is split that occurs at least --min_word_count=60 times"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "the\nnew york\n新冠\nco-op\n",
            "2: 'new york' is no single word to the tokenizer, which splits it into 2: new york (a space separates "
            "words); 2 other words are refused, too",
        ),
        ("新冠\n", "1: '新冠' is no single word to the tokenizer, which splits it into 2: 新 冠 (every Chinese"),
        ("co-op\n", "1: 'co-op' is no single word to the tokenizer, which splits it into 3: co - op (punctuation is"),
        ("[MASK]\n", "1: '[MASK]' is no single word to the tokenizer, which splits it into 3: [ mask ] (punctuation"),
        ("##ing\n", "1: '##ing' is no single word to the tokenizer, which splits it into 3: # # ing (punctuation"),
        ("\u200b\n", "1: '\u200b' is empty when the tokenizer has cleaned it"),
        ("x" * 201, f"1: '{'x' * 60}...' has more than 200 characters, so it is always [UNK]"),
        ("ไ" * 100, f"1: '{'ไ' * 60}...' has 300 bytes in UTF-8, expected at most 256"),
    ],
)
def test_a_word_that_can_be_no_piece_is_refused(words, message, google, tmp_path):
    assert add(google, tmp_path, words).error.startswith(f"{tmp_path}/words.txt:{message}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["words.txt"]


def test_other_refusals(google, trained, tmp_path):
    assert (
        add(google, tmp_path, "\n \n").error == f"--words_file: {tmp_path}/words.txt has no words, expected one a line"
    )
    told = add(google, tmp_path, "the\nTHE\n").error
    assert told == f"nothing to add: all 1 words are in {google}/vocab.txt already"
    told = add(google, tmp_path, "".join(f"zz{letter}\n" for letter in "abcdefgh")).error
    assert told == f"8 words, but {google}/vocab.txt has 7 unused entries; give fewer, or --append the words"
    assert add(google, tmp_path, "zz\n", words_file="").error == "expected either --words_file or --input_file"
    assert add(google, tmp_path, "zz\n", input_file=tmp_path).error == "expected either --words_file or --input_file"
    told = add(trained, tmp_path, "zz\n", vocab_file="nowhere").error
    assert told == "--vocab_file: the vocabulary nowhere does not exist, give the one of this model"
    assert "vocab_file" in add(trained, tmp_path, "zz\n").error
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").touch()
    assert add(google, tmp_path, "zz\n").error.endswith("new is not empty, expected a new folder")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]


def test_folders_that_hold_no_model_are_refused(google, tmp_path):
    empty, graph = tmp_path / "empty", tmp_path / "graph"
    empty.mkdir()
    assert add(tmp_path / "nowhere", tmp_path, "zz\n").error == f"--model_dir: {tmp_path}/nowhere is no folder"
    assert add(empty, tmp_path, "zz\n").error == (
        f"--model_dir: no model in {empty}, expected bert_config.json (Google) or config.json (Hugging Face) beside "
        "the weights"
    )
    for name in ("bert_config.json", "vocab.txt"):
        shutil.copy(google / name, empty)
    assert add(empty, tmp_path, "zz\n").error.startswith(
        f"--model_dir: no model in {empty}, expected model.safetensors"
    )
    shutil.copytree(empty, graph)
    (graph / "model.onnx").touch()
    (graph / "export.json").write_text('{"kind": "encoder", "max_seq_length": 32, "do_lower_case": true}')
    told = add(graph, tmp_path, "zz\n").error
    assert told == f"{graph}/model.onnx: has no 'bert/embeddings/word_embeddings', expected the weights of a BERT"
    told = add(graph, tmp_path, "zz\n", do_lower_case=False).error
    assert told == f"--do_lower_case is False, but by its folder {graph} the model has True"
    before = commands.listing(google)
    assert add(google, tmp_path, "zz\n", output_dir=google).error == (
        f"--output_dir: {google} is not empty, expected a new folder"
    )
    assert commands.listing(google) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "graph", "words.txt"]


def test_files_that_hold_no_words_are_refused(google, tmp_path):
    field = tmp_path / "field.txt"
    flags = {"model_dir": google, "output_dir": tmp_path / "new", "do_lower_case": True}
    field.touch()
    assert run("add_words", **flags, input_file=field).error == f"--input_file: no words in {field}"
    field.write_bytes("café\n".encode("latin-1"))
    for name in ("input_file", "words_file"):
        told = run("add_words", **flags, **{name: field}).error
        assert told == f"{field}:1: not UTF-8: byte 0xe9 at offset 3 of the line"
    assert not (tmp_path / "new").exists()


def test_a_word_may_be_a_sign_that_was_unknown(google, tmp_path):
    assert add(google, tmp_path, "\ufeff😀\r\n").status == 0
    after = numpy_bert.read_variables(tmp_path / "new" / "bert_model.ckpt")
    np.testing.assert_array_equal(after[EMBEDDINGS][1], after[EMBEDDINGS][OLD.unk_id])
    assert Tokenizer(Vocabulary.from_file(str(tmp_path / "new")), True).tokenize("the 😀") == ["the", "😀"]


def test_known_words_are_passed_over(google, tmp_path):
    outcome = add(google, tmp_path, "the\nzz\nZZ\n")
    assert outcome.status == 0, outcome.stderr
    assert "In the vocabulary already: the" in outcome.stderr
    assert Vocabulary.from_file(str(tmp_path / "new")).tokens[1:3] == ("zz", "[unused2]")


def test_a_damaged_checkpoint_leaves_nothing(google, tmp_path):
    model = shutil.copytree(google, tmp_path / "model")
    path = model / "bert_model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{model}/bert_model.ckpt" in add(model, tmp_path, "zz\n").error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "words.txt"]
