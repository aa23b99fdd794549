"""The `table` task: a user's own train.tsv, dev.tsv and test.tsv, with labels learned from the training file."""

import re
from collections.abc import Iterator

from bert.errors import InputError
from bert.tasks.base import InputExample, Row, Task, register

COLUMNS = ("id", "text", "text_b", "label")


@register
class Table(Task):
    """Tab-separated files whose header names `text`, `label` and, if wanted, `text_b` and `id`, in any order.

    Other columns are ignored. test.tsv needs no `label`; one that is there is not read. Space around a
    label is not part of it.
    """

    name = "table"

    def example(self, row: Row, split: str) -> InputExample:
        guid = row["id"] if "id" in row.header else f"{split}-{row.number}"
        text_b = row["text_b"] if "text_b" in row.header else None
        label = None if split == "test" else label_of(row)
        return InputExample(guid, row["text"], text_b, label)

    def rows(self, data_dir: str, split: str) -> Iterator[Row]:
        """The rows of a split. Raises InputError for a row that has not as many columns as the header."""
        for row in super().rows(data_dir, split):
            if row.number == 1:
                check_header(row)
            if len(row.columns) != len(row.header):
                raise InputError(
                    f"{row.where}: {len(row.columns)} columns, expected {len(row.header)} as in the header"
                )
            yield row

    def learn_labels(self, data_dir: str) -> tuple[str, ...]:
        """The labels of train.tsv, sorted; by value if all are whole numbers. Raises InputError for fewer than two."""
        labels = sorted({label_of(row) for row in self.rows(data_dir, "train")})
        if len(labels) < 2:
            found = f"only the label '{labels[0]}'" if labels else "no example"
            raise InputError(f"{self.path(data_dir, 'train')}: holds {found}, expected at least two labels")
        if all(re.fullmatch(r"[+-]?[0-9]+", label) for label in labels):
            labels.sort(key=int)
        return tuple(labels)


def label_of(row: Row) -> str:
    label = row["label"].strip()
    if not label:
        raise InputError(f"{row.where}: the label is empty, expected the name of a class")
    return label


def check_header(row: Row) -> None:
    """Raises InputError for a column of ours that the header names twice."""
    for name in COLUMNS:
        if row.header.count(name) > 1:
            raise InputError(f"{row.path}:1: the header names '{name}' {row.header.count(name)} times, expected once")
