"""Makes the tables of `bert run_retrieval` of the example's files: a knowledge base, and questions to judge it by.

    python -m examples.faq.knowledge_base --output_dir=output/faq-knowledge

The knowledge base is the training sentences of intents/, each with its intent as the id of an answer, and the answers
of answers.tsv. The questions of dev.tsv and test.tsv are those of intents/, and those of outside/, to which the shop
has no answer: their id is empty.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterable

from bert import cli, files
from bert.options import required
from bert.tasks import table
from bert.tasks.rows import Row

FAQ = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    output_dir: str = required("Folder for questions.tsv (the knowledge base), dev.tsv and test.tsv.")


def main(settings: Settings) -> None:
    files.check_folder(settings.output_dir, "output_dir")
    files.make_folder(settings.output_dir)
    answers = {str(row["answer_id"]): str(row["answer"]) for row in rows("answers.tsv")}
    questions = [(row["text"], row["label"], answers[str(row["label"])]) for row in rows("intents/train.tsv")]
    labels = {row["id"]: row["label"] for row in rows("intents/test_labels.tsv")}
    asked = {
        "dev": [(row["text"], row["label"]) for row in rows("intents/dev.tsv")],
        "test": [(row["text"], labels[row["id"]]) for row in rows("intents/test.tsv")],
    }
    write(settings, "questions.tsv", ("question", "answer_id", "answer"), questions)
    for split, own in asked.items():
        outside = [(row["text"], "") for row in rows(f"outside/{split}.tsv")]
        write(settings, f"{split}.tsv", ("text", "answer_id"), own + outside)


def rows(name: str) -> list[Row]:
    """The rows of a file of the example."""
    return list(table.rows_of(str(FAQ / name), has_header=True))


def write(settings: Settings, name: str, header: tuple[str, ...], lines: Iterable[tuple]) -> None:
    path = os.path.join(settings.output_dir, name)
    content = ["\t".join(map(str, line)) for line in (header, *lines)]
    files.write_lines(path, content)
    print(f"Wrote {len(content) - 1} rows to {path}")


if __name__ == "__main__":
    cli.run(Settings, main)
