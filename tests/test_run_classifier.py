"""run_classifier.py as a user runs it: the tasks of the original, a table of one's own, prediction later on."""

import itertools
import json

import numpy as np
import pytest

from bert import records, tasks
from bert.tasks import encoding
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands, numpy_bert

KEYS = ["eval_accuracy", "eval_loss", "global_step", "loss"]
ENTAILMENT = ["contradiction", "entailment", "neutral"]


class Run:
    """A task's data, a folder with a tiny model's config, and an output folder that the commands fill."""

    def __init__(self, folder, task: str, data_dir, **flags):
        self.folder, self.output = folder, folder / "output"
        self.flags = {
            "task_name": task,
            "data_dir": data_dir,
            "vocab_file": commands.VOCABULARY,
            "bert_config_file": commands.write_config(folder),
            "output_dir": self.output,
            "max_seq_length": 64,
            "train_batch_size": 8,
            **flags,
        }

    def __call__(self, *arguments: str, **flags):
        return commands.run("run_classifier", *arguments, **{**self.flags, **flags})

    @property
    def results(self) -> dict[str, str]:
        return commands.results(self.output)

    @property
    def predictions(self) -> np.ndarray:
        lines = (self.output / "test_results.tsv").read_text().splitlines()
        return np.array([[float(value) for value in line.split("\t")] for line in lines])

    @property
    def checkpoint(self) -> str:
        return self.output / f"model.ckpt-{self.results['global_step']}"

    def rows(self, split: str, labels: list[str]) -> list[dict]:
        """The records of a split, from the task and the tokenizer."""
        examples = tasks.find(self.flags["task_name"])().examples(str(self.flags["data_dir"]), split)
        tokenizer = Tokenizer(Vocabulary.from_file(str(commands.VOCABULARY)), do_lower_case=True)
        batch = encoding.encode(examples, labels, tokenizer, 64)
        names = [feature.name for feature in records.CLASSIFIER.features]
        arrays = [getattr(batch, name) for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*arrays, strict=True)]


@pytest.fixture(scope="module")
def mrpc(tmp_path_factory, golden):
    """Two epochs of MRPC, evaluation and prediction in one command."""
    run = Run(tmp_path_factory.mktemp("mrpc"), "MRPC", golden / "classifier" / "mrpc_in")
    run.outcome = run("--do_train", "--do_eval=true", "--do_predict=true", num_train_epochs=2.0, learning_rate=0.001)
    return run


def evaluation(run: Run, labels: list[str], batch_size: int) -> dict[str, float]:
    """What eval_results.txt has to hold, computed in plain numpy."""
    rows = run.rows("dev", labels)
    found = numpy_bert.class_log_probabilities(run.checkpoint, rows, heads=2)
    ids = np.array([row["label_ids"] for row in rows])
    losses = -found[np.arange(len(rows)), ids]
    batches = [losses[start : start + batch_size].mean() for start in range(0, len(rows), batch_size)]
    return {
        "eval_accuracy": (found.argmax(1) == ids).mean(),
        "eval_loss": losses.mean(),
        "loss": np.mean(batches),
        "global_step": float(run.results["global_step"]),
    }


def test_mrpc_leaves_the_files_of_the_original(mrpc):
    assert (mrpc.outcome.status, mrpc.outcome.stdout) == (0, ""), mrpc.outcome.stderr
    names = set(commands.listing(mrpc.output))
    assert {"checkpoint", "eval_results.txt", "test_results.tsv", "labels.json", "model.ckpt-13.index"} <= names
    assert {"train.tf_record", "eval.tf_record", "predict.tf_record"} <= names
    text = (mrpc.output / "eval_results.txt").read_text()
    assert text == "".join(f"{name} = {mrpc.results[name]}\n" for name in KEYS)
    assert mrpc.results["global_step"] == "13"  # int(52 / 8 * 2)
    for name in ("eval_accuracy", "eval_loss", "loss"):
        assert str(np.float32(mrpc.results[name])) == mrpc.results[name]


def test_the_means_are_over_examples_and_over_batches(mrpc):
    """21 examples in batches of 8, 8 and 5: `eval_loss` is the examples' mean, `loss` that of the three batches."""
    found = {name: float(value) for name, value in mrpc.results.items()}
    expected = evaluation(mrpc, ["0", "1"], batch_size=8)
    assert found == pytest.approx(expected, abs=1e-5)
    assert abs(expected["loss"] - expected["eval_loss"]) > 1e-4  # or this test could not tell them apart


def test_predictions_are_a_row_an_example_in_label_order(mrpc):
    text = (mrpc.output / "test_results.tsv").read_text()
    assert text.endswith("\n")
    for value in text.split():
        assert str(np.float32(value)) == value
    expected = numpy_bert.class_log_probabilities(mrpc.checkpoint, mrpc.rows("test", ["0", "1"]), heads=2)
    assert mrpc.predictions.shape == (19, 2)
    assert mrpc.predictions == pytest.approx(np.exp(expected), abs=1e-5)
    assert mrpc.predictions.sum(1) == pytest.approx(1, abs=1e-6)


def test_the_log_has_the_lines_of_the_original(mrpc):
    log = mrpc.outcome.stderr
    for fixed in (
        "Writing example 0 of 52",
        "*** Example ***\nguid: train-1\ntokens: [CLS] a ##n ##al",
        "label: 0 (id = 0)",
        "***** Running training *****\n  Num examples = 52\n  Batch size = 8\n  Num steps = 13",
        "***** Running evaluation *****\n  Num examples = 21\n  Batch size = 8",
        "***** Eval results *****\n  eval_accuracy = ",
        "***** Running prediction *****\n  Num examples = 19\n  Batch size = 8",
        "  Labels: 0: 25, 1: 27",
    ):
        assert fixed in log


