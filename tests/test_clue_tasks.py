"""The Chinese tasks in the forms that circulate: JSON lines, and tab-separated files with and without a header."""

import json

import pytest

from bert import tasks
from bert.tasks import InputExample, labels_file
from tests.task_files import refused

FIRST, SECOND, THIRD = "怎么改密码", "密码在哪里改", "几点开门"
PAIR_TASKS = ("afqmc", "lcqmc", "bq")


def json_lines(*objects: dict) -> str:
    return "".join(json.dumps(values, ensure_ascii=False) + "\n" for values in objects)


def contents(examples: list[InputExample]) -> list[tuple]:
    return [(example.text_a, example.text_b, example.label) for example in examples]


PAIRS = {  # forms of one and the same file
    "train.json": json_lines(
        {"sentence1": FIRST, "sentence2": SECOND, "label": "1"}, {"sentence1": FIRST, "sentence2": THIRD, "label": "0"}
    ),
    "train.txt": f"{FIRST}\t{SECOND}\t1\n{FIRST}\t{THIRD}\t0\n",
    "train.tsv": f"text_a\ttext_b\tlabel\n{FIRST}\t{SECOND}\t1\n{FIRST}\t{THIRD}\t0\n",
    "labels first": f"label\ttext_a\ttext_b\n1\t{FIRST}\t{SECOND}\n0\t{FIRST}\t{THIRD}\n",
    "with numbers": f"\ufeffid\tsentence1\tsentence2\tlabel\r\n5\t{FIRST}\t{SECOND}\t1\r\n6\t{FIRST}\t{THIRD}\t0\r\n",
}


@pytest.mark.parametrize("name", PAIR_TASKS)
@pytest.mark.parametrize("form", PAIRS)
def test_pairs_in_every_form(folder, name, form):
    file_name = form if "." in form else "train.tsv"
    task = tasks.find(name)()
    examples = task.examples(folder({file_name: PAIRS[form]}), "train")
    assert contents(examples) == [(FIRST, SECOND, "1"), (FIRST, THIRD, "0")]
    numbers = (0, 1) if form in ("train.json", "train.txt") else (1, 2)
    assert [example.guid for example in examples] == [f"train-{number}" for number in numbers]
    assert task.labels == ("0", "1")
    assert (task.measures, task.submission) == (("accuracy",), None)


@pytest.mark.parametrize(
    ("file_name", "text"),
    [
        ("test.json", json_lines({"id": 0, "sentence1": FIRST, "sentence2": SECOND})),
        ("test.txt", f"{FIRST}\t{SECOND}\n"),
        ("test.txt", f"{FIRST}\t{SECOND}\t\n"),
        ("test.txt", f"{FIRST}\t{SECOND}\t1\n"),
        ("test.tsv", f"text_a\ttext_b\n{FIRST}\t{SECOND}\n"),
        ("test.tsv", f"text_a\ttext_b\tlabel\n{FIRST}\t{SECOND}\n"),
        ("test.tsv", f"label\ttext_a\ttext_b\n{FIRST}\t{SECOND}\n"),
        ("test.tsv", f"text_a\ttext_b\tlabel\n{FIRST}\t{SECOND}\t?\n"),
    ],
)
def test_a_test_file_of_pairs_needs_no_labels(folder, file_name, text):
    examples = tasks.find("lcqmc")().examples(folder({file_name: text}), "test")
    assert contents(examples) == [(FIRST, SECOND, None)]


def test_of_several_files_json_is_read_first_and_text_last(folder):
    data_dir = folder({"dev.txt": f"{FIRST}\t{THIRD}\t0\n"})
    assert contents(tasks.find("bq")().examples(data_dir, "dev")) == [(FIRST, THIRD, "0")]
    folder({"dev.tsv": f"{FIRST}\t{SECOND}\t1\n"})
    assert contents(tasks.find("bq")().examples(data_dir, "dev")) == [(FIRST, SECOND, "1")]
    folder({"dev.json": json_lines({"sentence1": SECOND, "sentence2": FIRST, "label": 1})})
    assert contents(tasks.find("bq")().examples(data_dir, "dev")) == [(SECOND, FIRST, "1")]


def test_a_missing_file_is_told_by_its_first_name(folder):
    data_dir = folder({})
    message = refused(tasks.find("afqmc")().check, data_dir, ["train", "test"])
    assert message == (
        f"`do_train`: {data_dir}/train.json does not exist; `do_predict`: {data_dir}/test.json does not exist"
    )


