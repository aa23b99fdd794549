"""The targets: every command with a tiny model and data, ready to be attacked."""

import dataclasses
import gzip
import json
import pathlib
import pickle
import random
import shutil
import signal
from collections.abc import Callable

from bert.formats import tokenizers
from bert.tokenization import MAX_WORD_CHARACTERS
from tests import commands
from tests.campaign import children
from tests.campaign.base import OUTPUT, SECONDS, Target, outcome

HALFWAY = 4  # steps
WORDS = ("the", "company", "said", "no", "after", "bell", "and", "in", "new", "trade", "group", "of", "old", "her")


def set_up(folder: pathlib.Path, name: str) -> None:
    """Makes a target's files and runs it undisturbed. Raises RuntimeError where it does not end well."""
    fresh = folder / name / "fresh"
    (fresh / OUTPUT).mkdir(parents=True)
    target: Target = MAKERS[name](fresh)
    whole = shutil.copytree(fresh, folder / name / "whole")
    ended = target.run(whole)
    if ended.status != 0:
        raise RuntimeError(f"the undisturbed run fails: {ended.command}\n{ended.stderr}")
    target = dataclasses.replace(target, undisturbed=outcome(whole / OUTPUT), seconds=ended.seconds)
    if target.trains:
        halfway = shutil.copytree(fresh, folder / name / "halfway")
        child = target.start(halfway)
        child.wait_until((halfway / OUTPUT / f"model.ckpt-{HALFWAY}.index").exists, SECONDS)
        child.send(signal.SIGTERM)  # saved and ended between two steps
        child.end(SECONDS)
    (folder / name / "target.pickle").write_bytes(pickle.dumps(target))


def _model(folder: pathlib.Path) -> dict[str, object]:
    shutil.copy(commands.VOCABULARY, folder / "vocab.txt")
    commands.write_config(folder, hidden_size=16, intermediate_size=32, num_hidden_layers=1)
    return {"vocab_file": "vocab.txt", "bert_config_file": "bert_config.json"}


MODEL_INPUTS = {
    "vocab.txt": ("--vocab_file", "--bert_config_file"),
    "bert_config.json": ("--bert_config_file", "--max_seq_length"),
}
RUN_STATE = ("run.json", "metrics.jsonl", "checkpoint", "model.ckpt-*")
EVALUATED_STATE = (*RUN_STATE, "evaluations.jsonl", "best/checkpoint", "best/model.ckpt-*")


def _sentence(generator: random.Random) -> str:
    return " ".join(generator.choice(WORDS) for _ in range(generator.randint(3, 9)))


def _exact(folder: pathlib.Path) -> Target:
    shutil.copy(commands.VOCABULARY, folder / "vocab.txt")
    shutil.copy(commands.TESTS / "golden" / "sample_text.txt", folder / "text.txt")
    flags = {
        "input_file": "text.txt",
        "output_file": f"{OUTPUT}/records.tfrecord",
        "vocab_file": "vocab.txt",
        "max_seq_length": 32,
        "max_predictions_per_seq": 5,
        "dupe_factor": 3,
    }
    inputs = {"vocab.txt": ("--vocab_file",), "text.txt": ("--input_file",)}
    return Target("exact", "create_pretraining_data", flags, inputs, seed_flag="random_seed")


def _streaming(folder: pathlib.Path) -> Target:
    shutil.copy(commands.VOCABULARY, folder / "vocab.txt")
    generator = random.Random(1)
    texts = [". ".join(_sentence(generator).capitalize() for _ in range(20)) + "." for _ in range(40)]
    lines = [json.dumps({"text": text}) + "\n" for text in texts]
    (folder / "one.jsonl").write_text("".join(lines[:20]))
    (folder / "two.jsonl.gz").write_bytes(gzip.compress("".join(lines[20:]).encode(), mtime=0))
    flags = {
        "input_file": "one.jsonl,two.jsonl.gz",
        "input_format": "jsonl",
        "output_file": f"{OUTPUT}/records.tfrecord",
        "vocab_file": "vocab.txt",
        "num_workers": 2,
        "shard_size_mb": 0.05,
        "block_size_mb": 0.005,
        "max_seq_length": 32,
        "max_predictions_per_seq": 5,
    }
    inputs = {"vocab.txt": ("--vocab_file",), "one.jsonl": ("--input_file",), "two.jsonl.gz": ("--input_file",)}
    return Target("streaming", "create_pretraining_data", flags, inputs, seed_flag="random_seed")


def _training() -> dict[str, object]:
    return {
        "output_dir": OUTPUT,
        "do_train": True,
        "do_eval": True,
        "train_batch_size": 8,
        "save_checkpoints_steps": 2,
        "eval_every_steps": 2,
        "iterations_per_loop": 1,
    }


