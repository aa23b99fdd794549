"""run_classifier.py on texts longer than its rows, where the word that decides stands at their end."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from bert.tasks import InputExample, encoding
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands, numpy_bert

LENGTH = 8
DECIDING = {"calm": "water", "loud": "river"}
FILLER = "the and to of after in "  # six WordPieces; a row has room for six


def table(repeats: int, header: str = "text\tlabel") -> str:
    """Long texts of some lengths, every length with both labels."""
    texts = itertools.islice(itertools.cycle(itertools.product((1, 2, 3), DECIDING.items())), repeats)
    return f"{header}\n" + "".join(f"{FILLER * count}{word}\t{label}\n" for count, (label, word) in texts)


class Run:
    """The table, a tiny model's config, and an output folder that the commands fill."""

    def __init__(self, folder, **flags):
        for name, repeats in (("train", 48), ("dev", 6), ("test", 6)):
            (folder / f"{name}.tsv").write_text(table(repeats))
        self.output = folder / "output"
        still = {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, "initializer_range": 0.2}
        self.flags = {
            "task_name": "table",
            "data_dir": folder,
            "vocab_file": commands.VOCABULARY,
            "bert_config_file": commands.write_config(folder, **still),
            "output_dir": self.output,
            "max_seq_length": LENGTH,
            "train_batch_size": 16,
            "learning_rate": 0.002,
            "num_train_epochs": 12,
            "length_grouping": True,  # the rows that decide are the short ones, and teach quickest among themselves
            **flags,
        }

    def __call__(self, *arguments: str, **flags) -> commands.Outcome:
        outcome = commands.run("run_classifier", *arguments, **{**self.flags, **flags})
        assert outcome.status == 0, outcome.stderr
        return outcome


def accuracy(folder) -> float:
    return float(commands.results(folder)["eval_accuracy"])


def labels_json(folder) -> dict:
    return json.loads((folder / "labels.json").read_text())


@pytest.fixture(scope="module")
def tail(tmp_path_factory):
    """Trained on the ends of the texts."""
    run = Run(tmp_path_factory.mktemp("tail"))
    run.outcome = run("--do_train", "--do_eval", truncation="tail")
    return run


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """Trained, judged and asked on windows over the texts."""
    run = Run(tmp_path_factory.mktemp("windows"), long_text="windows")
    run.outcome = run("--do_train", "--do_eval", "--do_predict", eval_every_steps=54, best_metric="accuracy")
    return run


def test_the_tail_says_what_the_head_does_not(tail, tmp_path):
    assert accuracy(tail.output) == 1
    assert "tokens: [CLS] and to of after in water [SEP]" in tail.outcome.stderr
    lost = "% of the WordPieces are in no row (--truncation=tail); --truncation=head or head_tail keeps others, "
    assert f"{lost}--long_text=windows keeps all." in tail.outcome.stderr
    # The same model reads the heads, which are all alike; that it was trained on others is told.
    judged = tail("--do_eval", output_dir=tmp_path / "judged", init_checkpoint=tail.output)
    assert accuracy(tmp_path / "judged") == 0.5
    path = tail.output / "labels.json"
    assert f"{path}: the model was trained with --truncation=tail, this run has head." in judged.stderr
    assert "All 6 predictions are" in judged.stderr


def test_the_folder_remembers_what_it_was_trained_on(tail):
    """Predicting with another truncation is told, and leaves what labels.json says of the training."""
    outcome = tail("--do_predict", truncation="head_tail", max_seq_length=7)
    assert "--truncation was tail, now it is head_tail." in outcome.stderr
    assert "tokens: [CLS] the and after in water [SEP]" in outcome.stderr
    stored = labels_json(tail.output)
    assert [stored[name] for name in ("truncation", "long_text", "max_seq_length")] == ["tail", "truncate", LENGTH]


def test_windows_read_everything(windows):
    assert accuracy(windows.output) == 1
    log = windows.outcome.stderr
    assert "  48 examples in 144 rows (--long_text=windows), at most 4 each" in log
    assert "***** Running training *****\n  Num examples = 144\n  Batch size = 16\n  Num steps = 108" in log
    assert labels_json(windows.output)["long_text"] == "windows"
    report = json.loads((windows.output / "eval_report.json").read_text())
    assert report["examples"] == 6
    entries = [json.loads(line) for line in (windows.output / "evaluations.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [54, 108]
    assert {float(entry["accuracy"] * 6).is_integer() for entry in entries} == {True}  # over examples, not windows


def test_predictions_are_the_mean_logits_of_the_windows_a_line_an_example(windows):
    """Against every window at full length in plain numpy."""
    lines = [line.split("\t") for line in (windows.output / "predictions.tsv").read_text().splitlines()]
    texts = [line.split("\t") for line in (windows.flags["data_dir"] / "test.tsv").read_text().splitlines()[1:]]
    assert [line[1:3] for line in lines[1:]] == texts

    tokenizer = Tokenizer(Vocabulary.from_file(str(commands.VOCABULARY)), do_lower_case=True)
    examples = [InputExample("", text) for text, _ in texts]
    built = encoding.build(examples, list(DECIDING), tokenizer, LENGTH, long_text="windows")
    features = built.features(0, len(built))
    rows = [dict(zip(features, values, strict=True)) for values in zip(*features.values(), strict=True)]
    # Logs of probabilities are the logits less a number of each row, which a softmax does not see.
    logits = numpy_bert.class_log_probabilities(tf.train.latest_checkpoint(str(windows.output / "best")), rows, heads=2)
    means = [logits[built.example == number].mean(axis=0) for number in range(len(texts))]
    written = np.loadtxt(windows.output / "test_results.tsv")
    assert written == pytest.approx(special.softmax(means, axis=1), abs=1e-5)
    results = {name: float(value) for name, value in commands.results(windows.output).items()}
    ids = [list(DECIDING).index(label) for _, label in texts]  # dev.tsv is test.tsv
    losses = -logits[np.arange(len(built)), np.array(ids)[built.example]]
    assert results["eval_loss"] == pytest.approx(losses.mean(), abs=1e-5)
