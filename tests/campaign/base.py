"""What is attacked: every command on tiny models and data, and how each ends when nobody disturbs it."""

import contextlib
import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import pickle
import random
import re
import shutil
import signal
import time
from collections.abc import Callable

import numpy as np

from bert import checkpoint
from tests import commands
from tests.campaign import children
from tests.campaign.children import Child, Ended

SECONDS = 180  # the longest any tiny command may take, on a busy machine
OUTPUT = "out"
WORDS = ("the", "company", "said", "no", "after", "bell", "and", "in", "new", "trade", "group", "of", "old", "her")


@dataclasses.dataclass(frozen=True)
class Target:
    """A command to attack: its flags, all paths relative to its folder, and the files it reads.

    `inputs` are name -> the other names that a message about it may give; `state` are globs of what a run that was
    killed goes on from; `seed_flag` is None where nothing is drawn; `has_script`: it can be started as a script and
    keeps others out of its output; `makes_folder`: it makes a folder that must be new, so what an earlier run has
    finished is taken away; `undisturbed`, `seconds`: what the base found out.
    """

    name: str
    script: str
    flags: dict[str, object]
    inputs: dict[str, tuple[str, ...]]
    state: tuple[str, ...] = ()
    seed_flag: str | None = "seed"
    has_script: bool = True
    makes_folder: bool = False
    undisturbed: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    @property
    def trains(self) -> bool:
        return bool(self.state)

    def arguments(self, **changes: object) -> list[str]:
        return [f"--{name}={value}" for name, value in {**self.flags, **changes}.items()]

    def clear(self, folder: pathlib.Path, **changes: object) -> None:
        """Makes room for another run where one is needed."""
        if self.makes_folder:
            shutil.rmtree(folder / str({**self.flags, **changes}["output_dir"]), ignore_errors=True)

    def run(self, folder: pathlib.Path, **options) -> Ended:
        self.clear(folder)
        return children.run(self.script, self.arguments(), folder, SECONDS, **options)

    def start(self, folder: pathlib.Path, **changes: object) -> Child:
        self.clear(folder, **changes)
        return Child(self.script, self.arguments(**changes), folder)


def outcome(folder: pathlib.Path) -> dict[str, str]:
    """What a run came to: digests of weights, records, predictions and results; not of what tells times and places.

    Raises what reading damaged files raises: a run that ended well has none.
    """
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if path.suffix == ".jsonl":
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            content = repr([(line["step"], line["loss"]) for line in lines]).encode()
        elif path.name in ("run.json", "checkpoint") or any(part in name for part in ("tfevents", ".lock", ".ckpt-")):
            continue
        else:
            content = path.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
    for prefix in {_last_checkpoint(place) for place in (folder, folder / "best")} - {None}:
        values = checkpoint.read_values(str(prefix), checkpoint.read_shapes(str(prefix)))
        if not all(np.isfinite(value).all() for value in values.values()):
            raise ValueError(f"{prefix} holds what is no number")
        content = b"".join(name.encode() + values[name].tobytes() for name in sorted(values))
        found[str(prefix.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def _last_checkpoint(folder: pathlib.Path) -> pathlib.Path | None:
    steps = [int(found[1]) for path in folder.glob("*.index") if (found := re.search(r"-(\d+)\.index$", path.name))]
    return folder / f"model.ckpt-{max(steps)}" if steps else None


class Base:
    """The targets by name, in a folder `FOLDER/NAME/fresh`; of those that train, halfway through in `.../halfway`."""

    def __init__(self, folder: pathlib.Path, quick: bool = False):
        """`quick`: always attack the target of those that fit which takes the least time."""
        self.folder, self.quick = folder, quick
        paths = sorted(folder.glob("*/target.pickle"))
        self.targets: dict[str, Target] = {path.parent.name: pickle.loads(path.read_bytes()) for path in paths}

    def pick(self, generator: random.Random, wanted: Callable[[Target], bool] = lambda _: True) -> Target:
        fitting = [target for _, target in sorted(self.targets.items()) if wanted(target)]
        return min(fitting, key=lambda target: target.seconds) if self.quick else generator.choice(fitting)

    @contextlib.contextmanager
    def copy(self, target: Target, halfway: bool = False):
        """A copy to spoil; it is gone afterwards."""
        place = self.folder / "attempts" / f"{os.getpid()}-{time.monotonic_ns()}"
        shutil.copytree(self.folder / target.name / ("halfway" if halfway else "fresh"), place)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


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


HALFWAY = 4


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


def _prediction(folder: pathlib.Path) -> Target:
    """Lines answered by a model that the target `classification` would train."""
    training = _classification(folder)
    flags = {**training.flags, "output_dir": "model", "num_train_epochs": 0.5, "do_eval": False, "eval_every_steps": 0}
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    ended = children.run(training.script, arguments, folder, SECONDS)
    if ended.status != 0:
        raise RuntimeError(ended.stderr)
    for path in (*folder.glob("*.tsv"), *(folder / name for name in ("dev.csv", "bert_config.json", "vocab.txt"))):
        path.unlink()
    flags = {"model_dir": "model", "input_file": "test.jsonl", "output_file": f"{OUTPUT}/answers.tsv"}
    inputs = {
        "test.jsonl": ("--input_file",),
        **{f"model/{name}": ("model/", "--vocab_file", "--max_seq_length") for name in MODEL_FILES},
    }
    return Target("prediction", "predict", flags, inputs, seed_flag=None, has_script=False)


MODEL_FILES = ("run.json", "labels.json", "vocab.txt", "model.ckpt-2.index", "model.ckpt-2.data-00000-of-00001")


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


def _words(folder: pathlib.Path) -> Target:
    """A folder like Google's downloads, with weights of the original's, and a list of words for it."""
    for path in (commands.TESTS / "golden" / "model" / "micro").glob("model.ckpt.*"):
        shutil.copy(path, folder / f"bert_{path.name}")
    shutil.copy(commands.TESTS / "golden" / "model" / "micro" / "bert_config.json", folder)
    tokens = commands.VOCABULARY.read_text().splitlines()[:100]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    (folder / "words.txt").write_text("wordpiece\ntokenizers\nzyzyx\n")
    flags = {"model_dir": ".", "output_dir": f"{OUTPUT}/model", "words_file": "words.txt", "do_lower_case": True}
    both = ("vocab.txt", "bert_config.json", "config.json", "bert_model.ckpt", "--model_dir", "--vocab_file")
    data = "bert_model.ckpt.data-00000-of-00001"
    inputs = dict.fromkeys(("vocab.txt", "bert_config.json", "bert_model.ckpt.index", data), both)
    inputs |= {"words.txt": ("--words_file", "vocab.txt"), "vocab.txt": (*both, "words.txt")}
    return Target("words", "add_words", flags, inputs, seed_flag=None, makes_folder=True)


MAKERS: dict[str, Callable[[pathlib.Path], Target]] = {
    "exact": _exact,
    "streaming": _streaming,
    "pretraining": _pretraining,
    "planned": _planned,
    "classification": _classification,
    "questions": _questions,
    "tagging": _tagging,
    "prediction": _prediction,
    "features": _features,
    "vocabulary": _vocabulary,
    "words": _words,
}