def test_predicting_in_a_second_command_needs_no_training_data(mrpc, tmp_path):
    """Only test.tsv is there, in a moved output folder, and another batch size changes nothing."""
    (tmp_path / "test.tsv").write_bytes((mrpc.flags["data_dir"] / "test.tsv").read_bytes())
    first = mrpc.predictions
    output = mrpc.output.rename(tmp_path / "moved")
    outcome = mrpc("--do_predict", data_dir=tmp_path, output_dir=output, predict_batch_size=5)
    output.rename(mrpc.output)
    assert outcome.status == 0, outcome.stderr
    assert f"Going on from {output / 'model.ckpt-13'} (step 13)" in outcome.stderr
    assert mrpc.predictions == pytest.approx(first, abs=1e-6)


@pytest.mark.parametrize(
    ("task", "labels", "arguments"),
    [
        ("CoLA", ["0", "1"], ["--do_train", "--do_eval", "--do_predict"]),
        ("mnli", ENTAILMENT, ["--do_train", "--do_eval", "--do_predict"]),
        ("XNLI", ENTAILMENT, ["--do_train", "--do_eval"]),
    ],
)
def test_the_other_tasks_of_the_original_run(task, labels, arguments, tmp_path, golden):
    run = Run(tmp_path, task, golden / "classifier" / f"{task.lower()}_in")
    outcome = run(*arguments, train_batch_size=2, num_train_epochs=4.0, learning_rate=0.001)
    assert outcome.status == 0, outcome.stderr
    assert list(run.results) == KEYS
    found = {name: float(value) for name, value in run.results.items()}
    assert found == pytest.approx(evaluation(run, labels, batch_size=8), abs=1e-5)
    if "--do_predict" in arguments:
        expected = numpy_bert.class_log_probabilities(run.checkpoint, run.rows("test", labels), heads=2)
        assert run.predictions == pytest.approx(np.exp(expected), abs=1e-5)


def toy_table(folder) -> list[str]:
    """A text's label is its first word, in colour names nobody has fixed beforehand; returns those of test.tsv."""
    words = {"red": "the", "green": "after", "blue": "report", "amber": "company"}
    rest = itertools.cycle([" in new york", " on friday", " said no", " to reporters", " a bell"])
    texts = [(name, words[name] + next(rest)) for _, name in itertools.product(range(12), words)]
    table = "".join(f"{text}\tx\t{label}\n" for label, text in texts)
    (folder / "train.tsv").write_text("text\tnote\tlabel\n" + table)
    (folder / "dev.tsv").write_text("text\tnote\tlabel\n" + "".join(table.splitlines(keepends=True)[:21]))
    (folder / "test.tsv").write_text("id\ttext\n" + "".join(f"{n}\t{text}\n" for n, (_, text) in enumerate(texts[:9])))
    return [label for label, _ in texts[:9]]


def test_a_table_of_one_s_own_is_learned(tmp_path):
    """Labels come from train.tsv, test.tsv has none, and a later prediction takes them from labels.json."""
    expected = toy_table(tmp_path)
    run = Run(tmp_path, "table", tmp_path, max_seq_length=16)
    commands.write_config(tmp_path, hidden_dropout_prob=0, attention_probs_dropout_prob=0, initializer_range=0.2)
    outcome = run("--do_train", "--do_eval", num_train_epochs=20, learning_rate=0.002)
    assert outcome.status == 0, outcome.stderr
    labels = json.loads((run.output / "labels.json").read_text())["labels"]
    assert labels == ["amber", "blue", "green", "red"]
    assert float(run.results["eval_accuracy"]) > 0.9

    (tmp_path / "train.tsv").unlink()
    outcome = run("--do_predict")
    assert outcome.status == 0, outcome.stderr
    assert [labels[index] for index in run.predictions.argmax(1)] == expected


def test_fine_tuning_starts_from_a_pretraining_checkpoint(tmp_path, golden):
    """The encoder of Google's checkpoint is loaded, its heads are not used, and the new head is told to be random."""
    micro = golden / "model" / "micro"
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("".join(commands.VOCABULARY.read_text().splitlines(keepends=True)[:100]))
    run = Run(tmp_path, "cola", golden / "classifier" / "cola_in", max_seq_length=32, vocab_file=vocabulary)
    run.flags |= {"bert_config_file": micro / "bert_config.json", "init_checkpoint": micro / "model.ckpt"}
    outcome = run("--do_train", train_batch_size=2, num_train_epochs=1, learning_rate=0)
    assert outcome.status == 0, outcome.stderr
    assert f"Loaded {micro / 'model.ckpt'}: 55 variables matched, 2 missing, 7 unused." in outcome.stderr
    assert "*** STARTS RANDOM, not from the checkpoint: output_bias, output_weights ***" in outcome.stderr
    assert "  not used by this model: cls/seq_relationship/output_weights" in outcome.stderr
    before, after = (numpy_bert.read_variables(p) for p in (micro / "model.ckpt", run.output / "model.ckpt-1"))
    encoder = [name for name in before if name.startswith("bert/")]
    assert all(np.array_equal(before[name], after[name]) for name in encoder)
