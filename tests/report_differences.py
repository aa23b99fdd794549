"""Prints the largest difference from the reference values for every part of the project that has some.

    python -m tests.report_differences [FOLDER]

FOLDER is the optional folder of reference values made with public vocabularies; without it only those in tests/golden
are compared.
"""

import pathlib
import sys
import tempfile

from bert import cli
from bert.tokenization import Tokenizer, Vocabulary
from tests import model_references, test_classifier_records, test_pretraining_data, test_tokenization
from tests.conftest import TESTS


def model(folder: pathlib.Path) -> None:
    micro = folder / "model" / "micro"
    parts = {
        "forward": model_references.forward_differences(micro),
        "gradients": model_references.gradient_differences(micro),
        "ten pre-training steps": model_references.trajectory_differences(micro),
        "ten classifier steps": model_references.classifier_differences(micro),
    }
    for name, differences in parts.items():
        place = max(differences, key=differences.get)
        print(f"{name}: largest difference {differences[place]:.1e} of {len(differences)} values, in {place}")


def pretraining_data(folder: pathlib.Path, cases: list[str]) -> None:
    for case in cases:
        with tempfile.TemporaryDirectory() as output:
            compared, differ = test_pretraining_data.differences(case, folder, pathlib.Path(output))
        print(f"pre-training data {case}: {compared} records compared, {differ} differ")


def tokenizer(folder: pathlib.Path, vocabularies: pathlib.Path, cases) -> None:
    for name, vocabulary, lower_case in cases:
        found = Tokenizer(Vocabulary.from_file(str(vocabularies / vocabulary)), lower_case)
        differ, lines = test_tokenization.count_differences(folder / "tokenizer" / f"{name}.jsonl", found)
        print(f"tokenizer {name}: {lines} lines compared, {differ} differ")


def main(shared: pathlib.Path | None) -> None:
    golden = TESTS / "golden"
    model(golden)
    pretraining_data(golden, test_pretraining_data.SMALL_CASES)
    tokenizer(golden, golden, [(name, "vocab_small.txt", lower) for name, lower in test_tokenization.SMALL])
    if shared is None:
        print("cases with public vocabularies: not compared, no folder given")
        return
    pretraining_data(shared / "golden", test_pretraining_data.LARGE_CASES)
    tokenizer(shared / "golden", shared / "data" / "vocab", test_tokenization.PUBLIC)
    for case, (compared, differ) in test_classifier_records.differences(shared).items():
        print(f"classifier {case}: {compared} records compared, {differ} differ")


if __name__ == "__main__":
    cli.import_tensorflow()
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
