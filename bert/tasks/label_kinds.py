"""What a label is: one class, several classes at once, or a number.

A kind knows how labels are checked, written to records, read off the model's logits, and told. Shapes: B examples,
C classes.
"""

import abc
import collections
import itertools
import math
from collections.abc import Collection, Hashable, Sequence
from typing import ClassVar

import numpy as np

from bert import records
from bert.errors import InputError
from bert.tasks.rows import shortened

Label = str | tuple[str, ...] | float | None
SHOWN = 5  # of many classes, the most and the least frequent ones that are told


class LabelKind(abc.ABC):
    """One of the kinds below; `name` is what --label_kind and labels.json call it."""

    name: ClassVar[str]
    record_kind: ClassVar[records.RecordKind]
    has_classes: ClassVar[bool] = True
    measures: ClassVar[tuple[str, ...]]  # what is told of a set at the end, names as in its report

    @abc.abstractmethod
    def check(self, label: Label, labels: Collection[str], where: str) -> Label:
        """The label as this kind has it; among the keys of a dict many `labels` are searched at once.

        Raises InputError, opening with `where`, for one that is none.
        """

    @abc.abstractmethod
    def ids(self, examples_labels: Sequence[Label], labels: Sequence[str]) -> np.ndarray:
        """`label_ids` of the records, [B, 1] or [B, C]; 0 where an example has no label, as in test sets."""

    @abc.abstractmethod
    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """The columns of test_results.tsv, float32 [B, C] or [B, 1], from logits of that shape."""

    @abc.abstractmethod
    def answers(self, probabilities: np.ndarray, labels: Sequence[str], separator: str = "|") -> list[str]:
        """What is predicted for each row, as a user reads it; `separator` stands between several classes."""

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        """How sure each answer is, float32 [B]."""
        return probabilities.max(axis=1)

    def summary(self, examples_labels: Sequence[Label], labels: Sequence[str]) -> str:
        """The histogram of the labels, in their order, or of many the most and the least frequent; "" without any."""
        counts = self._counts(examples_labels)
        names = list(labels)
        if not counts:
            return ""
        if len(names) > 2 * SHOWN:
            names.sort(key=lambda name: counts[name], reverse=True)
            del names[SHOWN:-SHOWN]
        parts = [f"{name}: {counts[name]}" for name in names]
        if len(names) < len(labels):
            parts.insert(SHOWN, f"... ({len(labels)} labels)")
        return "Labels: " + ", ".join(parts)

    def _counts(self, examples_labels: Sequence[Label]) -> collections.Counter:
        return collections.Counter(label for label in examples_labels if label is not None)


class SingleLabel(LabelKind):
    """One class an example."""

    name = "class"
    record_kind = records.CLASSIFIER
    measures = ("accuracy", "macro_f1")

    def check(self, label, labels, where):
        if not isinstance(label, Hashable) or label not in labels:
            raise InputError(f"{where}: unknown label {shortened(label)}, expected one of {shown(labels)}")
        return label

    def ids(self, examples_labels, labels):
        ids_of = {label: i for i, label in enumerate(labels)} | {None: 0}
        return np.array([[ids_of[label]] for label in examples_labels], np.int32)  # [B, 1]

    def probabilities(self, logits):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def answers(self, probabilities, labels, separator="|"):
        return [labels[i] for i in probabilities.argmax(axis=1)]


class MultiLabel(LabelKind):
    """Any number of classes an example, none included."""

    name = "multilabel"
    record_kind = records.MULTI_LABEL
    measures = ("micro_f1", "macro_f1")
    threshold = 0.5

    def check(self, label, labels, where):
        found = tuple(label) if isinstance(label, tuple | list) else (label,)
        unknown = next((one for one in found if not isinstance(one, Hashable) or one not in labels), None)
        if unknown is not None:
            raise InputError(f"{where}: unknown label {shortened(unknown)}, expected some of {shown(labels)}")
        return found

    def ids(self, examples_labels, labels):
        ids_of = {label: i for i, label in enumerate(labels)}
        ids = np.zeros([len(examples_labels), len(labels)], np.int32)  # [B, C]
        for row, found in zip(ids, examples_labels, strict=True):
            row[[ids_of[label] for label in found or ()]] = 1
        return ids

    def probabilities(self, logits):
        logits = logits.astype(np.float64)
        return np.exp(-np.logaddexp(0, -logits)).astype(np.float32)  # 1 / (1 + exp(-logits)) would overflow

    def answers(self, probabilities, labels, separator="|"):
        chosen = probabilities > self.threshold
        return [separator.join(labels[i] for i in np.flatnonzero(row)) for row in chosen]

    def scores(self, probabilities):
        """Of the decision that is least certain."""
        return np.maximum(probabilities, 1 - probabilities).min(axis=1)

    def _counts(self, examples_labels):
        return collections.Counter(label for found in examples_labels for label in found or ())


class Regression(LabelKind):
    """A number an example."""

    name = "regression"
    record_kind = records.REGRESSION
    has_classes = False
    measures = ("pearson", "spearman")

    def check(self, label, labels, where):
        number = as_number(label)
        if number is None:
            raise InputError(f"{where}: the label is {shortened(label)}, expected a number")
        return number

    def ids(self, examples_labels, labels):
        return np.array([[label or 0.0] for label in examples_labels], np.float32)  # [B, 1]

    def probabilities(self, logits):
        return logits

    def answers(self, probabilities, labels, separator="|"):
        return [str(value) for value in probabilities[:, 0]]

    def scores(self, probabilities):
        return probabilities[:, 0]

    def summary(self, examples_labels, labels):
        numbers = [label for label in examples_labels if label is not None]
        if not numbers:
            return ""
        low, median, high = np.percentile(numbers, [0, 50, 100])
        return (
            f"Labels: numbers from {low:g} to {high:g}, median {median:g}, mean {np.mean(numbers):.4g}, "
            f"standard deviation {np.std(numbers):.4g}"
        )


KINDS = {kind.name: kind for kind in (SingleLabel(), MultiLabel(), Regression())}
CLASS, MULTILABEL, REGRESSION = KINDS.values()


def as_number(label: object) -> float | None:
    """The finite number that a label is or writes, None if it is another thing."""
    try:
        is_python_only = isinstance(label, bool) or (isinstance(label, str) and "_" in label)
        number = None if is_python_only else float(label)
    except (TypeError, ValueError, OverflowError):  # the last: an integer of hundreds of digits
        return None
    return number if number is not None and math.isfinite(number) else None


def shown(labels: Collection[str]) -> str:
    """Labels for a message; of hundreds only the first ten."""
    return ", ".join(itertools.islice(labels, 10)) + (f" ... ({len(labels)} labels)" if len(labels) > 10 else "")
