"""What every task shares: examples, the rows they are read from, labels, and the registry of names.

A task of one's own is a class of about ten lines; once its module is imported, --task_name finds it:

    @register
    class Sentiment(Task):
        name = "sst-2"
        labels = ("0", "1")

        def example(self, row, split):
            label = None if split == "test" else row["label"]
            return InputExample(f"{split}-{row.number}", row["sentence"], label=label)
"""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from bert import files
from bert.errors import InputError

SPLITS = ("train", "dev", "test")
LABELS_FILE = "labels.json"
FIELD_LIMIT = 131072  # characters; longer ones mean a damaged file to the original too (PARITY 2)

_FLAGS = {"train": "do_train", "dev": "do_eval", "test": "do_predict"}
_TASKS: dict[str, type["Task"]] = {}


@dataclasses.dataclass(frozen=True)
class InputExample:
    """A text or a pair of texts to classify; `label` is None where there is none, as in a test set."""

    guid: str
    text_a: str
    text_b: str | None = None
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a tab-separated file. `row[3]` is a column by number, `row["text"]` by its name in the header.

    `number` counts the lines of the file from 0, header included, as the guids of the original do (PARITY 8).
    A column that is not there is an InputError naming file and line.
    """

    path: str
    number: int
    columns: Sequence[str]
    header: Sequence[str] = ()

    @property
    def where(self) -> str:
        return f"{self.path}:{self.number + 1}"

    def __getitem__(self, column: int | str) -> str:
        if isinstance(column, str):
            if column not in self.header:
                raise InputError(f"{self.path}:1: no column '{column}', the header has: {', '.join(self.header)}")
            column = self.header.index(column)
        try:
            return self.columns[column]
        except IndexError:
            raise InputError(
                f"{self.where}: too short: {len(self.columns)} columns, expected at least {column + 1}"
            ) from None


class Task:
    """A classification task: its name, its labels in the order of their ids, and how its files are read.

    A subclass sets the class attributes and defines `example`. A task whose labels are in its training
    file leaves `labels` empty and defines `learn_labels`.
    """

    name: ClassVar[str]
    file_names: ClassVar[Mapping[str, str]] = {"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"}
    headers: ClassVar[Sequence[str]] = SPLITS  # the splits whose file opens with a header line
    labels: tuple[str, ...] = ()

    def example(self, row: Row, split: str) -> InputExample | None:
        """The example of one row, None for a row that is not part of the task. Raises InputError."""
        raise NotImplementedError

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        """The labels found in the training file, in the order of their ids. Raises InputError."""
        raise NotImplementedError

    def prepare(self, data_dir: str, output_dir: str, splits: Sequence[str]) -> None:
        """Refuses what can be refused before any work, and settles `labels`.

        Labels that are not fixed come from the training file when `splits` has "train", otherwise from
        the labels.json of the training run, so that predicting needs no training file. Raises InputError
        naming every missing file, or a labels.json with other labels.
        """
        self.check(data_dir, splits)
        recorded = self.load_labels(output_dir)
        if not self.labels:
            if recorded and "train" not in splits:
                self.labels = recorded
                return
            self._check_training_file(data_dir, output_dir)
            self.labels = self.learn_labels(data_dir)
        if recorded and recorded != self.labels:
            raise InputError(
                f"{os.path.join(output_dir, LABELS_FILE)}: a model with labels {shown(recorded)} lies here, "
                f"but task {self.name} in --data_dir={data_dir} has {shown(self.labels)}"
            )

    def check(self, data_dir: str, splits: Sequence[str]) -> None:
        """Raises one InputError that names every file the splits need and cannot have."""
        problems = []
        for split in splits:
            if split not in self.file_names:
                problems.append(f"--{_FLAGS[split]}: task {self.name} has no {split} set")
                continue
            try:
                files.check_readable(self.path(data_dir, split), f"--{_FLAGS[split]}")
            except InputError as error:
                problems.append(str(error))
        if problems:
            raise InputError("; ".join(problems))

    def path(self, data_dir: str, split: str) -> str:
        return os.path.join(data_dir, self.file_names[split])

    def examples(self, data_dir: str, split: str) -> list[InputExample]:
        """Reads a split ("train", "dev" or "test") whole. Raises InputError with file and line."""
        self.check(data_dir, [split])
        if not self.labels:
            self.labels = self.learn_labels(data_dir)
        examples = []
        for row in self.rows(data_dir, split):
            example = self.example(row, split)
            if example is None:
                continue
            if example.label is not None and example.label not in self.labels:
                raise InputError(f"{row.where}: unknown label '{example.label}', expected one of {shown(self.labels)}")
            examples.append(example)
        if not examples:
            raise InputError(f"{self.path(data_dir, split)}: holds no example of task {self.name}")
        return examples

    def rows(self, data_dir: str, split: str) -> Iterator[Row]:
        """The rows of a split's file after its header."""
        return read_rows(self.path(data_dir, split), split in self.headers)

    def save_labels(self, output_dir: str) -> str:
        """Writes labels.json into the folder, so that a prediction knows the columns; returns its path."""
        path = os.path.join(output_dir, LABELS_FILE)
        content = {"task": self.name, "labels": list(self.labels)}
        files.write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
        return path

    def load_labels(self, output_dir: str) -> tuple[str, ...] | None:
        """The labels of the folder's labels.json, None if there is none. Raises InputError for a damaged one."""
        path = os.path.join(output_dir, LABELS_FILE)
        if not files.exists(path):
            return None
        try:
            content = json.loads("\n".join(files.read_lines(path)))
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
        labels = content.get("labels") if isinstance(content, dict) else None
        if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
            raise InputError(f"{path}: 'labels' is {labels!r}, expected a list of names")
        return tuple(labels)

    def _check_training_file(self, data_dir: str, output_dir: str) -> None:
        path = self.path(data_dir, "train")
        if not files.exists(path):
            raise InputError(
                f"--output_dir: {os.path.join(output_dir, LABELS_FILE)} does not exist, and neither does {path}: "
                f"the labels of task {self.name} are unknown, expected a folder that --do_train has filled"
            )


