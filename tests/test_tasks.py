"""Reading task folders: columns, labels and guids of PARITY 8, bad files of PARITY 2."""

import json

import pytest

from bert import tasks
from bert.errors import InputError
from bert.tasks import InputExample

MRPC_HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"


@pytest.fixture
def folder(tmp_path):
    """Writes files into a task folder: folder(train="...") makes train.tsv; returns the folder's path."""

    def write(**texts: str) -> str:
        for split, text in texts.items():
            (tmp_path / f"{split}.tsv").write_bytes(text.encode("utf-8"))
        return str(tmp_path)

    return write


def refused(call, *arguments) -> str:
    """The one line of the InputError that the call raises."""
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_tasks_of_the_original_and_the_table_are_known():
    assert {"cola", "mnli", "mrpc", "table", "xnli"} <= set(tasks.known())
    assert tasks.find("MRPC") is tasks.find("mrpc")
    assert tasks.find("CoLA")().labels == ("0", "1")
    assert tasks.find("mnli")().labels == tasks.find("xnli")().labels == ("contradiction", "entailment", "neutral")


def test_an_unknown_task_is_told_with_the_known_ones():
    message = refused(tasks.find, "sst-2")
    assert message.startswith("--task_name is 'sst-2', expected one of ")
    assert "cola, mnli, mrpc, table, xnli" in message


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
        f"--do_train: {data_dir}/train.tsv does not exist; --do_predict: {data_dir}/test.tsv does not exist"
    )


def test_xnli_refuses_prediction_before_any_work(golden):
    data_dir = str(golden / "classifier" / "xnli_in")
    task = tasks.find("xnli")()
    task.check(data_dir, ["train", "dev"])
    assert refused(task.check, data_dir, tasks.SPLITS) == "--do_predict: task xnli has no test set"


def table():
    return tasks.find("table")()


def test_table_finds_its_columns_by_name(folder, tmp_path):
    data_dir = folder(
        train="label\tnote\ttext_b\ttext\tid\nsport\tx\tB\tA\tn1\n art \tx\t\tC\tn2\n",
        dev="text\tlabel\nonly\tart\n",
        test="text\nfirst\nsecond\n",
    )
    task = table()
    task.prepare(data_dir, str(tmp_path / "output"), tasks.SPLITS)
    assert task.labels == ("art", "sport")
    assert task.examples(data_dir, "train") == [
        InputExample("n1", "A", "B", "sport"),
        InputExample("n2", "C", "", "art"),
    ]
    assert task.examples(data_dir, "dev") == [InputExample("dev-1", "only", None, "art")]
    assert task.examples(data_dir, "test") == [InputExample("test-1", "first"), InputExample("test-2", "second")]


def test_table_sorts_whole_numbers_by_value(folder):
    train = "text\tlabel\n" + "".join(f"t\t{label}\n" for label in (10, 9, -1, 10))
    assert table().learn_labels(folder(train=train)) == ("-1", "9", "10")
    assert table().learn_labels(folder(train=train + "t\tx\n")) == ("-1", "10", "9", "x")


def test_table_does_not_read_the_labels_of_a_test_file(folder):
    data_dir = folder(train="text\tlabel\na\tx\nb\ty\n", test="text\tlabel\nc\t?\n")
    assert table().examples(data_dir, "test") == [InputExample("test-1", "c")]


def test_table_refuses_a_dev_label_that_training_never_saw(folder):
    data_dir = folder(train="text\tlabel\na\tx\nb\ty\n", dev="text\tlabel\nc\tx\nd\tz\n")
    message = refused(table().examples, data_dir, "dev")
    assert message == f"{data_dir}/dev.tsv:3: unknown label 'z', expected one of x, y"


