"""A user's task file and a config that go wrong: one line names file and line, before anything is built."""

import numpy as np
import pytest

from bert import tasks
from bert.config import BertConfig
from bert.errors import InputError
from bert.tasks import label_kinds, reports
from tests import commands
from tests.task_files import refused
from tests.test_names_and_paths import training

TASK = """from bert import tasks

@tasks.register
class Mood(tasks.Task):
    name = "mood"
    labels = ("low", "high")

    def example(self, row, split):
        text = row[1]
        return tasks.InputExample(f"{split}-{row.number}", text, label=row[0])
"""


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(tasks.base, "_TASKS", dict(tasks.base._TASKS))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("row[1]", "1 / 0", "`task_file`: {path}:9: ZeroDivisionError: division by zero"),
        ("row[1]", "exit(3)", "`task_file`: {path}:9: SystemExit: 3"),
        ("row[1]", "row[7]", "`task_file`: {path}:9: {data}/train.tsv:2: too short"),
        ("row[1]", "None", "{data}/train.tsv:2: task mood: text_a is 'None' (NoneType), expected a text"),
        ("row[1]", "b'a'", "{data}/train.tsv:2: task mood: text_a is 'b'a'' (bytes), expected a text"),
        ("        return tasks.InputExample", "        return str", "`task_file`: {path}:10: TypeError"),
        ("        return tasks", "        return 5, tasks", "{data}/train.tsv:2: task mood: `example` returned '(5, "),
        ("label=row[0]", "label={}", "{data}/train.tsv:2: unknown label '{{}}'"),
        (
            '("low", "high")',
            '"low"',
            "`task_file`: {path}:3: the task Mood: labels is 'low', expected a tuple of names",
        ),
        ('("low", "high")', '("a", "a")', "`task_file`: {path}:3: the task Mood: label 'a' occurs twice"),
        ('("low", "high")', "(0, 1)", "`task_file`: {path}:3: the task Mood: labels is '(0, 1)'"),
        ("def example", "def sample", "`task_file`: {path}:3: the task Mood has no `example`"),
        ('name = "mood"', "pass", "`task_file`: {path}:3: the task Mood has no `name`"),
        ("from bert", "raise SystemExit\nfrom bert", "`task_file`: {path}:1: SystemExit: "),
    ],
)
def test_a_task_file_that_goes_wrong(old, new, problem, folder, tmp_path):
    assert old in TASK
    path = tmp_path / "mood.py"
    path.write_text(TASK.replace(old, new))
    data_dir = folder(train="label\ttext\nhigh\ta\n")

    def read():
        tasks.load(str(path))
        tasks.find("mood")().examples(data_dir, "train")

    assert refused(read).startswith(problem.format(path=path, data=data_dir))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob is 1.0, expected less than 1"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000, expected at most 1000"),
    ],
)
def test_configs_that_cannot_be_trained(changes, problem, tmp_path):
    given = training(tmp_path)
    commands.write_config(tmp_path, **changes)
    assert problem in commands.run("run_pretraining", **given).error


def test_the_weights_are_counted_before_they_are_made():
    base = BertConfig(30522, type_vocab_size=2)
    assert base.parameter_count == 109_482_240  # what the paper calls 110M
    base.check_memory("x", training=True, available=1_800_000_000)
    with pytest.raises(
        InputError, match=r"x: a model of 109,482,240 parameters takes 1.8 GB to train, this machine has 1.7"
    ):
        base.check_memory("x", training=True, available=1_700_000_000)
    huge = BertConfig(30522, hidden_size=10**9, num_attention_heads=1)
    with pytest.raises(InputError, match="its largest sizes: hidden_size 1000000000, "):
        huge.check_memory("x", training=False)


def test_fifty_thousand_classes_cost_no_square(folder):
    """Neither in reading labels, nor in their ids, nor in the report, whose matrix would have 20 GB."""
    count = 50_000
    labels = tuple(f"label {number}" for number in range(count))
    task = type("Many", (tasks.Task,), {"name": "many", "labels": labels, "example": example_of_row})()
    data_dir = folder(train="label\ttext\n" + "".join(f"{label}\ta\n" for label in labels))
    examples = task.examples(data_dir, "train")
    ids = label_kinds.CLASS.ids([example.label for example in examples], labels)
    report = reports.single_label(ids[:, 0], np.roll(ids[:, 0], 1), labels)
    assert len(report.confusion["confusion"]["cells"]) == count
    assert report.confusion["confusion"]["cells"][0] == ["label 0", "label 49999", 1]


def example_of_row(self, row, split):
    return tasks.InputExample(str(row.number), row[1], label=row[0])


@pytest.mark.parametrize("classes", [2, 5])
def test_matthews_is_that_of_scikit_learn(classes):
    from sklearn import metrics

    gold, predicted = np.random.default_rng(0).integers(0, classes, [2, 200])
    ours = reports.single_label(gold, predicted, [str(number) for number in range(classes)]).measures["matthews"]
    assert ours == pytest.approx(metrics.matthews_corrcoef(gold, predicted), abs=1e-12)
