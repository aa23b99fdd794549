"""Sets of intents by name, as they are distributed: what does somebody want who asks a service this?"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar

from bert import files
from bert.errors import InputError, quoted
from bert.tasks.base import SPLITS, InputExample, Task, register
from bert.tasks.rows import Row


class Intents(Task):
    """A text and its intent; the intents are those of the training file, in alphabetical order."""

    measures = ("accuracy", "macro_f1")
    has_test_labels = True
    columns: ClassVar[tuple[str, str]]

    def example(self, row: Row, split: str) -> InputExample:
        text, intent = self.columns
        label = None if split == "test" else str(row[intent]).strip()
        return InputExample(f"{split}-{row.number}", row[text], label=label)

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        found = {str(row[self.columns[1]]).strip() for row in self.rows(data_dir, "train")}
        if not found:
            raise InputError(f"{self.path(data_dir, 'train')}: holds no example of task {self.name}")
        return tuple(sorted(found))


@register
class BANKING77(Intents):
    """Questions to a bank, 77 intents (Casanueva et al. 2020). It has no dev set: where there is no dev.csv, evaluation
    is on the test set, whose labels are in its file."""

    name = "banking77"
    columns = ("text", "category")
    file_names: ClassVar = {"train": "train.csv", "dev": ("dev.csv", "test.csv"), "test": "test.csv"}


@dataclasses.dataclass(frozen=True)
class Entry(Row):
    """A row of a JSON file that has no line of its own.

    Attributes:
      part: the list of the file that it stands in.
      place: its number in that list, from 0.
    """

    part: str = ""
    place: int = 0

    @property
    def where(self) -> str:
        return f"{self.path}: '{self.part}', entry {self.place + 1}"


@register
class CLINC150(Intents):
    """Requests to an assistant, 150 intents in ten domains (Larson et al. 2019), without those that are out of scope.

    One JSON file has lists of [text, intent] under `train`, `val` and `test`; of its forms the first that is there.
    """

    name = "clinc150"
    columns = ("text", "intent")
    forms: ClassVar = tuple(f"data_{form}.json" for form in ("full", "imbalanced", "small", "oos_plus"))
    file_names: ClassVar = dict.fromkeys(SPLITS, forms)
    parts: ClassVar[Mapping[str, tuple[str, ...]]] = {"train": ("train",), "dev": ("val",), "test": ("test",)}

    def rows(self, data_dir: str, split: str) -> Iterator[Row]:
        path, count = self.path(data_dir, split), 0
        content = files.read_json(path)
        files.checked(content, {part: [list] for part in self.parts[split]}, path)
        for part in self.parts[split]:
            for place, columns in enumerate(content[part]):
                row = Entry(path, count, columns, self.columns, part, place)
                if [type(value) for value in columns] != [str, str]:
                    raise InputError(f"{row.where}: found {quoted(columns)}, expected a text and its intent")
                yield row
                count += 1


@register
class CLINC150OutOfScope(CLINC150):
    """The same with the requests that are out of scope, as a class `oos`; to retrieval they are questions without an
    answer."""

    name = "clinc150-oos"
    outside = "oos"
    parts: ClassVar = {split: (part, f"oos_{part}") for split, (part,) in CLINC150.parts.items()}
