"""How well predictions agree with labels: the measures people report, from scikit-learn and scipy.

Shapes: N examples, C classes.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats
from sklearn import metrics

from bert.errors import InputError
from bert.tasks import label_kinds, predictions
from bert.tasks.base import InputExample, Task

SHARES = ("precision", "recall", "f1")
AVERAGES = ("micro", "macro", "weighted")
MATRIX_CLASSES = 1000  # with more, eval_report.json has the confusion as a list
TABLE_ROWS = 30  # classes in the log; the report file has all


@dataclasses.dataclass(frozen=True)
class Report:
    """measures: name -> number, over the whole set; classes: label -> its own; confusion: for eval_report.json."""

    examples: int
    measures: Mapping[str, float]
    classes: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    confusion: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def values(self) -> dict:
        """What eval_report.json holds."""
        values = {"examples": self.examples, "measures": dict(self.measures)}
        if self.classes:
            values |= {"classes": {name: dict(own) for name, own in self.classes.items()}, **self.confusion}
        return values

    def table(self) -> list[str]:
        """Lines for the log: a row a class (of many those with the lowest F1), then the averages."""
        if not self.classes:
            return []
        seen = [name for name, own in self.classes.items() if own["support"]]
        lowest = set(sorted(seen, key=lambda name: self.classes[name]["f1"])[:TABLE_ROWS])
        names = [name for name in self.classes if name in lowest]
        width = max(map(len, [*names, "weighted"]))
        lines = [f"{'':{width}}  precision  recall      F1  support"]
        rows = {name: self.classes[name] for name in names}
        for average in AVERAGES:
            own = {name: self.measures[f"{average}_{name}"] for name in SHARES}
            rows[average] = {**own, "support": sum(each["support"] for each in self.classes.values())}
        for name, row in rows.items():
            shares = f"{row['precision']:9.4f}  {row['recall']:6.4f}  {row['f1']:6.4f}"
            lines.append(f"{name:{width}}  {shares}  {row['support']:7}")
        if len(names) < len(seen):
            lines.insert(0, f"The {len(names)} of {len(seen)} classes with the lowest F1:")
        return lines


def build(kind: str, label_ids: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> Report:
    """The report of a label kind: label_ids [N, 1] or [N, C] of its records, probabilities [N, 1] or [N, C]."""
    if kind == label_kinds.REGRESSION.name:
        return regression(label_ids[:, 0], probabilities[:, 0])
    if kind == label_kinds.MULTILABEL.name:
        return multi_label(label_ids, probabilities > label_kinds.MULTILABEL.threshold, labels)
    return single_label(label_ids[:, 0], probabilities.argmax(axis=1), labels)


def single_label(gold: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> Report:
    """One class each, int [N]. With two classes `f1`, `precision` and `recall` are those of the second, as in GLUE."""
    ids = list(range(len(labels)))
    classes = _by_class(gold, predicted, labels, labels_of=ids)
    measures = {
        "accuracy": metrics.accuracy_score(gold, predicted),
        **_averages(gold, predicted),
        "matthews": _matthews(gold, predicted, len(labels)),
    }
    if len(labels) == 2:
        measures |= {name: classes[labels[1]][name] for name in SHARES}
    return Report(len(gold), _plain(measures), classes, {"confusion": _confusion(gold, predicted, labels)})


def _confusion(gold: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> dict[str, object]:
    """Counts [C, C] of (gold, predicted), or, of so many classes that nearly all are 0, those that are not."""
    if len(labels) <= MATRIX_CLASSES:
        rows = metrics.confusion_matrix(gold, predicted, labels=range(len(labels))).tolist()
        return {"labels": list(labels), "rows_are": "gold", "counts": rows}
    pairs = sorted(collections.Counter(zip(gold.tolist(), predicted.tolist(), strict=True)).items())
    return {"cells_are": ["gold", "predicted", "count"], "cells": [[labels[a], labels[b], n] for (a, b), n in pairs]}


def _matthews(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Matthews' correlation for C classes (Gorodkin 2004), int [N] each, from the counts of each class: the matrix of
    all pairs, from which scikit-learn has it, grows with the square of C. 0 where one side is all the same."""
    total, correct = len(gold), int((gold == predicted).sum())
    gold, predicted = (np.bincount(ids, minlength=classes).astype(np.float64) for ids in (gold, predicted))  # [C]
    spread = (total**2 - gold @ gold) * (total**2 - predicted @ predicted)
    return float((correct * total - gold @ predicted) / np.sqrt(spread)) if spread else 0.0


