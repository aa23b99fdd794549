"""Folders of tiny trained models, a kind each, as the commands leave them; what the commands predicted lies in them."""

import pathlib
import random
from collections.abc import Sequence

import numpy as np

from bert import checkpoint
from tests import commands

WORDS = ("the", "company", "said", "no", "after", "bell", "and", "in", "new", "trade", "group", "of", "old", "her")
LENGTH = 32
SPREAD = {"initializer_range": 0.3, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def sentence(generator: random.Random, words: int) -> str:
    return " ".join(generator.choice(WORDS) for _ in range(words))


def texts(count: int, seed: int = 7) -> list[str]:
    """Texts of 1 to 50 words, some longer than a row of the models here."""
    generator = random.Random(seed)
    return [sentence(generator, generator.randint(1, 50)) for _ in range(count)]


def _flags(folder: pathlib.Path, **sizes: int) -> dict[str, object]:
    return {
        "vocab_file": commands.VOCABULARY,
        "bert_config_file": commands.write_config(folder, **SPREAD, **sizes),
        "output_dir": folder / "output",
        "max_seq_length": LENGTH,
        "train_batch_size": 8,
        "learning_rate": 1e-5,
        "num_train_epochs": 1,
    }


def _head(folder: pathlib.Path, prefix: str, size: int) -> dict[str, object]:
    """Flags to start from a checkpoint of a head alone, whose weights are large: so answers differ between texts."""
    generator = np.random.default_rng(1)
    values = {
        "output_weights": generator.normal(size=[size, commands.TINY["hidden_size"]]),
        "output_bias": [0.0] * size,
    }
    named = {f"{prefix}{name}": np.float32(value) for name, value in values.items()}
    checkpoint.write_variables(str(folder / "head.ckpt"), named)
    return {"init_checkpoint": folder / "head.ckpt", "allow_partial_checkpoint": True}


def classifier(folder: pathlib.Path, labels: list[str], pairs: list[tuple[str, str]], **flags: object) -> pathlib.Path:
    """Trains on texts with these labels in turn, and predicts the pairs, of which the second text may be empty."""
    lines = [f"{text}\t{labels[index % len(labels)]}\n" for index, text in enumerate(texts(24))]
    (folder / "train.tsv").write_text("text\tlabel\n" + "".join(lines))
    (folder / "test.tsv").write_text("text\ttext_b\n" + "".join(f"{a}\t{b}\n" for a, b in pairs))
    classes = {name for label in labels for name in label.split("|") if name}
    size = 1 if all(name[0].isdigit() for name in classes) else len(classes)
    flags = {**_flags(folder), **_head(folder, "", size), "task_name": "table", "data_dir": folder, **flags}
    return _trained("run_classifier", folder, flags)


def questions(folder: pathlib.Path, data: pathlib.Path, tokens: Sequence[str], **flags: object) -> pathlib.Path:
    """Trains on a SQuAD file and predicts it, with a vocabulary of these tokens and windows of 64 WordPieces."""
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    flags = {**_flags(folder, vocab_size=len(tokens)), "train_file": data, "predict_file": data, **flags}
    flags |= _head(folder, "cls/squad/", 2)
    flags |= {"vocab_file": folder / "vocab.txt", "max_seq_length": 64, "doc_stride": 20, "max_query_length": 24}
    return _trained("run_squad", folder, flags)


def tagger(folder: pathlib.Path, **flags: object) -> pathlib.Path:
    """Trains on names in BIO and tags test.txt, whose sentences are up to 50 words long."""
    for name, seed in (("train", 1), ("test", 2)):
        sentences = [text.split() for text in texts(12, seed)]
        lines = ["".join(f"{word} {_tag(word, index)}\n" for index, word in enumerate(words)) for words in sentences]
        (folder / f"{name}.txt").write_text("\n".join(lines))
    return _trained("run_tagger", folder, {**_flags(folder), **_head(folder, "", 4), "data_dir": folder, **flags})


def _tag(word: str, index: int) -> str:
    return {"company": "B-ORG", "group": "I-ORG" if index else "B-ORG", "new": "B-LOC"}.get(word, "O")


def retrieval(folder: pathlib.Path, **flags: object) -> pathlib.Path:
    """The index of an encoder that is not trained further: two questions for each of ten answers, and a dev set that
    asks for two of them, and for one that is not there."""
    lines = [f"{text}\tanswer {row // 2}\tthe text of {row // 2}\n" for row, text in enumerate(texts(20))]
    (folder / "faq.tsv").write_text("question\tanswer_id\tanswer\n" + "".join(lines))
    (folder / "dev.tsv").write_text("text\tanswer_id\nthe company\tanswer 1\nsaid no\tanswer 2\nno no no\t\n")
    (start := folder / "start").mkdir()
    own = {**_flags(folder), "init_checkpoint": pretrained(start), "knowledge_file": folder / "faq.tsv"}
    own = {name: value for name, value in own.items() if name not in ("train_batch_size", "num_train_epochs")}
    flags = {**own, "bert_config_file": start / "bert_config.json", "dev_file": folder / "dev.tsv", **flags}
    outcome = commands.run("bert.commands.run_retrieval", "--do_index", "--do_eval", **flags)
    assert outcome.status == 0, outcome.stderr
    return folder / "output"


def pretrained(folder: pathlib.Path) -> pathlib.Path:
    """One step of pre-training."""
    records = commands.write_records(folder / "records", commands.golden_rows("small_both")[:8])
    flags = {name: value for name, value in _flags(folder).items() if name not in ("vocab_file", "num_train_epochs")}
    flags |= {"input_file": records, "num_train_steps": 1, "max_predictions_per_seq": 5}
    outcome = commands.run("run_pretraining", "--do_train", **flags)
    assert outcome.status == 0, outcome.stderr
    return folder / "output"


def _trained(script: str, folder: pathlib.Path, flags: dict[str, object]) -> pathlib.Path:
    outcome = commands.run(script, "--do_train", "--do_predict", **flags)
    assert outcome.status == 0, outcome.stderr
    return folder / "output"
