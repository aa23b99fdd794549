"""What every task shares: examples, the rows they are read from, labels, and the registry of names.

A task of one's own is a class of about ten lines; once its module is imported, `find` knows its name:

    @register
    class Shouting(Task):
        name = "shouting"
        labels = ("calm", "loud")

        def example(self, row, split):
            label = None if split == "test" else row["mood"]
            return InputExample(f"{split}-{row.number}", row["words"], label=label)
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from bert import files
from bert.errors import InputError, quoted
from bert.tasks import label_kinds, labels_file, rows, task_files
from bert.tasks.label_kinds import Label, LabelKind
from bert.tasks.rows import Row

_NAMES = {"guid": "a text", "text_a": "a text", "text_b": "a text or None"}
SPLITS = ("train", "dev", "test")

_FLAGS = {"train": "do_train", "dev": "do_eval", "test": "do_predict"}
_TASKS: dict[str, type["Task"]] = {}


@dataclasses.dataclass(frozen=True)
class InputExample:
    """A text or a pair of texts; `label` is None where there is none, as in a test set."""

    guid: str
    text_a: str
    text_b: str | None = None
    label: Label = None


class Task:
    """What is learned: its name, its labels in the order of their ids, how its files are read, how it is judged.

    A subclass sets the class attributes and defines `example`. A task whose labels are in its training
    file leaves `labels` empty and defines `learn_labels`; a regression has none.
    """

    name: ClassVar[str]
    file_names: ClassVar[Mapping[str, str | Sequence[str]]] = {  # several names: the first that is there
        "train": "train.tsv",
        "dev": "dev.tsv",
        "test": "test.tsv",
    }
    headers: ClassVar[Sequence[str]] = SPLITS  # the splits whose file opens with a header line
    labels: tuple[str, ...] = ()
    label_kind: LabelKind = label_kinds.CLASS
    measures: ClassVar[Sequence[str]] = ()  # what the benchmark reports, names as in eval_report.json
    submission: ClassVar[str | None] = None  # the file that the benchmark's server takes
    outside: ClassVar[str | None] = None  # the label that means: none of the others, which retrieval does not answer
    has_test_labels: ClassVar[bool] = False  # whether the test file holds them, though no prediction reads them

    def example(self, row: Row, split: str) -> InputExample | None:
        """The example of one row, None for a row that is not part of the task. Raises InputError."""
        raise NotImplementedError

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        """The labels found in the training file, in the order of their ids. Raises InputError."""
        raise NotImplementedError

    @property
    def knows_labels(self) -> bool:
        return bool(self.labels) or not self.label_kind.has_classes

    def prepare(self, data_dir: str, model_dir: str, splits: Sequence[str]) -> None:
        """Refuses what can be refused before any work, and settles `labels`.

        Labels that are not fixed come from the training file when `splits` has "train", otherwise from
        the labels.json of the training run, so that predicting needs no training file. Raises InputError
        naming every missing file, or a labels.json with other labels.
        """
        self.check(data_dir, splits)
        stored = labels_file.read(model_dir)
        if stored and "train" not in splits:
            self.take_labels(stored)
        elif not self.knows_labels:
            self._check_training_file(data_dir, model_dir)
            self._learn_labels(data_dir)
        if stored and (stored["labels"], stored["label_kind"]) != (list(self.labels), self.label_kind.name):
            raise InputError(
                f"{os.path.join(model_dir, labels_file.LABELS_FILE)}: a model with labels "
                f"{labels_file.described(stored)} lies here, but task {self.name} in `data_dir`={data_dir} has "
                f"{labels_file.described(self.labels_content())}"
            )

    def take_labels(self, stored: Mapping) -> None:
        """Takes up the labels of a trained model's labels.json, where this task has none of its own."""
        if not self.knows_labels:
            self.labels = tuple(stored["labels"])

    def check(self, data_dir: str, splits: Sequence[str]) -> None:
        """Raises one InputError that names every file the splits need and cannot have."""
        problems = []
        for split in splits:
            if split not in self.file_names:
                problems.append(f"`{_FLAGS[split]}`: task {self.name} has no {split} set")
                continue
            try:
                files.check_readable(self.path(data_dir, split), f"`{_FLAGS[split]}`")
            except InputError as error:
                problems.append(str(error))
        if problems:
            raise InputError("; ".join(problems))

    def path(self, data_dir: str, split: str) -> str:
        """The file of a split; of several names the first that is there."""
        names = self.file_names[split]
        paths = [os.path.join(data_dir, name) for name in ([names] if isinstance(names, str) else names)]
        return next((path for path in paths if files.exists(path)), paths[0])

    def examples(self, data_dir: str, split: str) -> list[InputExample]:
        """Reads a split ("train", "dev" or "test") whole. Raises InputError with file and line."""
        self.check(data_dir, [split])
        if not self.knows_labels:
            self._learn_labels(data_dir)
        examples = []
        labels = dict.fromkeys(self.labels)  # thousands of them are found at once in a dict
        for row in self.rows(data_dir, split):
            with task_files.calling(self):
                example = self.example(row, split)
            if example is None:
                continue
            check_example(example, f"{row.where}: task {self.name}")
            if example.label is not None:
                label = self.label_kind.check(example.label, labels, row.where)
                example = dataclasses.replace(example, label=label)
            examples.append(example)
        if not examples:
            raise InputError(f"{self.path(data_dir, split)}: holds no example of task {self.name}")
        return examples

    def rows(self, data_dir: str, split: str) -> Iterator[Row]:
        """The rows of a split's file after its header."""
        return rows.read(self.path(data_dir, split), split in self.headers)

    def labels_content(self) -> dict:
        return {"task": self.name, "label_kind": self.label_kind.name, "labels": list(self.labels)}

    def _learn_labels(self, data_dir: str) -> None:
        with task_files.calling(self):
            self.labels = self.learn_labels(data_dir)
        labels_file.check_labels(self.labels, f"task {self.name}")

    def _check_training_file(self, data_dir: str, model_dir: str) -> None:
        path = self.path(data_dir, "train")
        if not files.exists(path):
            raise InputError(
                f"`output_dir`: {os.path.join(model_dir, labels_file.LABELS_FILE)} does not exist, and neither does "
                f"{path}: the labels of task {self.name} are unknown, expected a folder that `do_train` has filled"
            )


