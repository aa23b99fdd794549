"""Prints what the demo reached: a line for each step, then the files worth looking at.

python -m examples.demo.summary --runs=FOLDER --seconds=240
"""

import dataclasses
import json
import pathlib

from bert import cli, files, records
from bert.options import required

TABLE = "{:<20}{:<68}{:>7}"
PATHS = (
    "tf_examples.tfrecord",
    "pretraining_output/eval_results.txt",
    "classifier_output/eval_results.txt",
    "classifier_output/eval_report.json",
    "classifier_output/predictions.tsv",
    "classifier_output/test_results.tsv",
    "classifier_output/checkpoint",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    runs: str = required("Folder the demo wrote into.")
    seconds: int = required("Seconds the whole demo took.")


def read_results(path: pathlib.Path) -> dict[str, float]:
    """The `key = value` lines of an eval_results.txt."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {key: float(value) for key, value in (line.split(" = ") for line in lines)}


def read_columns(path: pathlib.Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]


def test_accuracy(runs: pathlib.Path) -> tuple[float, int]:
    """Share of test articles whose most probable label is theirs, and how many articles there are."""
    labels = json.loads((runs / "classifier_output/labels.json").read_text(encoding="utf-8"))["labels"]
    expected = [label for _, label in read_columns(runs / "bbc_news/test.tsv")[1:]]
    rows = [[float(value) for value in row] for row in read_columns(runs / "classifier_output/test_results.tsv")]
    hits = sum(labels[row.index(max(row))] == label for row, label in zip(rows, expected, strict=True))
    return hits / len(expected), len(expected)


def results(runs: pathlib.Path) -> dict[str, str]:
    """Step -> what came out of it, in one line."""
    articles = {name: len(read_columns(runs / f"bbc_news/{name}.tsv")) - 1 for name in ("train", "dev", "test")}
    pretrained = read_results(runs / "pretraining_output/eval_results.txt")
    with open(runs / "pretraining_output/metrics.jsonl", encoding="utf-8") as file:
        first = json.loads(next(file))
    classified = read_results(runs / "classifier_output/eval_results.txt")
    accuracy, count = test_accuracy(runs)
    return {
        "texts": ", ".join(f"{articles[name]} {name}" for name in articles) + " BBC news articles",
        "pretraining data": f"{records.count(str(runs / 'tf_examples.tfrecord'))} instances of sample_text.txt",
        "pretraining": (
            f"{pretrained['global_step']:.0f} steps, masked LM loss {first['masked_lm_loss']:.2f} before, "
            f"{pretrained['masked_lm_loss']:.2f} after, accuracy {pretrained['masked_lm_accuracy']:.3f}"
        ),
        "classifier": (
            f"{classified['global_step']:.0f} steps, dev accuracy {classified['eval_accuracy']:.3f}, "
            f"test accuracy {accuracy:.3f} of {count}"
        ),
    }


def main(settings: Settings) -> None:
    runs = pathlib.Path(settings.runs)
    seconds = dict(read_columns(runs / "seconds.tsv"))
    print(TABLE.format("step", "result", "seconds"))
    for step, result in results(runs).items():
        print(TABLE.format(step, result, seconds[step]))
    print(TABLE.format("all", "", settings.seconds))
    print("\nWritten:")
    for path in PATHS:
        files.check_readable(str(runs / path))
        print(f"  {runs / path}")


if __name__ == "__main__":
    cli.run(Settings, main)