def test_quotation_marks_are_text(folder):
    examples = tasks.find("afqmc")().examples(folder({"train.txt": f'"开\t{THIRD}"\t0\n'}), "train")
    assert contents(examples) == [('"开', f'{THIRD}"', "0")]


@pytest.mark.parametrize(
    ("name", "split", "row"),
    [
        ("afqmc", "train", ("label", "sentence1", "1")),
        ("afqmc", "test", ("label", "标签")),
        ("tnews", "train", ("iPhone", "news_tech")),
    ],
)
def test_a_first_row_that_is_like_a_header_is_no_header(folder, name, split, row):
    texts = row if split == "test" else row[:-1]
    examples = tasks.find(name)().examples(folder({f"{split}.txt": "\t".join(row) + "\n"}), split)
    assert [(example.text_a, example.text_b)[: len(texts)] for example in examples] == [texts]


@pytest.mark.parametrize(
    ("file_name", "text", "problem"),
    [
        (
            "train.txt",
            f"{FIRST}\t{SECOND}\t1\n{FIRST}\t0\n",
            ":2: 2 columns, expected sentence1 TAB sentence2 TAB label",
        ),
        ("train.txt", f"{FIRST}\t{SECOND}\n", ":1: 2 columns, expected sentence1 TAB sentence2 TAB label"),
        ("train.txt", f"0\t{FIRST}\t{SECOND}\t1\n", ":1: 4 columns, expected sentence1 TAB sentence2 TAB label"),
        ("train.txt", f"1\t{FIRST}\t{SECOND}\n", f":1: unknown label '{SECOND}', expected one of 0, 1"),
        ("train.txt", f"{FIRST}\t{SECOND}\t\n", ":1: unknown label '', expected one of 0, 1"),
        ("train.tsv", f"text_a\ttext_b\tlabel\n{FIRST}\t1\n", ":2: 2 columns, expected text_a TAB text_b TAB label"),
        (
            "train.tsv",
            f"question1\tquestion2\tlabel\n{FIRST}\t{SECOND}\t1\n",
            ":1: no column 'sentence1', the header has: question1, question2, label",
        ),
        (
            "train.json",
            json_lines({"sentence1": FIRST, "label": "1"}),
            ":1: no key 'sentence2', expected it beside sentence1, label",
        ),
        (
            "train.json",
            json_lines({"sentence1": FIRST, "sentence2": SECOND}),
            ":1: no key 'label', expected it beside sentence1, sentence2",
        ),
        (
            "train.json",
            json_lines({"sentence1": 3, "sentence2": SECOND, "label": "1"}),
            ":1: 'sentence1' is '3', expected a text",
        ),
        ("train.json", "[]\n", ":1: found '[]', expected a JSON object"),
        ("train.json", "", ": holds no example of task afqmc"),
    ],
)
def test_a_wrong_file_is_told_with_line_and_what_was_expected(folder, file_name, text, problem):
    data_dir = folder({file_name: text})
    message = refused(tasks.find("afqmc")().examples, data_dir, "train")
    assert message == f"{data_dir}/{file_name}{problem}"


REVIEWS = {
    "train": (f"label\ttext_a\n1\t{FIRST}\n0\t{THIRD}\n", [(FIRST, None, "1"), (THIRD, None, "0")]),
    "dev": (f"qid\tlabel\ttext_a\n0\t1\t{FIRST}\n1\t0\t{THIRD}\n", [(FIRST, None, "1"), (THIRD, None, "0")]),
    "test": (f"qid\ttext_a\n0\t{FIRST}\n1\t{THIRD}\n", [(FIRST, None, None), (THIRD, None, None)]),
}


@pytest.mark.parametrize("split", REVIEWS)
def test_chnsenticorp(folder, split):
    text, expected = REVIEWS[split]
    examples = tasks.find("ChnSentiCorp")().examples(folder({f"{split}.tsv": text}), split)
    assert contents(examples) == expected
    assert [example.guid for example in examples] == [f"{split}-1", f"{split}-2"]


def test_chnsenticorp_with_labels_in_its_test_file(folder):
    data_dir = folder({"test.tsv": REVIEWS["train"][0]})
    assert contents(tasks.find("chnsenticorp")().examples(data_dir, "test")) == REVIEWS["test"][1]


def test_chnsenticorp_without_header_is_an_error(folder):
    data_dir = folder({"train.tsv": f"1\t{FIRST}\n0\t{THIRD}\n"})
    message = refused(tasks.find("chnsenticorp")().examples, data_dir, "train")
    assert message == (f"{data_dir}/train.tsv:1: no header before this row, expected one that names label and text_a")


