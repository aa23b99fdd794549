"""run_classifier.py as a user runs it: the tasks of the original, a table of one's own, prediction later on."""

import itertools
import json

import numpy as np
import pytest

from bert import tasks
from bert.tasks.encoding import ClassificationRows
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
        features = ClassificationRows(examples, labels, tokenizer, 64).features(0, len(examples))
        return [dict(zip(features, values, strict=True)) for values in zip(*features.values(), strict=True)]


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
    assert {"eval_report.json", "predictions.tsv", "MRPC.tsv"} <= names
    assert list(mrpc.results)[:4] == KEYS
    assert list(mrpc.results)[4:] == sorted(list(mrpc.results)[4:])
    assert mrpc.results["global_step"] == "13"  # int(52 / 8 * 2)
    for name in ("eval_accuracy", "eval_loss", "loss"):
        assert str(np.float32(mrpc.results[name])) == mrpc.results[name]


def test_the_means_are_over_examples_and_over_batches(mrpc):
    """21 examples in batches of 8, 8 and 5: `eval_loss` is the examples' mean, `loss` that of the three batches."""
    found = {name: float(mrpc.results[name]) for name in KEYS}
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


def test_the_report_counts_what_the_model_says(mrpc, golden):
    """F1 and the confusion matrix from the probabilities of numpy's model, counted by hand."""
    rows = mrpc.rows("dev", ["0", "1"])
    found = numpy_bert.class_log_probabilities(mrpc.checkpoint, rows, heads=2).argmax(1)
    gold = np.array([row["label_ids"][0] for row in rows])
    counts = [[int(np.sum((gold == a) & (found == b))) for b in (0, 1)] for a in (0, 1)]
    report = json.loads((mrpc.output / "eval_report.json").read_text())
    assert report["confusion"] == {"labels": ["0", "1"], "rows_are": "gold", "counts": counts}
    right, wrong = counts[1][1], counts[0][1] + counts[1][0]
    assert report["measures"]["f1"] == pytest.approx(2 * right / (2 * right + wrong))
    assert mrpc.results["eval_f1"] == str(np.float32(report["measures"]["f1"]))
    assert report["examples"] == 21
    assert f"mrpc: accuracy {report['measures']['accuracy']:.4f}, f1 " in mrpc.outcome.stderr


def test_predictions_have_names_texts_and_scores(mrpc):
    lines = [line.split("\t") for line in (mrpc.output / "predictions.tsv").read_text().splitlines()]
    assert lines[0] == ["id", "text", "text_b", "label", "score", "0", "1"]
    examples = tasks.find("mrpc")().examples(str(mrpc.flags["data_dir"]), "test")
    assert [line[:3] for line in lines[1:]] == [[e.guid, e.text_a, e.text_b] for e in examples]
    for line, row in zip(lines[1:], mrpc.predictions, strict=True):
        assert line[3] == str(row.argmax())
        assert [float(value) for value in line[4:]] == [row.max(), *row]
    submission = (mrpc.output / "MRPC.tsv").read_text().splitlines()
    assert submission == ["index\tprediction", *(f"{i}\t{line[3]}" for i, line in enumerate(lines[1:]))]


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
    assert list(run.results)[:4] == KEYS
    found = {name: float(run.results[name]) for name in KEYS}
    assert found == pytest.approx(evaluation(run, labels, batch_size=8), abs=1e-5)
    if "--do_predict" in arguments:
        expected = numpy_bert.class_log_probabilities(run.checkpoint, run.rows("test", labels), heads=2)
        assert run.predictions == pytest.approx(np.exp(expected), abs=1e-5)


