"""Spans found: precision, recall and F1 by type, as conlleval and seqeval's default mode count them; token accuracy.

A span is found where type, first and last word agree. Shapes: T words, C labels.
"""

import collections
import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from bert.measures import Measure
from bert.tasks.tagging import schemes

SPAN_MEASURES = ("precision", "recall", "f1")


def measures(scheme: str) -> tuple[Measure, ...]:
    """What a report has under a scheme."""
    return tuple(Measure(name) for name in ("accuracy", *(() if scheme == "plain" else SPAN_MEASURES)))


@dataclasses.dataclass(frozen=True)
class Counts:
    """Spans that are there (gold), that were predicted, and that are both (correct). A quotient by 0 is 0."""

    gold: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.correct / (self.gold + self.predicted) if self.correct else 0.0

    def values(self) -> dict[str, float]:
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**shares, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True)
class Report:
    """How the predicted tags of a file agree with its own."""

    scheme: str
    sentences: int
    words: int
    accuracy: float  # share of words with the right tag
    types: Mapping[str, Counts]  # sorted by name
    loss: float | None = None  # cross entropy, the mean over words

    @property
    def measures(self) -> dict[str, float]:
        """The share of right tags and, where tags make spans, the micro averages of these."""
        shares = {} if self.scheme == "plain" else {name: getattr(self.micro, name) for name in SPAN_MEASURES}
        return {"accuracy": self.accuracy, **shares}

    @property
    def micro(self) -> Counts:
        """All spans, whatever their type."""
        return Counts(
            *np.sum([dataclasses.astuple(counts) for counts in self.types.values()] or [(0, 0, 0)], axis=0).tolist()
        )

    @property
    def macro(self) -> dict[str, float]:
        """Means over the types, each weighing the same."""
        values = [counts.values() for counts in self.types.values()]
        return {name: sum(one[name] for one in values) / max(len(values), 1) for name in SPAN_MEASURES}

    def values(self) -> dict:
        """What eval_report.json holds."""
        return {
            "scheme": self.scheme,
            "sentences": self.sentences,
            "words": self.words,
            "token_accuracy": self.accuracy,
            "micro": self.micro.values(),
            "macro": self.macro,
            "types": {name: counts.values() for name, counts in self.types.items()},
        }

    def table(self) -> list[str]:
        """Lines for the log: a row a type, then all together."""
        width = max(map(len, [*self.types, "all (micro)"]))
        lines = [f"{'':{width}}  precision  recall      F1    gold  predicted"]
        for name, counts in [*self.types.items(), ("all (micro)", self.micro)]:
            shares = f"{counts.precision:9.4f}  {counts.recall:6.4f}  {counts.f1:6.4f}"
            lines.append(f"{name:{width}}  {shares}  {counts.gold:6}  {counts.predicted:9}")
        return lines


def evaluate(gold: Sequence[str], predicted: Sequence[str], splits: np.ndarray, scheme: str) -> Report:
    """Compares two tags for each of T words; sentence i is words splits[i] to splits[i + 1]."""
    counted: list[collections.Counter[str]] = [collections.Counter() for _ in range(3)]
    for begin, end in itertools.pairwise(splits):
        expected = set(schemes.spans(gold[begin:end], scheme))
        found = set(schemes.spans(predicted[begin:end], scheme))
        for counter, spans in zip(counted, (expected, found, expected & found), strict=True):
            counter.update(span.type for span in spans)
    return Report(
        scheme=scheme,
        sentences=len(splits) - 1,
        words=len(gold),
        accuracy=sum(map(str.__eq__, gold, predicted)) / len(gold),
        types={name: Counts(*(counter[name] for counter in counted)) for name in sorted(counted[0] | counted[1])},
    )


def cross_entropy(scores: np.ndarray, label_ids: np.ndarray) -> float:
    """Mean of -log softmax(scores)[label] over words: float [T, C], int [T]."""
    logs = special.log_softmax(scores.astype(np.float64), axis=1)
    return float(-np.mean(logs[np.arange(len(scores)), label_ids]))
