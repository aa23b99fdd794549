"""What every kind of label can do."""

import abc
import collections
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from bert import records
from bert.errors import InputError
from bert.measures import Measure
from bert.tasks import reports
from bert.tasks.label_kinds.names import listed

Label = str | tuple[str, ...] | float | None
Stratum = tuple[str, ...] | float
Checked = TypeVar("Checked", str, tuple[str, ...], float)
SUMMARY_LABELS = 5  # of many classes, the most and the least frequent ones that are told


class LabelKind(abc.ABC, Generic[Checked]):
    """One of the kinds in this package; `Checked` is what its labels are once they are checked.

    Attributes:
      name: what `label_kind` and labels.json call it.
      record_kind: how its records are laid out.
      head: the name of its model among `bert.heads`.
      headline: the measures that are told at the end where the task names none.
    """

    name: ClassVar[str]
    record_kind: ClassVar[records.RecordKind]
    head: ClassVar[str]
    headline: ClassVar[tuple[str, ...]]
    has_classes: ClassVar[bool] = True

    @abc.abstractmethod
    def read(self, value: object, where: str, separator: str) -> Label:
        """The label in a cell of a table; `separator` stands between several classes. Raises InputError."""

    @abc.abstractmethod
    def check(self, label: Label, labels: Collection[str], where: str) -> Checked:
        """The label as this kind has it; among the keys of a dict many `labels` are searched at once.

        Raises InputError, opening with `where`, for one that is none.
        """

    def classes(self, label: Checked) -> tuple[str, ...]:
        """The classes that a label names."""
        return ()

    def stratum(self, label: Checked, where: str) -> Stratum:
        """What rows must share to be taken for alike where a set is split. Raises InputError as `check` does."""
        return tuple(sorted(self.classes(label)))

    @abc.abstractmethod
    def ids(self, examples_labels: Sequence[Checked | None], labels: Sequence[str]) -> np.ndarray:
        """`label_ids` of the records, [B, 1] or [B, C]; 0 where an example has no label, as in test sets."""

    def counts(self, examples_labels: Sequence[Checked], labels: Sequence[str]) -> list[int]:
        """How many examples have each class, [C]."""
        found = collections.Counter(name for label in examples_labels for name in self.classes(label))
        return [found[label] for label in labels]

    def head_arguments(
        self, labels: Sequence[str], examples_labels: Sequence[Checked], class_weights: Sequence[float] | None
    ) -> dict[str, Any]:
        """What the model of `head` takes beside the config; `examples_labels` are those of the training set."""
        return {"classes": len(labels), "class_weights": class_weights}

    def balanced_weights(self, examples_labels: Sequence[Checked], labels: Sequence[str]) -> list[float]:
        """What an example of each class must weigh so that all classes weigh alike, [C]; 1 where nothing is to be
        balanced."""
        ids = self.ids(examples_labels, labels)
        weights = self._balanced(ids, len(labels))
        return [float(weight) if np.isfinite(weight) and weight else 1.0 for weight in weights]

    def _balanced(self, ids: np.ndarray, classes: int) -> np.ndarray:
        raise InputError("the labels are numbers: there are no classes to weigh")

    @abc.abstractmethod
    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """The columns of test_results.tsv, float32 [B, C] or [B, 1], from logits of that shape."""

    @abc.abstractmethod
    def answers(self, probabilities: np.ndarray, labels: Sequence[str], separator: str = "|") -> list[str]:
        """What is predicted for each row, as a user reads it; `separator` stands between several classes."""

    def columns(self, labels: Sequence[str]) -> Sequence[str]:
        """What the columns of `probabilities` are called where people read them; no names, no columns."""
        return labels

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        """How sure each answer is, float32 [B]."""
        return probabilities.max(axis=1)

    def submitted(self, answer: str, labels: Sequence[str], where: str) -> str:
        """An answer as the server of a benchmark wants it. Raises InputError for one that the task has not."""
        self.check(answer, labels, where)
        return answer

    @abc.abstractmethod
    def measures(self, labels: Sequence[str]) -> tuple[Measure, ...]:
        """The measures that `report` has."""

    @abc.abstractmethod
    def report(self, label_ids: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> reports.Report:
        """How well predictions agree with labels: label_ids of `ids`, probabilities of `probabilities`."""

    @abc.abstractmethod
    def loss(self, label_ids: np.ndarray, probabilities: np.ndarray) -> float:
        """The mean loss of the head, of what is predicted instead of logits: label_ids of `ids`."""

    def summary(self, examples_labels: Sequence[Checked | None], labels: Sequence[str]) -> str:
        """The histogram of the labels, in their order, or of many the most and the least frequent; "" without any."""
        counts = collections.Counter(
            name for label in examples_labels if label is not None for name in self.classes(label)
        )
        names = list(labels)
        if not counts:
            return ""
        if len(names) > 2 * SUMMARY_LABELS:
            names.sort(key=lambda name: counts[name], reverse=True)
            del names[SUMMARY_LABELS:-SUMMARY_LABELS]
        parts = [f"{name}: {counts[name]}" for name in names]
        if len(names) < len(labels):
            parts.insert(SUMMARY_LABELS, f"... ({len(labels)} labels)")
        return "Labels: " + ", ".join(parts)

    def described(self, labels: Sequence[str]) -> str:
        """The labels of a task, for a message."""
        return listed(labels)
