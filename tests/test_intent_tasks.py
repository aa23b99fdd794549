"""BANKING77 and CLINC150 as their authors give them out, in the small."""

import json

import pytest

from bert import tasks
from tests.task_files import refused

BANKING = 'text,category\n"Why, and\nwhen?",fees\nHow do I get cash?,cash\nWhere is it?,fees\n'
CLINC = {
    "train": [["how much is it", "price"], ["play it", "music"]],
    "val": [["what does it cost", "price"]],
    "test": [["sing", "music"]],
    "oos_train": [["what is love", "oos"]],
    "oos_val": [["who am i", "oos"], ["why", "oos"]],
    "oos_test": [["is there a god", "oos"]],
}


def contents(task, folder, split: str) -> list[tuple]:
    return [(example.guid, example.text_a, example.label) for example in task.examples(folder, split)]


def test_banking77_is_evaluated_on_its_test_set_unless_there_is_a_dev_set(folder):
    path = folder({"train.csv": BANKING, "test.csv": "text,category\nFees?,fees\n"})
    task = tasks.find("BANKING77")()
    assert contents(task, path, "train")[:2] == [
        ("train-1", "Why, and\nwhen?", "fees"),
        ("train-3", "How do I get cash?", "cash"),
    ]
    assert task.labels == ("cash", "fees")
    assert contents(task, path, "dev") == [("dev-1", "Fees?", "fees")]
    assert contents(task, path, "test") == [("test-1", "Fees?", None)]
    folder({"dev.csv": "text,category\nCash?,cash\n"})
    assert contents(task, path, "dev") == [("dev-1", "Cash?", "cash")]


def test_clinc150_with_and_without_what_is_out_of_scope(folder):
    path = folder({"data_full.json": json.dumps(CLINC, indent=1), "data_small.json": "{}"})
    task, wide = tasks.find("clinc150")(), tasks.find("clinc150-oos")()
    assert contents(task, path, "train") == [("train-0", "how much is it", "price"), ("train-1", "play it", "music")]
    assert task.labels == ("music", "price")
    assert contents(task, path, "dev") == [("dev-0", "what does it cost", "price")]
    assert contents(wide, path, "train")[2:] == [("train-2", "what is love", "oos")]
    assert wide.labels == ("music", "oos", "price")
    assert [label for *_, label in contents(wide, path, "dev")] == ["price", "oos", "oos"]
    assert contents(wide, path, "test") == [("test-0", "sing", None), ("test-1", "is there a god", None)]
    folder({"data_imbalanced.json": json.dumps(CLINC)})
    assert task.path(path, "train").endswith("data_full.json")


@pytest.mark.parametrize("form", ["full", "imbalanced", "small", "oos_plus"])
def test_clinc150_has_four_forms(folder, form):
    path = folder({f"data_{form}.json": json.dumps(CLINC)})
    assert [text for _, text, _ in contents(tasks.find("clinc150")(), path, "dev")] == ["what does it cost"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {**CLINC, "val": [["a text"]]},
            "data_full.json: 'val', entry 1: found '['a text']', expected a text and its intent",
        ),
        (
            {**CLINC, "val": [["x", "price"], ["y", 3]]},
            "data_full.json: 'val', entry 2: found '['y', 3]', expected a text",
        ),
        ({**CLINC, "val": ["x"]}, "data_full.json: 'val[0]' is \"x\", expected a list"),
        ({"train": CLINC["train"]}, "data_full.json: has no 'val', expected a list, each a list"),
        ({**CLINC, "val": []}, "data_full.json: holds no example of task clinc150"),
        ({**CLINC, "val": [["x", "weather"]]}, "data_full.json: 'val', entry 1: unknown label 'weather'"),
    ],
)
def test_a_damaged_file_of_clinc150(folder, content, said):
    path = folder({"data_full.json": json.dumps(content)})
    assert said in refused(tasks.find("clinc150")().examples, path, "dev")


def test_no_training_rows(folder):
    task = tasks.find("banking77")()
    assert "holds no example of task banking77" in refused(
        task.examples, folder({"train.csv": "text,category\n"}), "train"
    )
