"""Takes the texts out of a task's training file, without labels: train.txt and held_out.txt for further pre-training.

    python -m examples.chinese.field_text --train_file=tnews/train.tsv --text_columns=1 --output_dir=field \\
        --evaluation_files='tnews/dev.*'

Each text is a document of its own. Those that occur twice, or in the evaluation files, are left out.
"""

import dataclasses

from bert import cli, files
from bert.errors import InputError
from bert.flags import check_positive
from bert.options import option, required
from examples.chinese import cleaning
from examples.chinese.texts import plain


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    train_file: str = required("The training file, columns separated by tabs.")
    output_dir: str = required("Folder for train.txt and held_out.txt.")
    text_columns: str = option("1", "The columns with texts, counted from 1, separated by commas.")
    evaluation_files: str = option("", "Dev and test sets whose texts are refused: names and globs, comma-separated.")
    held_out_every: int = option(50, "One text in so many is held out.")

    def check(self) -> None:
        check_positive(self, "held_out_every")
        for column in self.text_columns.split(","):
            if not column.isdecimal() or column == "0":
                raise InputError(f"--text_columns has '{column}', expected numbers from 1, separated by commas")


def main(settings: Settings) -> None:
    evaluation = cleaning.EvaluationTexts()
    for path in files.expand(settings.evaluation_files, "evaluation_files") if settings.evaluation_files else []:
        evaluation.add(cleaning.texts_of_file(path))
    columns = [int(column) - 1 for column in settings.text_columns.split(",")]
    parts: dict[str, list[str]] = {"train": [], "held_out": []}
    seen: set[str] = set()
    refused = repeated = 0
    for number, line in enumerate(files.read_lines(settings.train_file), start=1):
        fields = line.split("\t")
        if len(fields) <= max(columns):
            raise InputError(
                f"{settings.train_file}:{number}: {len(fields)} columns, expected at least {max(columns) + 1}"
            )
        for column in columns:
            text = cleaning.clean(plain(fields[column]))
            letters = cleaning.letters(text)
            if not letters or letters in seen:
                repeated += 1
            elif evaluation.has(letters):
                refused += 1
            else:
                part = "held_out" if cleaning.is_kept_apart([text], settings.held_out_every) else "train"
                parts[part].append(text)
            seen.add(letters)
    files.make_folder(settings.output_dir)
    for name, texts in parts.items():
        path = f"{settings.output_dir}/{name}.txt"
        files.write_text(path, "\n".join(f"{text}\n" for text in texts))
        print(f"{path}: {len(texts)} texts, {sum(map(len, texts))} characters")
    print(f"{repeated} repeated or empty ones and {refused} of the evaluation files are left out")


if __name__ == "__main__":
    cli.run(Settings, main)