def _pretraining(folder: pathlib.Path, **making: object) -> Target:
    """`making`: further flags of create_pretraining_data."""
    model = _model(folder)
    made = {"max_seq_length": 32, "max_predictions_per_seq": 5}
    shutil.copy(commands.TESTS / "golden" / "sample_text.txt", folder / "text.txt")
    making = {**made, "vocab_file": "vocab.txt", "dupe_factor": 3, **making}
    arguments = [f"--{name}={value}" for name, value in making.items()]
    arguments += ["--input_file=text.txt", "--output_file=records.tfrecord"]
    ended = children.run("create_pretraining_data", arguments, folder, SECONDS)
    if ended.status != 0:
        raise RuntimeError(ended.stderr)
    flags = {**_training(), **made, "input_file": "records.tfrecord", "num_train_steps": 8, "num_warmup_steps": 2}
    flags["bert_config_file"] = model["bert_config_file"]
    inputs = {
        "bert_config.json": ("--bert_config_file", "--max_seq_length", "records.tfrecord"),
        "records.tfrecord": ("--input_file",),
        "records.tfrecord.json": ("--input_file", "records.tfrecord", "--max_seq_length", "--max_predictions_per_seq"),
    }
    return Target("pretraining", "run_pretraining", flags, inputs, EVALUATED_STATE)


def _planned(folder: pathlib.Path) -> Target:
    """Masks drawn anew, and a plan that is always the same: more steps than `num_train_steps` would fit."""
    target = _pretraining(folder, dupe_factor=1, do_whole_word_mask=True, write_word_starts=True)
    flags = {**target.flags, "dynamic_masking": True, "train_minutes": 3}
    return dataclasses.replace(target, name="planned", flags=flags)


TASK = '''"""A task of its own, which is not asked for."""

from bert.tasks import InputExample, Task, register


@register
class Shouting(Task):
    name = "shouting"
    labels = ("calm", "loud")

    def example(self, row, split):
        return InputExample(f"{split}-{row.number}", row["words"], label=row["mood"])
'''


