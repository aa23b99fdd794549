"""Records of run_squad against those the original wrote (docs/parity.md 4 and 8).

`python tests/test_squad_records.py` prints, for each case, how many records were compared and how many differ.
"""

import json
import pathlib
import tempfile

import pytest

from bert.records import rows
from bert.tasks.squad import examples, windows
from bert.tokenization import Tokenizer, Vocabulary
from tests import commands

HERE = pathlib.Path(__file__).parent
CASES = {  # records: questions, whether for training, max_seq_length, doc_stride, max_query_length
    "train": ("train", True, 128, 64, 32),
    "dev": ("dev", False, 128, 64, 32),
    "v2_train": ("v2", True, 96, 128, 64),
    "v2_dev": ("v2", False, 96, 128, 64),
}
FULL = {  # the same in the reference folder
    "train": "train.records.jsonl",
    "dev": "eval.records.jsonl",
    "v2_train": "v2_out/train.records.jsonl",
    "v2_dev": "v2_out/eval.records.jsonl",
}


def built(path: pathlib.Path, case: str, tokenizer: Tokenizer) -> windows.QuestionWindows:
    name, training, *lengths = CASES[case]
    if training:
        found = examples.read_training(str(path), with_impossible=name == "v2")
    else:
        found = examples.read_prediction(str(path))
    return windows.build(found, tokenizer, *lengths, with_answers=training)


def written(path: pathlib.Path, case: str, tokenizer: Tokenizer) -> list[dict]:
    """The features of every record that our code writes for a case, read back from the file."""
    with tempfile.TemporaryDirectory() as output:
        rows.write(f"{output}/records", built(path, case, tokenizer))
        return commands.read_records(f"{output}/records")


def expanded(golden: dict, vocabulary: Vocabulary, max_seq_length: int) -> list[dict]:
    """The records that a file of the project's own golden folder stands for."""
    result = []
    for number, (document, question, first, size, *labels) in enumerate(golden["rows"]):
        question = golden["questions"][question].split(" ")
        part = golden["documents"][document].split(" ")[first : first + size]
        ids = [vocabulary.id(token) for token in ["[CLS]", *question, "[SEP]", *part, "[SEP]"]]
        padding = [0] * (max_seq_length - len(ids))
        record = {
            "unique_ids": [1_000_000_000 + number],
            "input_ids": ids + padding,
            "input_mask": [1] * len(ids) + padding,
            "segment_ids": [0] * (len(question) + 2) + [1] * (len(part) + 1) + padding,
        }
        names = ("start_positions", "end_positions", "is_impossible")
        result.append({**record, **{name: [label] for name, label in zip(names, labels, strict=False)}})
    return result


def differences(shared: pathlib.Path) -> dict[str, tuple[int, int]]:
    """For each case of the reference folder: records compared, records that differ."""
    folder = shared / "golden" / "squad"
    path = shared / "data" / "vocab" / "bert-base-uncased-vocab.txt"
    tokenizer = Tokenizer(Vocabulary.from_file(str(path)), do_lower_case=True)
    result = {}
    for case, file in FULL.items():
        expected = [json.loads(line) for line in (folder / file).read_text().splitlines()]
        found = written(folder / f"squad_{CASES[case][0]}.json", case, tokenizer)
        unequal = sum(a != b for a, b in zip(expected, found, strict=False)) + abs(len(expected) - len(found))
        result[case] = (len(expected), unequal)
    return result


@pytest.fixture(scope="module")
def tokenizer(golden) -> Tokenizer:
    return golden_tokenizer(golden)


def golden_tokenizer(golden: pathlib.Path) -> Tokenizer:
    """A tokenizer whose vocabulary is the WordPieces of the golden records."""
    pieces = set()
    for path in (golden / "squad").glob("*_records.json"):
        content = json.loads(path.read_text("utf-8"))
        pieces.update(*(text.split(" ") for text in content["documents"] + content["questions"]))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return Tokenizer(Vocabulary(special + sorted(pieces - set(special))), do_lower_case=True)


@pytest.mark.parametrize("case", CASES)
def test_records_are_those_of_the_original(golden, tokenizer, case):
    folder = golden / "squad"
    packed = json.loads((folder / f"{case}_records.json").read_text("utf-8"))
    expected = expanded(packed, tokenizer.vocabulary, CASES[case][2])
    assert len(expected) > 9
    assert written(folder / f"{CASES[case][0]}.json", case, tokenizer) == expected


def test_records_with_the_public_vocabulary(shared):
    found = differences(shared)
    assert found.keys() == CASES.keys()
    assert all(compared > 0 and differ == 0 for compared, differ in found.values()), found


if __name__ == "__main__":
    for case, (compared, differ) in differences(HERE.parent.parent / "shared").items():
        print(f"squad {case}: {compared} records compared, {differ} differ")