def test_a_trained_model_is_judged_from_another_folder(mrpc, tmp_path):
    """With --init_checkpoint alone; its labels.json is read, and another vocabulary is refused."""
    elsewhere = {"output_dir": tmp_path / "judged", "init_checkpoint": mrpc.checkpoint}
    outcome = mrpc("--do_eval", **elsewhere)
    assert outcome.status == 0, outcome.stderr
    assert commands.results(tmp_path / "judged")["eval_loss"] == mrpc.results["eval_loss"]
    vocabulary = tmp_path / "vocab.txt"
    tokens = commands.VOCABULARY.read_text().splitlines()
    vocabulary.write_text("\n".join([*tokens[:-2], tokens[-1], tokens[-2]]) + "\n")
    error = mrpc("--do_predict", **{**elsewhere, "output_dir": tmp_path / "other"}, vocab_file=vocabulary).error
    assert f"{mrpc.output / 'labels.json'}: the model was trained with vocab_sha256" in error
    assert str(vocabulary) in error


def test_labels_of_another_task_are_refused(mrpc, tmp_path):
    error = mrpc("--do_predict", task_name="rte", data_dir=tmp_path, init_checkpoint=mrpc.checkpoint)
    assert error.status == 1
    (tmp_path / "test.tsv").write_text("index\tsentence1\tsentence2\n0\ta\tb\n")
    flags = {"task_name": "rte", "data_dir": tmp_path, "output_dir": tmp_path / "new"}
    error = mrpc("--do_predict", **flags, init_checkpoint=mrpc.checkpoint).error
    assert "labels.json: a model with labels 0, 1 lies here, but task rte" in error
    assert error.endswith("has entailment, not_entailment")


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (
            {"best_metric": "f2", "eval_every_steps": 1, "do_eval": True},
            "--best_metric is 'f2', expected one of accuracy",
        ),
        ({"text_column": "a"}, "--text_column is a, but only --task_name=table reads it, not MRPC"),
        ({"dev_fraction": 1}, "--dev_fraction is 1.0, expected 0 or more and less than 1"),
        ({"dev_fraction": 0.1, "dev_file": "x"}, "--dev_fraction=0.1 and --dev_file=x: expected only one"),
        ({"class_weights": "some.tsv"}, "some.tsv does not exist"),
        ({"task_file": "nowhere.py"}, "--task_file: nowhere.py does not exist"),
    ],
)
def test_flags_that_cannot_be_are_told_before_any_work(tmp_path, golden, flags, problem):
    run = Run(tmp_path, "MRPC", golden / "classifier" / "mrpc_in")
    assert problem in run("--do_train", **flags).error
    assert not (run.output / "checkpoint").exists()


def learned_table(folder, name: str, text: str, **flags) -> tuple[Run, commands.Outcome]:
    """Trains the tiny model on a table file with a dev fraction, predicting the first lines of it."""
    (folder / name).write_text(text)
    commands.write_config(folder, hidden_dropout_prob=0, attention_probs_dropout_prob=0, initializer_range=0.2)
    run = Run(folder, "table", folder, max_seq_length=16, dev_fraction=0.25)
    commands.write_config(folder, hidden_dropout_prob=0, attention_probs_dropout_prob=0, initializer_range=0.2)
    outcome = run("--do_train", "--do_eval", **{"num_train_epochs": 20, "learning_rate": 0.002, **flags})
    assert outcome.status == 0, outcome.stderr
    return run, outcome


def test_several_labels_at_once_are_learned(tmp_path):
    words = {"red": "the", "green": "after", "blue": "water"}
    sets = [[name for bit, name in enumerate(words) if number >> bit & 1] for number in range(8)] * 12
    rows = [{"text": " ".join([*map(words.get, names), "new york"]), "label": names} for names in sets]
    lines = [json.dumps(row) + "\n" for row in rows]
    flags = {"class_weights": "balanced", "eval_every_steps": 40, "best_metric": "macro_f1", "num_train_epochs": 40}
    run, outcome = learned_table(tmp_path, "train.jsonl", "".join(lines), **flags)
    assert "Labels: blue: 36, green: 36, red: 36" in outcome.stderr
    assert "A model that guesses has loss 0.693" in outcome.stderr
    assert float(run.results["eval_macro_f1"]) > 0.9
    assert "eval_hamming_loss" in run.results

    (tmp_path / "test.jsonl").write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows[:8]))
    (tmp_path / "train.jsonl").unlink()
    assert run("--do_predict").status == 0
    lines = [line.split("\t") for line in (run.output / "predictions.tsv").read_text().splitlines()]
    assert lines[0] == ["id", "text", "label", "score", "blue", "green", "red"]
    assert [line[2] for line in lines[1:]] == ["|".join(sorted(names)) for names in sets[:8]]