def multi_label(gold: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> Report:
    """Several classes each, 0 or 1 [N, C]; `accuracy` is the share of rows with all of them right."""
    gold, predicted = gold.astype(int), predicted.astype(int)
    classes = _by_class(gold, predicted, labels)
    counts = metrics.multilabel_confusion_matrix(gold, predicted)  # [C, 2, 2]
    names = ("true_negative", "false_positive", "false_negative", "true_positive")
    by_class = {
        label: dict(zip(names, map(int, four.ravel()), strict=True)) for label, four in zip(labels, counts, strict=True)
    }
    measures = {
        "accuracy": metrics.accuracy_score(gold, predicted),
        "hamming_loss": metrics.hamming_loss(gold, predicted),
        **_averages(gold, predicted),
    }
    return Report(len(gold), _plain(measures), classes, {"confusion": by_class})


def regression(gold: np.ndarray, predicted: np.ndarray) -> Report:
    """Numbers, float [N]. A correlation with what is all the same is not defined, and told as 0."""
    gold, predicted = gold.astype(np.float64), predicted.astype(np.float64)
    varies = len(gold) > 1 and np.ptp(gold) > 0 and np.ptp(predicted) > 0
    measures = {
        "pearson": stats.pearsonr(gold, predicted).statistic if varies else 0.0,
        "spearman": stats.spearmanr(gold, predicted).statistic if varies else 0.0,
        "mean_squared_error": metrics.mean_squared_error(gold, predicted),
        "mean_absolute_error": metrics.mean_absolute_error(gold, predicted),
    }
    return Report(len(gold), _plain(measures))


def _by_class(gold, predicted, labels: Sequence[str], labels_of: Sequence[int] | None = None) -> dict[str, dict]:
    columns = metrics.precision_recall_fscore_support(gold, predicted, labels=labels_of, zero_division=0)
    return {
        label: {**dict(zip(SHARES, map(float, own), strict=True)), "support": int(support)}
        for label, *own, support in zip(labels, *columns, strict=True)
    }


def _averages(gold, predicted) -> dict[str, float]:
    """Over the classes that occur, in the set or among the predictions: scikit-learn's default."""
    averages = {}
    for average in AVERAGES:
        *means, _ = metrics.precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
        averages |= {f"{average}_{name}": mean for name, mean in zip(SHARES, means, strict=True)}
    return averages


def _plain(measures: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in measures.items()}


class Judge:
    """Compares a model's outputs for a set of examples with their labels; `report` is the last comparison.

    `names` are those of the measures, `told` those of the closing line. Raises InputError for a task that asks for one
    its reports do not have.
    """

    def __init__(self, task: Task, examples: Sequence[InputExample]):
        self.task, self.examples = task, examples
        self.report: Report | None = None
        self.names = self._names()
        self.told = task.measures or task.label_kind.measures
        unknown = [name for name in self.told if name not in self.names]
        if unknown:
            raise InputError(
                f"task {task.name} is to be judged by '{unknown[0]}', expected some of {', '.join(self.names)}"
            )

    def _names(self) -> list[str]:
        """Those of the measures, before there are any."""
        size = max(len(self.task.labels), 1)
        label_ids = self.task.label_kind.ids([None], self.task.labels)
        return list(build(self.task.label_kind.name, label_ids, np.zeros([1, size]), self.task.labels).measures)

    def __call__(self, batches: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
        """The measures, from the `logits` of all batches, float32 [B, C] or [B, 1], a row an example in order."""
        kind, labels = self.task.label_kind, self.task.labels
        probabilities = kind.probabilities(np.concatenate([outputs["logits"] for outputs in batches]))
        label_ids = kind.ids([example.label for example in self.examples], labels)
        self.report = build(kind.name, label_ids, probabilities, labels)
        predictions.warn_of_one_answer(kind.answers(probabilities, labels))
        return dict(self.report.measures)