def check_example(example: object, where: str) -> None:
    """Raises InputError, opening with `where`, for what is no example, or one of other types than InputExample says."""
    if not isinstance(example, InputExample):
        raise InputError(f"{where}: `example` returned {quoted(example)}, expected an InputExample or None")
    for name, kinds in (("guid", str), ("text_a", str), ("text_b", str | None)):
        value = getattr(example, name)
        if not isinstance(value, kinds):
            raise InputError(f"{where}: {name} is {quoted(value)} ({type(value).__name__}), expected {_NAMES[name]}")


def register(task: type[Task]) -> type[Task]:
    """Class decorator: makes the task known under its `name`, in lower case.

    Raises InputError for a taken one, and for a class that lacks what a task needs.
    """
    if not isinstance(getattr(task, "name", None), str) or not task.name:
        raise InputError(f"the task {task.__qualname__} has no `name`, expected a text")
    if task.example is Task.example:
        raise InputError(f"the task {task.__qualname__} has no `example`, expected a method of that name")
    labels: object = task.labels
    if not isinstance(labels, property):
        labels_file.check_labels(labels, f"the task {task.__qualname__}")
    owner = _TASKS.get(task.name.lower(), task)
    if owner.__qualname__ != task.__qualname__:  # the same class anew, as when its file is read twice, is welcome
        raise InputError(f"the name '{task.name}' is already that of the task {owner.__qualname__}")
    _TASKS[task.name.lower()] = task
    return task


def load(path: str) -> None:
    """Runs a Python file, so that the tasks it registers are known. Raises InputError for one that fails."""
    before = dict(_TASKS)
    task_files.run(path)
    if before == _TASKS:
        raise InputError(f"`task_file`: {path} registers no task, expected a class under @register")


def known() -> list[str]:
    return sorted(_TASKS)


def find(name: str) -> type[Task]:
    """The task class of a name in any case. Raises InputError listing the known names."""
    if name.lower() not in _TASKS:
        raise InputError(f"`task_name` is '{name}', expected one of {', '.join(known())}")
    return _TASKS[name.lower()]
