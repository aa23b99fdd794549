"""What a label is: one class, several classes at once, or a number.

Whatever depends on that is a method here: how a label is read from a cell and checked, written to records, learned by a
head, read off the model's logits, told to people and judged. Shapes: B examples, C classes.
"""

import abc
import collections
import itertools
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from scipy import special

from bert import records
from bert.errors import InputError
from bert.measures import Measure
from bert.tasks import reports
from bert.tasks.rows import shortened

Label = str | tuple[str, ...] | float | None
Stratum = tuple[str, ...] | float
Checked = TypeVar("Checked", str, tuple[str, ...], float)
SUMMARY_LABELS = 5  # of many classes, the most and the least frequent ones that are told


class LabelKind(abc.ABC, Generic[Checked]):
    """One of the kinds below; `Checked` is what its labels are once they are checked.

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


class SingleLabel(LabelKind[str]):
    """One class an example."""

    name = "class"
    record_kind = records.CLASSIFIER
    head = "SequenceClassifier"
    headline = ("accuracy", "macro_f1")

    def read(self, value: object, where: str, separator: str) -> Label:
        return class_name(value, where)

    def check(self, label: Label, labels: Collection[str], where: str) -> str:
        if not isinstance(label, str) or label not in labels:
            raise InputError(f"{where}: unknown label {shortened(label)}, expected one of {listed(labels)}")
        return label

    def classes(self, label: str) -> tuple[str, ...]:
        return (label,)

    def ids(self, examples_labels: Sequence[str | None], labels: Sequence[str]) -> np.ndarray:
        ids_of: Mapping[str | None, int] = {label: i for i, label in enumerate(labels)} | {None: 0}
        return np.array([ids_of[label] for label in examples_labels], np.int32)[:, np.newaxis]  # [B, 1]

    def _balanced(self, ids: np.ndarray, classes: int) -> np.ndarray:
        """N / (C · examples of the class), as scikit-learn's `balanced`: each class weighs N / C together."""
        counts = np.bincount(ids[:, 0], minlength=classes)  # [C]
        return len(ids) / classes / np.where(counts, counts, np.inf)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return special.softmax(logits, axis=1)

    def answers(self, probabilities: np.ndarray, labels: Sequence[str], separator: str = "|") -> list[str]:
        return [labels[i] for i in probabilities.argmax(axis=1)]

    def measures(self, labels: Sequence[str]) -> tuple[Measure, ...]:
        return reports.single_label_measures(len(labels))

    def report(self, label_ids: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> reports.Report:
        return reports.single_label(label_ids[:, 0], probabilities.argmax(axis=1), labels)

    def loss(self, label_ids: np.ndarray, probabilities: np.ndarray) -> float:
        return float(-np.log(_above_0(np.take_along_axis(probabilities, label_ids, axis=1))).mean())


class MultiLabel(LabelKind[tuple[str, ...]]):
    """Any number of classes an example, none included."""

    name = "multilabel"
    record_kind = records.MULTI_LABEL
    head = "MultiLabelClassifier"
    headline = ("micro_f1", "macro_f1")
    threshold = 0.5

    def read(self, value: object, where: str, separator: str) -> Label:
        if isinstance(value, (list, tuple)):
            return tuple(dict.fromkeys(class_name(part, where) for part in value))
        if isinstance(value, str):
            parts = (part.strip() for part in value.split(separator))
            return tuple(dict.fromkeys(part for part in parts if part))
        return (class_name(value, where),)

    def check(self, label: Label, labels: Collection[str], where: str) -> tuple[str, ...]:
        if label is None or isinstance(label, int | float):  # a task of one's own may give anything
            raise InputError(f"{where}: the label is {shortened(label)}, expected some of {listed(labels)}")
        found = (label,) if isinstance(label, str) else tuple(label)
        unknown = next((one for one in found if not isinstance(one, Hashable) or one not in labels), None)
        if unknown is not None:
            raise InputError(f"{where}: unknown label {shortened(unknown)}, expected some of {listed(labels)}")
        return found

    def classes(self, label: tuple[str, ...]) -> tuple[str, ...]:
        return label or ()

    def ids(self, examples_labels: Sequence[tuple[str, ...] | None], labels: Sequence[str]) -> np.ndarray:
        ids_of = {label: i for i, label in enumerate(labels)}
        ids = np.zeros([len(examples_labels), len(labels)], np.int32)  # [B, C]
        for row, found in enumerate(examples_labels):
            ids[row, [ids_of[label] for label in found or ()]] = 1
        return ids

    def _balanced(self, ids: np.ndarray, classes: int) -> np.ndarray:
        """Examples without the class over those with it."""
        counts = ids.sum(axis=0)  # [C]
        return (len(ids) - counts) / np.where(counts, counts, np.inf)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return special.expit(logits.astype(np.float64)).astype(np.float32)

    def answers(self, probabilities: np.ndarray, labels: Sequence[str], separator: str = "|") -> list[str]:
        chosen = probabilities > self.threshold
        return [separator.join(labels[i] for i in np.flatnonzero(row).tolist()) for row in chosen]

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        """Of the decision that is least certain."""
        return np.maximum(probabilities, 1 - probabilities).min(axis=1)

    def measures(self, labels: Sequence[str]) -> tuple[Measure, ...]:
        return reports.MULTI_LABEL_MEASURES

    def report(self, label_ids: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> reports.Report:
        return reports.multi_label(label_ids, probabilities > self.threshold, labels)

    def loss(self, label_ids: np.ndarray, probabilities: np.ndarray) -> float:
        return float(-np.log(_above_0(np.where(label_ids, probabilities, 1 - probabilities))).mean())

    def described(self, labels: Sequence[str]) -> str:
        return f"{listed(labels)} (several at once)"


class Regression(LabelKind[float]):
    """A number an example."""

    name = "regression"
    record_kind = records.REGRESSION
    head = "Regressor"
    headline = ("pearson", "spearman")
    has_classes = False

    def read(self, value: object, where: str, separator: str) -> Label:
        return value if isinstance(value, int | float) and as_number(value) is not None else str(value)

    def check(self, label: Label, labels: Collection[str], where: str) -> float:
        number = as_number(label)
        if number is None:
            raise InputError(f"{where}: the label is {shortened(label)}, expected a number")
        return number

    def stratum(self, label: Label, where: str) -> float:
        return self.check(label, (), where)

    def ids(self, examples_labels: Sequence[float | None], labels: Sequence[str]) -> np.ndarray:
        return np.array([[label or 0.0] for label in examples_labels], np.float32)  # [B, 1]

    def head_arguments(
        self, labels: Sequence[str], examples_labels: Sequence[float], class_weights: Sequence[float] | None
    ) -> dict[str, Any]:
        return {"label_variance": float(np.var(examples_labels)) if len(examples_labels) else math.nan}

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return logits

    def answers(self, probabilities: np.ndarray, labels: Sequence[str], separator: str = "|") -> list[str]:
        return [str(value) for value in probabilities[:, 0]]

    def columns(self, labels: Sequence[str]) -> Sequence[str]:
        return ()  # the answer is all there is

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities[:, 0]

    def submitted(self, answer: str, labels: Sequence[str], where: str) -> str:
        """The nearest score that STS-B, GLUE's only regression, has, with three decimals."""
        return f"{max(0.0, min(5.0, self.check(answer, labels, where))):.3f}"

    def measures(self, labels: Sequence[str]) -> tuple[Measure, ...]:
        return reports.REGRESSION_MEASURES

    def report(self, label_ids: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> reports.Report:
        return reports.regression(label_ids[:, 0], probabilities[:, 0])

    def loss(self, label_ids: np.ndarray, probabilities: np.ndarray) -> float:
        return float(np.mean((label_ids - probabilities) ** 2))

    def summary(self, examples_labels: Sequence[float | None], labels: Sequence[str]) -> str:
        numbers = [label for label in examples_labels if label is not None]
        if not numbers:
            return ""
        low, median, high = np.percentile(numbers, [0, 50, 100])
        return (
            f"Labels: numbers from {low:g} to {high:g}, median {median:g}, mean {np.mean(numbers):.4g}, "
            f"standard deviation {np.std(numbers):.4g}"
        )

    def described(self, labels: Sequence[str]) -> str:
        return "that are numbers"


KINDS: dict[str, LabelKind] = {kind.name: kind for kind in (SingleLabel(), MultiLabel(), Regression())}
CLASS, MULTILABEL, REGRESSION = KINDS.values()


def _above_0(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of which there is a logarithm."""
    return np.maximum(probabilities, np.finfo(np.float32).tiny)


def as_number(label: object) -> float | None:
    """The finite number that a label is or writes, None if it is another thing."""
    try:
        is_python_only = isinstance(label, bool) or (isinstance(label, str) and "_" in label)
        # Whatever float takes is welcome, and what it does not take is caught.
        number = None if is_python_only else float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):  # the last: an integer of hundreds of digits
        return None
    return number if number is not None and math.isfinite(number) else None


def class_name(value: object, where: str) -> str:
    """The class a cell or an entry of a list names. Raises InputError for one that names none."""
    if isinstance(value, (list, dict)):
        raise InputError(f"{where}: the label is {shortened(value)}, expected the name of one class")
    name = "" if value is None else str(value).strip()
    if not name:
        raise InputError(f"{where}: the label is empty, expected the name of a class")
    return name


def listed(labels: Collection[str]) -> str:
    """Labels for a message; of hundreds only the first ten."""
    return ", ".join(itertools.islice(labels, 10)) + (f" ... ({len(labels)} labels)" if len(labels) > 10 else "")