NEWS_JSON = json_lines(
    {"label": "108", "label_desc": "news_edu", "sentence": "高考明天开始", "keywords": ""},
    {"label": "116", "label_desc": "news_game", "sentence": "新游戏上线了", "keywords": "游戏"},
)
NEWS_TEXT = "高考明天开始\tnews_edu\n新游戏上线了\tnews_game\n"


@pytest.mark.parametrize(
    ("file_name", "text", "labels", "ends"),
    [
        ("train.json", NEWS_JSON, ["108", "116"], ("100", "116")),
        ("train.tsv", NEWS_TEXT, ["news_edu", "news_game"], ("news_story", "news_game")),
        ("train.tsv", "sentence\tlabel\n" + NEWS_TEXT, ["news_edu", "news_game"], ("news_story", "news_game")),
        ("train.txt", NEWS_TEXT.replace("news_edu", "108").replace("news_game", "116"), ["108", "116"], ("100", "116")),
    ],
)
def test_tnews_has_the_labels_of_its_training_file(folder, file_name, text, labels, ends):
    task = tasks.find("tnews")()
    examples = task.examples(folder({file_name: text}), "train")
    assert contents(examples) == [("高考明天开始", None, labels[0]), ("新游戏上线了", None, labels[1])]
    assert len(set(task.labels)) == 15
    assert (task.labels[0], task.labels[-1]) == ends
    assert not {"105", "111"} & set(task.labels)


def test_tnews_predicts_without_a_training_file(folder, tmp_path):
    data_dir = folder({"train.json": NEWS_JSON, "test.json": json_lines({"id": 0, "sentence": "股市", "keywords": ""})})
    trained = tasks.find("tnews")()
    trained.prepare(data_dir, str(tmp_path / "output"), ["train"])
    labels_file.write(str(tmp_path), trained.labels_content())
    (tmp_path / "train.json").unlink()
    predicting = tasks.find("tnews")()
    predicting.prepare(data_dir, str(tmp_path), ["test"])
    assert predicting.labels == trained.labels
    assert contents(predicting.examples(data_dir, "test")) == [("股市", None, None)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (NEWS_TEXT.replace("news_game", "news_chess"), ":2: unknown label 'news_chess', expected one of news_story, "),
        (NEWS_TEXT.replace("news_game", "116"), ":2: unknown label '116', expected one of news_story, news_culture, "),
        (
            "高考\t105\n",
            ":1: unknown label '105', expected one of 100, 101, 102, 103, 104, 106, 107, 108, 109, 110 ...",
        ),
        ("高考明天开始\n", ":1: 1 columns, expected sentence TAB label"),
        ("", ": holds no example of task tnews"),
    ],
)
def test_tnews_refuses_other_labels(folder, text, problem):
    data_dir = folder({"train.txt": text})
    message = refused(tasks.find("tnews")().examples, data_dir, "train")
    assert message.startswith(f"{data_dir}/train.txt{problem}")


def test_iflytek(folder):
    data_dir = folder(
        {
            "train.json": json_lines({"label": "11", "label_des": "薅羊毛", "sentence": "省钱的应用"}),
            "dev.txt": "省钱的应用\t118\n",
            "test.json": json_lines({"id": 0, "sentence": "叫车的应用"}),
        }
    )
    task = tasks.find("iflytek")()
    assert task.examples(data_dir, "train") == [InputExample("train-0", "省钱的应用", None, "11")]
    assert task.examples(data_dir, "dev") == [InputExample("dev-0", "省钱的应用", None, "118")]
    assert task.examples(data_dir, "test") == [InputExample("test-0", "叫车的应用")]
    assert len(task.labels) == 119
    folder({"dev.txt": "省钱的应用\t119\n"})
    assert "/dev.txt:1: unknown label '119', expected one of 0, 1, 2, " in refused(task.examples, data_dir, "dev")


@pytest.mark.parametrize(
    ("name", "rows"),
    [("afqmc", {"train": 34334, "dev": 4316, "test": 3861}), ("tnews", {"train": 53360, "dev": 10000})],
)
def test_the_public_files_are_read_whole(shared, name, rows):
    data_dir = shared / "data" / name
    if not data_dir.is_dir():
        pytest.skip(f"needs the folder {data_dir}")
    task = tasks.find(name)()
    assert {split: len(task.examples(str(data_dir), split)) for split in rows} == rows
