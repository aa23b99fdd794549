"""How well predictions agree with labels: the measures people report, from scikit-learn and scipy.

Shapes: N examples, C classes.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats
from sklearn import metrics

from bert.measures import Measure

SHARES = ("precision", "recall", "f1")
AVERAGES = ("micro", "macro", "weighted")
MATRIX_CLASSES = 1000  # with more, eval_report.json has the confusion as a list
TABLE_ROWS = 30  # classes in the log; the report file has all
BANDS = ("head", "middle", "tail")


@dataclasses.dataclass(frozen=True)
class Report:
    """measures: name -> number, over the whole set; classes: label -> its own; confusion: for eval_report.json; bands:
    those of `banded`."""

    examples: int
    measures: Mapping[str, float]
    classes: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    confusion: Mapping[str, object] = dataclasses.field(default_factory=dict)
    bands: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)

    def values(self) -> dict:
        """What eval_report.json holds."""
        values = {"examples": self.examples, "measures": dict(self.measures)}
        if self.classes:
            values |= {"classes": {name: dict(own) for name, own in self.classes.items()}, **self.confusion}
        if self.bands:
            values["bands"] = {name: dict(own) for name, own in self.bands.items()}
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
        return lines + [_band_line(name, own) for name, own in self.bands.items()]


def _band_line(name: str, band: Mapping[str, float]) -> str:
    return (
        f"{name}: macro F1 {band['macro_f1']:.4f} of {band['classes']} classes with {band['least_training_rows']} to "
        f"{band['most_training_rows']} training rows; {band['support']} rows here"
    )


def banded(report: Report, training_counts: Sequence[int]) -> Report:
    """The report with the macro F1 of frequent and of rare classes; `training_counts` are the training rows of each
    class, in the order of the classes.

    The classes in descending order of their training rows, those with as many in the order of their ids, are cut into
    thirds, of which the first are larger where it has to be: head, middle and tail. A band's F1 is the mean over its
    classes that the set has; a band without any is left out. Fewer than three classes, and such as are all as frequent,
    have no bands.
    """
    if len(training_counts) < len(BANDS) or min(training_counts) == max(training_counts):
        return report
    names, counts = list(report.classes), np.array(training_counts)
    bands = {}
    for band, ids in zip(BANDS, np.array_split(np.argsort(-counts, kind="stable"), len(BANDS)), strict=True):
        own = [report.classes[names[index]] for index in ids]
        scores = [values["f1"] for values in own if values["support"]]
        if scores:
            bands[band] = {
                "macro_f1": float(np.mean(scores)),
                "classes": len(ids),
                "least_training_rows": int(counts[ids].min()),
                "most_training_rows": int(counts[ids].max()),
                "support": sum(values["support"] for values in own),
            }
    return dataclasses.replace(report, bands=bands)


def measures_of(*names: str, lower: Sequence[str] = ()) -> tuple[Measure, ...]:
    """Declares measures by name; of those among `lower` less is better."""
    return tuple(Measure(name, higher_is_better=name not in lower) for name in names)


_AVERAGED = tuple(f"{average}_{share}" for average in AVERAGES for share in SHARES)
MULTI_LABEL_MEASURES = measures_of("accuracy", "hamming_loss", *_AVERAGED, lower=("hamming_loss",))
_ERRORS = ("mean_squared_error", "mean_absolute_error")
REGRESSION_MEASURES = measures_of("pearson", "spearman", *_ERRORS, lower=_ERRORS)


def single_label_measures(classes: int) -> tuple[Measure, ...]:
    """Those of `single_label`; only two classes have shares of their own, those of the second."""
    return measures_of("accuracy", *_AVERAGED, "matthews", *(SHARES if classes == 2 else ()))


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


def _by_class(
    gold: np.ndarray, predicted: np.ndarray, labels: Sequence[str], labels_of: Sequence[int] | None = None
) -> dict[str, dict]:
    columns = metrics.precision_recall_fscore_support(gold, predicted, labels=labels_of, zero_division=0)
    return {
        label: {**dict(zip(SHARES, map(float, own), strict=True)), "support": int(support)}
        for label, *own, support in zip(labels, *columns, strict=True)
    }


def _averages(gold: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Over the classes that occur, in the set or among the predictions: scikit-learn's default."""
    averages: dict[str, float] = {}
    for average in AVERAGES:
        *means, _ = metrics.precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
        averages |= {f"{average}_{name}": mean for name, mean in zip(SHARES, means, strict=True)}
    return averages


def _plain(measures: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in measures.items()}
