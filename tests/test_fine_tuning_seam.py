"""A kind of fine-tuning that the package does not have, made without touching it: choosing among N candidates."""

import dataclasses
import functools
import json
import math
import pathlib
import random

import numpy as np
import tensorflow as tf

from bert import cli
from bert.finetuning.base import FineTuning
from bert.finetuning.fine_tune import fine_tune
from bert.flags import FineTuningFlags
from bert.heads import HeadedModel
from bert.heads.base import ProjectedClasses, cross_entropy, weighted
from bert.measures import Measure, loss
from bert.records.kinds import Feature, RecordKind
from bert.tasks import InputExample
from bert.tasks.encoding import ClassificationRows
from bert.tasks.reports import Report
from tests import commands

N = 3  # candidates of a question


class ChoiceRows(ClassificationRows):
    """A question with each of its candidates: N rows of S in one record."""

    parts = ("input_ids", "input_mask", "segment_ids")
    features_of_kind = (*(Feature(name, "NS", "N rows", "V") for name in parts), Feature("right", 1, "index", N))
    record_kind = RecordKind("choice", features_of_kind)

    def __init__(self, questions, tokenizer, max_seq_length):
        pairs = [InputExample("", q["question"], text) for q in questions for text in q["candidates"]]
        super().__init__(pairs, ("",), tokenizer, max_seq_length)
        self.questions = questions

    def __len__(self):
        return len(self.questions)

    def features(self, begin, end):
        rows = super().features(N * begin, N * end)
        right = np.array([[q["right"]] for q in self.questions[begin:end]], np.int32)
        return {**{name: rows[name].reshape(end - begin, -1) for name in self.parts}, "right": right}

    def show(self, row, verbose=False):
        return [json.dumps(self.questions[row])]


class ChoiceModel(HeadedModel):
    """A score for each candidate from its pooled output, and a softmax over them."""

    declared_losses = (loss("cross_entropy", math.log(N)),)

    def build_head(self):
        self.projection = ProjectedClasses(1, 0.02, name="")
        self.projection.build((None, self.config.hidden_size))

    def call(self, batch, training=False, seed=None):
        rows = {name: tf.reshape(batch[name], [N * tf.shape(batch[name])[0], -1]) for name in ChoiceRows.parts}
        pooled = self.encode(rows, positions=tf.zeros_like(rows["input_ids"][:, :1]), seed=seed)["pooled_output"]
        return {"scores": tf.reshape(self.projection(pooled), [-1, N])}

    def loss_terms(self, batch, outputs):
        losses = cross_entropy(outputs["scores"], batch["right"][:, 0])
        return {"cross_entropy": weighted(losses, batch["is_real_example"])}


class Choice(FineTuning):
    """Questions of lines {"question": ..., "candidates": [N texts], "right": index}."""

    name = command = "choice"
    measures = (Measure("accuracy", guess=1 / N),)

    def __init__(self, folder, settings, config, tokenizer):
        super().__init__(settings, config, tokenizer)
        read = {split: (folder / f"{split}.jsonl").read_text().splitlines() for split in settings.splits}
        self.questions = {split: [json.loads(line) for line in lines] for split, lines in read.items()}

    def sizes(self):
        return {"NS": N * self.settings.max_seq_length}

    def build_model(self):
        model = ChoiceModel(self.config)
        model.build()
        return model

    def rows(self, split):
        return ChoiceRows(self.questions[split], self.tokenizer, self.settings.max_seq_length)

    def judge(self, split, outputs):
        right = np.argmax(outputs["scores"], axis=1) == [q["right"] for q in self.questions[split]]
        return Report(len(right), {"accuracy": float(right.mean())})

    def write_predictions(self, folder, outputs):
        path = pathlib.Path(folder) / "choices.json"
        path.write_text(json.dumps(np.argmax(outputs["scores"], axis=1).tolist()))
        return [str(path)]


# It learns, is evaluated on the way, predicts, and goes on where it was


def question(chance: random.Random) -> dict:
    """The right candidate is the one with the colour that the question names."""
    colours = chance.sample(["river", "house", "garden", "winter"], N)
    right = chance.randrange(N)
    return {"question": f"the {colours[right]}", "candidates": [f"a {colour}" for colour in colours], "right": right}


def test_a_fourth_kind_of_fine_tuning_needs_no_change_of_the_package(tmp_path, capfd):
    chance = random.Random(1)
    for split, count in (("train", 200), ("dev", 40), ("test", 20)):
        lines = [json.dumps(question(chance)) for _ in range(count)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    settings = FineTuningFlags(
        bert_config_file=commands.write_config(tmp_path),
        vocab_file=str(commands.VOCABULARY),
        output_dir=str(tmp_path / "output"),
        do_train=True,
        do_eval=True,
        do_predict=True,
        max_seq_length=16,
        train_batch_size=20,
        learning_rate=3e-3,
        num_train_epochs=8,
        eval_every_steps=20,
        best_metric="accuracy",
    )
    cli.show_log(FineTuningFlags)
    fine_tune(settings, functools.partial(Choice, tmp_path))
    results = commands.results(tmp_path / "output")
    assert float(results["eval_accuracy"]) > 0.6  # a guess has 1 / 3
    assert json.loads((tmp_path / "output" / "eval_report.json").read_text())["task"] == "choice"
    assert len(json.loads((tmp_path / "output" / "choices.json").read_text())) == 20
    fine_tune(dataclasses.replace(settings, do_train=False, do_predict=False), functools.partial(Choice, tmp_path))
    assert commands.results(tmp_path / "output") == results
