"""Reading task folders: columns, labels and guids of docs/parity.md 8, bad files of docs/parity.md 2."""

import pytest

from bert import tasks
from bert.tasks import InputExample, labels_file
from tests.task_files import refused

MRPC_HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"


def test_the_tasks_of_the_original_and_the_table_are_known():
    assert {"cola", "mnli", "mrpc", "table", "xnli"} <= set(tasks.known())
    assert tasks.find("MRPC") is tasks.find("mrpc")
    assert tasks.find("CoLA")().labels == ("0", "1")
    assert tasks.find("mnli")().labels == tasks.find("xnli")().labels == ("contradiction", "entailment", "neutral")


def test_an_unknown_task_is_told_with_the_known_ones():
    message = refused(tasks.find, "sst-9")
    assert message == f"`task_name` is 'sst-9', expected one of {', '.join(tasks.known())}"


def test_mrpc(golden):
    task = tasks.find("mrpc")()
    data_dir = str(golden / "classifier" / "mrpc_in")
    assert task.examples(data_dir, "dev")[1] == InputExample(
        "dev-2",
        "The café owner confirmed higher earnings after the bell .",
        "Analysts reported a $1.5bn deal after the bell .",
        "0",
    )
    assert task.examples(data_dir, "test")[0].guid == "test-1"
    assert task.examples(data_dir, "test")[0].label is None
    assert [len(task.examples(data_dir, split)) for split in tasks.SPLITS] == [52, 21, 19]


def test_cola_has_a_header_in_its_test_file_only(golden):
    task = tasks.find("cola")()
    data_dir = str(golden / "classifier" / "cola_in")
    assert task.examples(data_dir, "train") == [
        InputExample("train-0", "The sailors rode the breeze .", None, "1"),
        InputExample("train-1", "Them ate .", None, "0"),
    ]
    assert task.examples(data_dir, "test") == [
        InputExample("test-1", "Test zero ."),
        InputExample("test-2", "Test one ."),
    ]


def test_mnli_takes_guids_from_column_0_and_labels_from_the_last(golden):
    task = tasks.find("mnli")()
    data_dir = str(golden / "classifier" / "mnli_in")
    assert task.examples(data_dir, "train")[1] == InputExample(
        "train-101457", "prem 101457", "hyp 101457", "entailment"
    )
    assert task.examples(data_dir, "dev") == [InputExample("dev_matched-0", "prem 0", "hyp 0", "contradiction")]
    assert task.examples(data_dir, "test") == [InputExample("test-0", "prem 0", "hyp 0")]


def test_xnli_reads_the_chinese_rows_only(golden):
    task = tasks.find("xnli")()
    data_dir = str(golden / "classifier" / "xnli_in")
    assert task.examples(data_dir, "train")[0] == InputExample("train-1", "他 来 了 。", "他 没 来", "contradiction")
    assert task.examples(data_dir, "dev") == [InputExample("dev-2", "中一", "中二", "entailment")]


def test_xnli_without_its_chinese_rows_is_an_error(folder):
    data_dir = folder(**{"xnli.dev": "language\tgold_label\nen\tneutral\tc\td\te\tf\tA\tB\n"})
    assert refused(tasks.find("xnli")().examples, data_dir, "dev").endswith("holds no example of task xnli")


def test_quotation_marks_and_nul_are_text(folder):
    data_dir = folder(train=MRPC_HEADER + '1\t1\t2\t"open\tmid "quote"\n0\t1\t2\ta\0b\t""\n')
    texts = [(example.text_a, example.text_b) for example in tasks.find("mrpc")().examples(data_dir, "train")]
    assert texts == [('"open', 'mid "quote"'), ("a\0b", '""')]


def test_carriage_returns_vanish_and_a_last_line_needs_no_end(folder):
    data_dir = folder(train=MRPC_HEADER.replace("\n", "\r\n") + "1\t1\t2\ta\rb\tc\r\n0\t1\t2\td\te")
    texts = [(example.text_a, example.text_b) for example in tasks.find("mrpc")().examples(data_dir, "train")]
    assert texts == [("ab", "c"), ("d", "e")]


def test_an_unknown_label_is_told_with_file_line_and_labels(folder):
    data_dir = folder(dev=MRPC_HEADER + "1\t1\t2\ta\tb\n7\t1\t2\ta\tb\n")
    message = refused(tasks.find("mrpc")().examples, data_dir, "dev")
    assert message == f"{data_dir}/dev.tsv:3: unknown label '7', expected one of 0, 1"


def test_a_short_row_is_told_with_file_and_line(folder):
    data_dir = folder(train=MRPC_HEADER + "1\t1\t2\ta\n")
    message = refused(tasks.find("mrpc")().examples, data_dir, "train")
    assert message == f"{data_dir}/train.tsv:2: too short: 4 columns, expected at least 5"


def test_one_empty_last_line_is_no_row_another_one_is_an_error(folder):
    task = tasks.find("mrpc")()
    row = "1\t1\t2\ta\tb\n"
    assert len(task.examples(folder(train=MRPC_HEADER + row + "\r\n"), "train")) == 1
    for text in (MRPC_HEADER + row + "\n" + row, MRPC_HEADER + row + "\n\n"):
        data_dir = folder(train=text)
        assert refused(task.examples, data_dir, "train").startswith(f"{data_dir}/train.tsv:3: empty line")


