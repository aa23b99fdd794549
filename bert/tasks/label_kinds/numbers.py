"""Labels that are numbers."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from bert import records
from bert.errors import InputError, quoted
from bert.measures import Measure
from bert.tasks import reports
from bert.tasks.label_kinds.base import Label, LabelKind
from bert.tasks.label_kinds.names import as_number

LARGEST = 1e18  # the squares of errors are summed in float32


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
        if number is None or abs(number) > LARGEST:
            raise InputError(
                f"{where}: the label is {quoted(label)}, expected a number"
                + ("" if number is None else f" of at most {LARGEST:g}")
            )
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
