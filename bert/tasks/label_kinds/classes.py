"""Labels that are classes: one an example, or several at once."""

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
from scipy import special

from bert import records
from bert.errors import InputError, quoted
from bert.measures import Measure
from bert.tasks import reports
from bert.tasks.label_kinds.base import Label, LabelKind
from bert.tasks.label_kinds.names import class_name, listed


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
            raise InputError(f"{where}: unknown label {quoted(label)}, expected one of {listed(labels)}")
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
            raise InputError(f"{where}: the label is {quoted(label)}, expected some of {listed(labels)}")
        found = (label,) if isinstance(label, str) else tuple(label)
        unknown = next((one for one in found if not isinstance(one, Hashable) or one not in labels), None)
        if unknown is not None:
            raise InputError(f"{where}: unknown label {quoted(unknown)}, expected some of {listed(labels)}")
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


def _above_0(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of which there is a logarithm."""
    return np.maximum(probabilities, np.finfo(np.float32).tiny)