@pytest.mark.parametrize("text", ["", MRPC_HEADER])
def test_an_empty_training_file_is_an_error(folder, text):
    data_dir = folder(train=text)
    message = refused(tasks.find("mrpc")().examples, data_dir, "train")
    assert message == f"{data_dir}/train.tsv: holds no example of task mrpc"


def test_bytes_that_are_not_utf8_are_told_with_file_and_line(tmp_path):
    (tmp_path / "train.tsv").write_bytes(MRPC_HEADER.encode() + b"1\t1\t2\ta\xff\tb\n")
    message = refused(tasks.find("mrpc")().examples, str(tmp_path), "train")
    assert message.startswith(f"{tmp_path}/train.tsv:2: not UTF-8: byte 0xff")


def test_a_field_over_the_limit_is_an_error(folder):
    task = tasks.find("mrpc")()
    assert task.examples(folder(train=f"{MRPC_HEADER}1\t1\t2\t{'x' * 131072}\tb\n"), "train")
    data_dir = folder(train=f"{MRPC_HEADER}1\t1\t2\t{'x' * 131073}\tb\n")
    message = refused(task.examples, data_dir, "train")
    assert message == f"{data_dir}/train.tsv:2: a field of 131073 characters, expected at most 131072"


def test_all_missing_files_are_told_at_once(folder):
    data_dir = folder(dev=MRPC_HEADER)
    message = refused(tasks.find("mrpc")().check, data_dir, tasks.SPLITS)
    assert message == (
        f"`do_train`: {data_dir}/train.tsv does not exist; `do_predict`: {data_dir}/test.tsv does not exist"
    )


def test_xnli_refuses_prediction_before_any_work(golden):
    data_dir = str(golden / "classifier" / "xnli_in")
    task = tasks.find("xnli")()
    task.check(data_dir, ["train", "dev"])
    assert refused(task.check, data_dir, tasks.SPLITS) == "`do_predict`: task xnli has no test set"


def test_a_labels_json_with_other_labels_is_an_error(folder, tmp_path):
    data_dir = folder(train=MRPC_HEADER + "1\t1\t2\ta\tb\n")
    (tmp_path / "labels.json").write_text('{"task": "table", "labels": ["p", "q"]}')
    message = refused(tasks.find("mrpc")().prepare, data_dir, str(tmp_path), ["train"])
    assert "labels.json: a model with labels p, q lies here" in message
    assert message.endswith("has 0, 1")


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": []}', '{"labels": [1]}'])
def test_a_damaged_labels_json_is_an_error(tmp_path, text):
    (tmp_path / "labels.json").write_text(text)
    assert refused(labels_file.read, str(tmp_path)).startswith(f"{tmp_path}/labels.json:")


def test_a_task_of_ones_own_takes_ten_lines(folder, monkeypatch):
    monkeypatch.setattr(tasks.base, "_TASKS", dict(tasks.base._TASKS))  # forgotten after the test

    @tasks.register
    class Sentiment(tasks.Task):
        name = "own"
        labels = ("0", "1")

        def example(self, row, split):
            label = None if split == "test" else row["label"]
            return InputExample(f"{split}-{row.number}", row["sentence"], label=label)

    task = tasks.find("OWN")()
    data_dir = folder(train="sentence\tlabel\ngood\t1\n", test="index\tsentence\n0\tso so\n")
    assert task.examples(data_dir, "train") == [InputExample("train-1", "good", None, "1")]
    assert task.examples(data_dir, "test") == [InputExample("test-1", "so so")]


TASK_FILE = """
from __future__ import annotations
import dataclasses
from bert import tasks

@dataclasses.dataclass
class Columns:
    text: int = 1

@tasks.register
class Mood(tasks.Task):
    name = "Mood"
    labels = ("low", "high")

    def example(self, row, split):
        return tasks.InputExample(f"{split}-{row.number}", row[Columns().text], label=row[0])
"""


def test_a_file_of_ones_own_registers_a_task(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tasks.base, "_TASKS", dict(tasks.base._TASKS))
    path = tmp_path / "mood.py"
    path.write_text(TASK_FILE)
    for _ in range(2):  # the same file again is no other task
        tasks.load(str(path))
    data_dir = folder(train="label\ttext\nhigh\ta\n")
    assert tasks.find("mood")().examples(data_dir, "train") == [InputExample("train-1", "a", None, "high")]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("own.py", "import bert\n", "{path} registers no task, expected a class under @register"),
        ("own.py", "1 / 0\n", "{path}:1: ZeroDivisionError: division by zero"),
        ("own.py", TASK_FILE.replace('"Mood"', '"MRPC"'), "{path}:10: the name 'MRPC' is already that of"),
        ("own.txt", TASK_FILE, "{path} is no Python file"),
    ],
)
def test_a_file_that_registers_no_task_is_refused(tmp_path, monkeypatch, name, text, problem):
    monkeypatch.setattr(tasks.base, "_TASKS", dict(tasks.base._TASKS))
    path = tmp_path / name
    path.write_text(text)
    assert refused(tasks.load, str(path)).startswith(f"`task_file`: {problem.format(path=path)}")