def test_numbers_are_learned(tmp_path):
    """0, 0.5 and 1 are numbers: what the second text says."""
    words = {"the": 0, "after": 0.5, "water": 1}
    rows = [(a, b, label) for a, (b, label) in itertools.product(words, words.items())] * 8
    text = "text,text_b,label\n" + "".join(f'"{a}, he said",{b},{label}\n' for a, b, label in rows)
    run, outcome = learned_table(
        tmp_path, "train.csv", text, best_metric="pearson", eval_every_steps=40, num_train_epochs=40
    )
    assert list(run.results)[:4] == ["eval_loss", "eval_pearson", "global_step", "loss"]
    assert float(run.results["eval_pearson"]) > 0.9
    assert float(run.results["eval_loss"]) == pytest.approx(float(run.results["eval_mean_squared_error"]), abs=1e-5)
    assert "Labels: numbers from 0 to 1, median 0.5" in outcome.stderr

    (tmp_path / "test.csv").write_text("id,text,text_b\n7,after,water\n8,water,the\n")
    assert run("--do_predict").status == 0
    high, low = [line.split("\t") for line in (run.output / "predictions.tsv").read_text().splitlines()[1:]]
    assert (high[0], low[0]) == ("7", "8")
    assert float(high[3]) == pytest.approx(1, abs=0.3)
    assert float(low[3]) == pytest.approx(0, abs=0.3)


def test_a_model_that_always_says_the_same_is_told(tmp_path):
    text = "text\tlabel\n" + "the\ta\n" * 14 + "the\tb\n" * 2
    _, outcome = learned_table(tmp_path, "train.tsv", text)
    assert "All 4 predictions are 'a'." in outcome.stderr


OWN_TASK = """
from bert.tasks import InputExample, Task, register

@register
class Shouting(Task):
    name = "shouting"
    labels = ("calm", "loud")

    def example(self, row, split):
        label = None if split == "test" else row["mood"]
        return InputExample(f"{split}-{row.number}", row["words"], label=label)
"""


def test_a_task_of_one_s_own_is_ten_lines_in_a_file(tmp_path):
    (tmp_path / "own_task.py").write_text(OWN_TASK)
    train = "words\tmood\n" + "the report !\tloud\nthe report .\tcalm\n" * 16
    (tmp_path / "train.tsv").write_text(train)
    (tmp_path / "dev.tsv").write_text(train)
    (tmp_path / "test.tsv").write_text("words\nthe report !\nthe report .\n")
    run = Run(tmp_path, "shouting", tmp_path, max_seq_length=16, task_file=tmp_path / "own_task.py")
    commands.write_config(tmp_path, hidden_dropout_prob=0, attention_probs_dropout_prob=0, initializer_range=0.2)
    outcome = run("--do_train", "--do_eval", "--do_predict", num_train_epochs=40, learning_rate=0.002)
    assert outcome.status == 0, outcome.stderr
    assert float(run.results["eval_accuracy"]) == 1
    lines = (run.output / "predictions.tsv").read_text().splitlines()
    assert [line.split("\t")[2] for line in lines] == ["label", "loud", "calm"]


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
    outcome = run("--do_train", "--do_eval", num_train_epochs=40, learning_rate=0.002)
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
