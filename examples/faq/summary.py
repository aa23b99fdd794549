"""Prints what examples/faq/run.sh reached: hit rates, what is answered, intents, and the answers to a few questions.

python -m examples.faq.summary --output_dir=faq_output
"""

import dataclasses
import pathlib

from bert import cli, files
from bert.errors import InputError
from bert.options import required
from bert.tasks import table

FAQ = pathlib.Path(__file__).parent
MEASURES = ("hit_at_1", "hit_at_3", "mrr_at_10")
AT_THRESHOLD = ("coverage", "precision", "recall")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    output_dir: str = required("Folder that run.sh wrote into.")


def main(settings: Settings) -> None:
    output = pathlib.Path(settings.output_dir)
    print("\nThe test questions:\n")
    print("| | " + " | ".join((*MEASURES, *AT_THRESHOLD)) + " |")
    print("|---|" + "---:|" * len((*MEASURES, *AT_THRESHOLD)))
    for name in ("bm25", "faq"):
        path = output / name / "test_report.json"
        if path.exists():
            report = files.read_json(str(path))
            values = [report["measures"][measure] for measure in MEASURES]
            values += [report["threshold"][measure] for measure in AT_THRESHOLD]
            print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    print(f"\nOf the test questions {intent_accuracy(output):.3f} have the right intent.\n")
    asked = files.read_lines(str(FAQ / "asked.txt"))
    for question, answer in zip(asked, files.read_lines(str(output / "answers.tsv")), strict=True):
        text, intent, *_ = answer.split("\t")
        print(f"{question}\n  {text}\n  ({intent})")


def intent_accuracy(output: pathlib.Path) -> float:
    """The share of the intents in predictions.tsv that are right."""
    path = output / "intents" / "predictions.tsv"
    right = {row["id"]: row["label"] for row in table.rows_of(str(FAQ / "intents/test_labels.tsv"), has_header=True)}
    said = {row["id"]: row["label"] for row in table.rows_of(str(path), has_header=True)}
    if said.keys() != right.keys():
        raise InputError(f"{path}: has other rows than the test set")
    return sum(said[name] == label for name, label in right.items()) / len(right)


if __name__ == "__main__":
    cli.run(Settings, main)