@pytest.mark.parametrize(
    ("train", "problem"),
    [
        ("a\tx\nb\ty\n", ":1: no column 'label', the header has: a, x"),
        ("label\tsentence\nx\ta\ny\tb\n", ":1: no column 'text', the header has: label, sentence"),
        ("text\ttext\tlabel\na\tb\tx\n", ":1: the header names 'text' 2 times, expected once"),
        ("text\tlabel\na\n", ":2: 1 columns, expected 2 as in the header"),
        ("text\tlabel\na\tx\nb\tc\ty\n", ":3: 3 columns, expected 2 as in the header"),
        ("text\tlabel\na\t \n", ":2: the label is empty, expected the name of a class"),
        ("text\tlabel\na\tx\nb\tx\n", ": holds only the label 'x', expected at least two labels"),
        ("text\tlabel\n", ": holds no example, expected at least two labels"),
    ],
)
def test_table_refuses_a_bad_training_file(folder, train, problem):
    data_dir = folder(train=train)
    assert refused(table().examples, data_dir, "train") == f"{data_dir}/train.tsv{problem}"


def test_labels_json_makes_the_training_file_needless(folder, tmp_path):
    data_dir = folder(train="text\tlabel\na\tzwei\nb\tübrig\n", test="text\na\n")
    output_dir = tmp_path / "output"
    output_dir.mkdir()
    trained = table()
    trained.prepare(data_dir, str(output_dir), ["train"])
    path = trained.save_labels(str(output_dir))
    assert path == str(output_dir / "labels.json")
    assert json.loads((output_dir / "labels.json").read_text("utf-8")) == {"task": "table", "labels": ["zwei", "übrig"]}
    (tmp_path / "train.tsv").unlink()
    predicting = table()
    predicting.prepare(data_dir, str(output_dir), ["test"])
    assert predicting.labels == ("zwei", "übrig")


def test_without_training_and_labels_json_the_training_file_gives_the_labels(folder, tmp_path):
    data_dir = folder(train="text\tlabel\na\tx\nb\ty\n", test="text\na\n")
    task = table()
    task.prepare(data_dir, str(tmp_path / "output"), ["test"])
    assert task.labels == ("x", "y")
    (tmp_path / "train.tsv").unlink()
    message = refused(table().prepare, data_dir, str(tmp_path / "output"), ["test"])
    assert "labels.json does not exist, and neither does" in message
    assert message.startswith("--output_dir: ")


@pytest.mark.parametrize("name", ["table", "mrpc"])
def test_a_labels_json_with_other_labels_is_an_error(folder, tmp_path, name):
    train = "text\tlabel\na\tx\nb\ty\n" if name == "table" else MRPC_HEADER + "1\t1\t2\ta\tb\n"
    data_dir = folder(train=train)
    (tmp_path / "labels.json").write_text('{"task": "table", "labels": ["p", "q"]}')
    message = refused(tasks.find(name)().prepare, data_dir, str(tmp_path), ["train"])
    assert "labels.json: a model with labels p, q lies here" in message
    assert message.endswith("has x, y" if name == "table" else "has 0, 1")


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": []}', '{"labels": [1]}'])
def test_a_damaged_labels_json_is_an_error(tmp_path, text):
    (tmp_path / "labels.json").write_text(text)
    assert refused(table().load_labels, str(tmp_path)).startswith(f"{tmp_path}/labels.json:")


def test_a_task_of_ones_own_takes_ten_lines(folder, monkeypatch):
    monkeypatch.setattr(tasks.base, "_TASKS", dict(tasks.base._TASKS))  # forgotten after the test

    @tasks.register
    class Sentiment(tasks.Task):
        name = "sst-2"
        labels = ("0", "1")

        def example(self, row, split):
            label = None if split == "test" else row["label"]
            return InputExample(f"{split}-{row.number}", row["sentence"], label=label)

    task = tasks.find("SST-2")()
    data_dir = folder(train="sentence\tlabel\ngood\t1\n", test="index\tsentence\n0\tso so\n")
    assert task.examples(data_dir, "train") == [InputExample("train-1", "good", None, "1")]
    assert task.examples(data_dir, "test") == [InputExample("test-1", "so so")]