def _classification(folder: pathlib.Path) -> Target:
    generator = random.Random(2)
    rows = [(_sentence(generator), generator.choice(("good", "bad"))) for _ in range(56)]
    (folder / "train.tsv").write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows[:32]))
    (folder / "dev.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows[32:44]))
    (folder / "test.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text, _ in rows[44:]))
    (folder / "weights.tsv").write_text("good\t1.5\nbad\t0.5\n")
    (folder / "my_task.py").write_text(TASK)
    flags = {**_model(folder), **_training(), "do_predict": True, "task_name": "table", "data_dir": "."}
    flags |= {"train_file": "train.tsv", "dev_file": "dev.csv", "test_file": "test.jsonl"}
    flags |= {"class_weights": "weights.tsv", "task_file": "my_task.py", "max_seq_length": 16, "num_train_epochs": 2}
    tables = ("train.tsv", "dev.csv", "test.jsonl", "weights.tsv", "--label_column", "--text_column")
    inputs = {**MODEL_INPUTS, **dict.fromkeys(tables[:4], tables), "my_task.py": ("--task_file",)}
    return Target("classification", "run_classifier", flags, inputs, (*EVALUATED_STATE, "labels.json"))


def _questions(folder: pathlib.Path) -> Target:
    shutil.copy(commands.TESTS / "golden" / "squad" / "v2.json", folder / "train.json")
    shutil.copy(folder / "train.json", folder / "predict.json")
    flags = {**_model(folder), **_training(), "do_predict": True, "do_eval": False, "eval_every_steps": 0}
    flags |= {"train_file": "train.json", "predict_file": "predict.json", "version_2_with_negative": True}
    flags |= {"max_seq_length": 96, "num_train_epochs": 7, "predict_batch_size": 8}
    inputs = {**MODEL_INPUTS, "train.json": ("--train_file",), "predict.json": ("--predict_file",)}
    return Target("questions", "run_squad", flags, inputs, RUN_STATE)


def _tagging(folder: pathlib.Path) -> Target:
    generator = random.Random(3)
    for name, count in (("train", 32), ("dev", 12), ("test", 12)):
        sentences = [_sentence(generator).split() for _ in range(count)]
        text = "\n".join(
            "".join(f"{word} {'B-X' if word in ('company', 'group') else 'O'}\n" for word in sentence)
            for sentence in sentences
        )
        (folder / f"{name}.txt").write_text(text)
    flags = {**_model(folder), **_training(), "do_predict": True, "data_dir": ".", "max_seq_length": 16}
    flags |= {"num_train_epochs": 2}
    files = ("train.txt", "dev.txt", "test.txt", "--tag_column", "--token_column")
    inputs = {**MODEL_INPUTS, **dict.fromkeys(files[:3], files)}
    return Target("tagging", "run_tagger", flags, inputs, (*EVALUATED_STATE, "labels.json"))


def _retrieval(folder: pathlib.Path) -> Target:
    """Questions with five answers: the training, the index, and what is found in it."""
    generator = random.Random(5)
    rows = [(_sentence(generator), f"answer {number % 5}") for number in range(52)]
    for name, header, part in (
        ("faq", "question", rows[:32]),
        ("dev", "text", rows[32:44]),
        ("ask", "text", rows[44:]),
    ):
        lines = [f"{text}\t{answer}\ttext of {answer}\n" for text, answer in part]
        (folder / f"{name}.tsv").write_text(f"{header}\tanswer_id\tanswer\n" + "".join(lines))
    flags = {**_model(folder), **_training(), "do_index": True, "do_predict": True, "max_seq_length": 16}
    flags |= {"knowledge_file": "faq.tsv", "dev_file": "dev.tsv", "predict_file": "ask.tsv", "num_train_epochs": 2}
    flags |= {"hard_negatives": 1}
    files = ("faq.tsv", "dev.tsv", "ask.tsv", "--question_column", "--text_column", "--answer_column")
    inputs = {**MODEL_INPUTS, **dict.fromkeys(files[:3], files)}
    return Target("retrieval", "run_retrieval", flags, inputs, EVALUATED_STATE)


def _train(target: Target, folder: pathlib.Path, **changes: object) -> None:
    """Makes of the files of a target that trains a folder `model`, of two steps."""
    arguments = target.arguments(output_dir="model", num_train_epochs=0.5, **changes)
    ended = children.run(target.script, arguments, folder, SECONDS)
    if ended.status != 0:
        raise RuntimeError(ended.stderr)


def _prediction(folder: pathlib.Path) -> Target:
    """Lines answered by a model that the target `classification` would train."""
    _train(_classification(folder), folder, do_eval=False, eval_every_steps=0)
    for path in (*folder.glob("*.tsv"), *(folder / name for name in ("dev.csv", "bert_config.json", "vocab.txt"))):
        path.unlink()
    flags = {"model_dir": "model", "input_file": "test.jsonl", "output_file": f"{OUTPUT}/answers.tsv"}
    inputs = {
        "test.jsonl": ("--input_file",),
        **{f"model/{name}": ("model/", "--vocab_file", "--max_seq_length") for name in MODEL_FILES},
    }
    return Target("prediction", "predict", flags, inputs, seed_flag=None, has_script=False)


MODEL_FILES = ("run.json", "labels.json", "vocab.txt", "model.ckpt-2.index", "model.ckpt-2.data-00000-of-00001")


def _answers(folder: pathlib.Path) -> Target:
    """Lines answered by an index that the target `retrieval` would make."""
    _train(_retrieval(folder), folder)
    (folder / "questions.txt").write_text("".join(f"{_sentence(random.Random(number))}\n" for number in range(12)))
    for path in (*folder.glob("*.tsv"), folder / "bert_config.json"):
        path.unlink()
    flags = {"model_dir": "model", "input_file": "questions.txt", "output_file": f"{OUTPUT}/answers.tsv"}
    parts = ("run.json", "index/index.json", "index/vectors-1.npy", "index/questions-1.jsonl")
    inputs = {
        "vocab.txt": ("model/",),
        "questions.txt": ("--input_file",),
        **{f"model/{name}": ("model/", "vocab.txt", "--vocab_file", "--max_seq_length") for name in parts},
    }
    return Target("answers", "predict", flags, inputs, seed_flag=None, has_script=False)


def _features(folder: pathlib.Path) -> Target:
    micro = commands.TESTS / "golden" / "model" / "micro"
    shutil.copy(micro / "bert_config.json", folder / "bert_config.json")
    shutil.copy(commands.TESTS / "golden" / "features" / "vocab_micro.txt", folder / "vocab.txt")
    weights = ("model.ckpt.index", "model.ckpt.data-00000-of-00001")
    for name in weights:
        shutil.copy(micro / name, folder / name)
    generator = random.Random(4)
    (folder / "texts.txt").write_text("".join(f"{_sentence(generator)}\n" for _ in range(3000)))
    flags = {
        "input_file": "texts.txt",
        "output_file": f"{OUTPUT}/vectors.npz",
        "output_format": "npz",
        "layers": "-1",
        "pooling": "mean",
        "vocab_file": "vocab.txt",
        "bert_config_file": "bert_config.json",
        "init_checkpoint": "model.ckpt",
        "max_seq_length": 16,
    }
    inputs = {**MODEL_INPUTS, "texts.txt": ("--input_file",)}
    inputs |= dict.fromkeys(weights, ("model.ckpt", "--init_checkpoint"))
    return Target("features", "extract_features", flags, inputs, seed_flag=None)


def _vocabulary(folder: pathlib.Path) -> Target:
    shutil.copy(commands.TESTS / "golden" / "sample_text.txt", folder / "one.txt")
    text = "".join(f"{_sentence(random.Random(number))} 今天天气好\n" for number in range(60))
    (folder / "two.txt.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    flags = {"input_file": "one.txt,two.txt.gz", "output_file": f"{OUTPUT}/vocab.txt", "vocab_size": 700}
    inputs = dict.fromkeys(("one.txt", "two.txt.gz"), ("--input_file", "--vocab_size"))
    return Target("vocabulary", "build_vocabulary", flags, inputs, seed_flag=None)


def _google_folder(folder: pathlib.Path) -> dict[str, tuple[str, ...]]:
    """Makes the folder like Google's downloads, with weights of the original's; gives its files as inputs."""
    for path in (commands.TESTS / "golden" / "model" / "micro").glob("model.ckpt.*"):
        shutil.copy(path, folder / f"bert_{path.name}")
    shutil.copy(commands.TESTS / "golden" / "model" / "micro" / "bert_config.json", folder)
    tokens = commands.VOCABULARY.read_text().splitlines()[:100]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    both = ("vocab.txt", "bert_config.json", "config.json", "bert_model.ckpt", "--model_dir", "--vocab_file")
    data = "bert_model.ckpt.data-00000-of-00001"
    return dict.fromkeys(("vocab.txt", "bert_config.json", "bert_model.ckpt.index", data), both)


def _huggingface_folder(folder: pathlib.Path) -> dict[str, tuple[str, ...]]:
    """Makes the folder like one that transformers wrote, a classifier with its labels; gives its files as inputs."""
    for name in ("config.json", "model.safetensors"):
        shutil.copy(commands.TESTS / "golden" / "huggingface" / "classifier" / name, folder)
    tokenizers.write(str(folder), commands.VOCABULARY.read_text().splitlines()[:60], True, 20, MAX_WORD_CHARACTERS)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    files = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json")
    return dict.fromkeys(files, (*files, "--model_dir", "--vocab_file"))


def _words(folder: pathlib.Path) -> Target:
    inputs = _google_folder(folder)
    (folder / "words.txt").write_text("wordpiece\ntokenizers\nzyzyx\n")
    flags = {"model_dir": ".", "output_dir": f"{OUTPUT}/model", "words_file": "words.txt", "do_lower_case": True}
    inputs |= {"words.txt": ("--words_file", "vocab.txt"), "vocab.txt": (*inputs["vocab.txt"], "words.txt")}
    return Target("words", "add_words", flags, inputs, seed_flag=None, makes_folder=True)


def _to_google(folder: pathlib.Path) -> Target:
    inputs = _huggingface_folder(folder)
    flags = {"model_dir": ".", "output_dir": f"{OUTPUT}/model", "to": "google"}
    return Target("to_google", "convert", flags, inputs, seed_flag=None, makes_folder=True)


def _to_sentence_transformers(folder: pathlib.Path) -> Target:
    inputs = _google_folder(folder)
    flags = {"model_dir": ".", "output_dir": f"{OUTPUT}/model", "to": "sentence-transformers"}
    return Target("to_sentence_transformers", "convert", flags, inputs, seed_flag=None, makes_folder=True)


def _saved_model(folder: pathlib.Path) -> Target:
    inputs = _huggingface_folder(folder)
    flags = {"model_dir": ".", "export_dir": f"{OUTPUT}/model"}
    return Target("saved_model", "export_model", flags, inputs, seed_flag=None, makes_folder=True)


def _onnx(folder: pathlib.Path) -> Target:
    target = _saved_model(folder)
    return dataclasses.replace(target, name="onnx", flags={**target.flags, "format": "onnx"})


MAKERS: dict[str, Callable[[pathlib.Path], Target]] = {
    "exact": _exact,
    "streaming": _streaming,
    "pretraining": _pretraining,
    "planned": _planned,
    "classification": _classification,
    "questions": _questions,
    "tagging": _tagging,
    "retrieval": _retrieval,
    "prediction": _prediction,
    "answers": _answers,
    "features": _features,
    "vocabulary": _vocabulary,
    "words": _words,
    "to_google": _to_google,
    "to_sentence_transformers": _to_sentence_transformers,
    "saved_model": _saved_model,
    "onnx": _onnx,
}