def shown(labels: Sequence[str]) -> str:
    """Labels for a message; of hundreds only the first ten."""
    return ", ".join(labels[:10]) + (f" ... ({len(labels)} labels)" if len(labels) > 10 else "")


def read_rows(path: str, has_header: bool) -> Iterator[Row]:
    """Yields the rows of a tab-separated file; quotation marks are text (PARITY 8).

    One empty line at the very end is no row. Raises InputError with file and line for an empty line
    elsewhere and for a field of more than 131072 characters.
    """
    header: Sequence[str] = ()
    blank = None
    for number, line in enumerate(files.read_lines(path)):
        if blank is not None:
            raise InputError(f"{path}:{blank + 1}: empty line, expected tab-separated columns")
        if not line:
            blank = number
            continue
        columns = line.split("\t")
        if len(line) > FIELD_LIMIT and max(map(len, columns)) > FIELD_LIMIT:
            size = max(map(len, columns))
            raise InputError(f"{path}:{number + 1}: a field of {size} characters, expected at most {FIELD_LIMIT}")
        if has_header and number == 0:
            header = [name.strip() for name in columns]
        else:
            yield Row(path, number, columns, header)


def register(task: type[Task]) -> type[Task]:
    """Class decorator: makes the task known under its `name`, in lower case."""
    _TASKS[task.name.lower()] = task
    return task


def known() -> list[str]:
    return sorted(_TASKS)


def find(name: str) -> type[Task]:
    """The task class of a name in any case. Raises InputError listing the known names."""
    if name.lower() not in _TASKS:
        raise InputError(f"--task_name is '{name}', expected one of {', '.join(known())}")
    return _TASKS[name.lower()]
