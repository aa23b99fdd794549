"""Records of run_classifier's tasks against those the original wrote (docs/parity.md 4 and 8).

`python tests/test_classifier_records.py` prints, for each case, how many records were compared and how many differ.
"""

import json
import pathlib
import tempfile

import pytest

from bert import tasks
from bert.records import rows
from bert.tasks.encoding import ClassificationRows
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands

HERE = pathlib.Path(__file__).parent
CASES = {  # task folder: task name, max_seq_length, public vocabulary of the full comparison
    "mrpc": ("mrpc", 64, "uncased"),
    "cola": ("cola", 16, "uncased"),
    "mnli": ("mnli", 16, "uncased"),
    "xnli": ("xnli", 16, "chinese"),
    "crlf": ("mrpc", 128, "uncased"),
    "cr": ("mrpc", 128, "uncased"),
    "quotes": ("mrpc", 16, "uncased"),
}
SPLITS = {"train": "train", "eval": "dev", "predict": "test"}  # record file: split


def written(folder, case: str, split: str, tokenizer: Tokenizer) -> list[dict]:
    """The features of every record that our code writes for a split of a case, read back from the file."""
    name, max_seq_length, _ = CASES[case]
    task = tasks.find(name)()
    examples = task.examples(str(folder / f"{case}_in"), split)
    with tempfile.TemporaryDirectory() as output:
        path = f"{output}/records"
        rows.write(path, ClassificationRows(examples, task.labels, tokenizer, max_seq_length))
        return commands.read_records(path)


def differing(expected: list[dict], found: list[dict]) -> int:
    """How many records differ; one that is missing or too many counts too."""
    unequal = sum(a != b for a, b in zip(expected, found, strict=False))
    return unequal + abs(len(expected) - len(found))


def differences(shared: pathlib.Path) -> dict[str, tuple[int, int]]:
    """For each case of the reference folder: records compared, records that differ."""
    folder = shared / "golden" / "classifier"
    result = {}
    for case, (_, _, vocabulary) in CASES.items():
        path = shared / "data" / "vocab" / f"bert-base-{vocabulary}-vocab.txt"
        tokenizer = Tokenizer(Vocabulary.from_file(str(path)), do_lower_case=True)
        compared = differ = 0
        for file, split in SPLITS.items():
            golden_file = folder / f"{case}_out" / f"{file}.records.jsonl"
            if golden_file.exists():
                expected = [json.loads(line) for line in golden_file.read_text().splitlines()]
                compared += len(expected)
                differ += differing(expected, written(folder, case, split, tokenizer))
        result[case] = (compared, differ)
    return result


def small_golden(path: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def expanded(record: dict, vocabulary: Vocabulary, max_seq_length: int) -> dict:
    """The features of a record of the project's own golden files, padded to max_seq_length."""
    ids = [vocabulary.id(token) for token in record["tokens"].split(" ")]
    padding = [0] * (max_seq_length - len(ids))
    return {
        "input_ids": ids + padding,
        "input_mask": [1] * len(ids) + padding,
        "segment_ids": [int(segment) for segment in record["segments"]] + padding,
        "label_ids": [record["label_id"]],
        "is_real_example": [record["is_real_example"]],
    }


@pytest.fixture(scope="module")
def tokenizer(golden) -> Tokenizer:
    """A tokenizer whose vocabulary is the WordPieces of the golden records."""
    pieces = set()
    for path in (golden / "classifier").glob("*_out/*.jsonl"):
        pieces.update(*(record["tokens"].split(" ") for record in small_golden(path)))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return Tokenizer(Vocabulary(special + sorted(pieces - set(special))), do_lower_case=True)


@pytest.mark.parametrize("case", CASES)
def test_records_are_those_of_the_original(golden, tokenizer, case):
    folder = golden / "classifier"
    files = [file for file in SPLITS if (folder / f"{case}_out" / f"{file}.jsonl").exists()]
    assert "train" in files
    for file in files:
        expected = small_golden(folder / f"{case}_out" / f"{file}.jsonl")
        expected = [expanded(record, tokenizer.vocabulary, CASES[case][1]) for record in expected]
        assert written(folder, case, SPLITS[file], tokenizer) == expected


def test_records_with_the_public_vocabularies(shared):
    found = differences(shared)
    assert found.keys() == CASES.keys()
    assert all(compared > 0 and differ == 0 for compared, differ in found.values()), found


if __name__ == "__main__":
    for case, (compared, differ) in differences(HERE.parent.parent / "shared").items():
        print(f"classifier {case}: {compared} records compared, {differ} differ")
