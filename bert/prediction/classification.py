"""A class, several classes or a number for a text or a pair of texts."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from bert import stored_model
from bert.options import option
from bert.options.classification import LongTextOptions
from bert.prediction.base import Prediction, TextPredictor
from bert.tasks import encoding, label_kinds
from bert.tasks.base import InputExample


@dataclasses.dataclass(frozen=True)
class ClassPrediction(Prediction):
    """The most probable class, its probability, and those of all classes."""

    label: str
    score: float
    probabilities: dict[str, float]
    truncated: int


@dataclasses.dataclass(frozen=True)
class LabelsPrediction(Prediction):
    """The classes of over 0.5, how sure the least certain decision is, and the probabilities of all classes."""

    labels: tuple[str, ...]
    score: float
    probabilities: dict[str, float]
    truncated: int


@dataclasses.dataclass(frozen=True)
class NumberPrediction(Prediction):
    """The number of a regression."""

    number: float
    truncated: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationReading(LongTextOptions):
    """How a classification reads and writes."""

    label_separator: str = option("|", "Stands between several classes in a line.")


class ClassificationPredictor(TextPredictor[Prediction]):
    """Gives what the labels are: a ClassPrediction, LabelsPrediction or NumberPrediction for each row."""

    kind = stored_model.CLASSIFICATION
    options_class = ClassificationReading

    def _answer(self, examples: Sequence[InputExample]) -> Iterable[Prediction]:
        kind, labels = self.stored.label_kind, self.stored.label_names
        reading = {"truncation": self.options.truncation, "long_text": self.options.long_text}
        rows = encoding.build(examples, labels, self.tokenizer, self.max_seq_length, kind, **reading)
        logits = np.stack(self.forward(rows.features(0, len(rows)))["logits"])  # [W, C]
        probabilities = kind.probabilities(rows.of_examples(logits))  # [R, C]
        scores = kind.scores(probabilities)
        for values, score, lost in zip(probabilities, scores.tolist(), rows.lost.tolist(), strict=True):
            yield self._prediction(values, score, lost)

    def _prediction(self, values: np.ndarray, score: float, truncated: int) -> Prediction:
        kind, labels = self.stored.label_kind, self.stored.label_names
        if not kind.has_classes:
            return NumberPrediction(score, truncated)
        probabilities = dict(zip(labels, values.tolist(), strict=True))
        if isinstance(kind, label_kinds.MultiLabel):
            chosen = tuple(labels[index] for index in np.flatnonzero(values > kind.threshold))
            return LabelsPrediction(chosen, score, probabilities, truncated)
        return ClassPrediction(labels[values.argmax()], score, probabilities, truncated)

    def cells(self, result: Prediction) -> list[str]:
        """The label and its score; of a regression the number."""
        if isinstance(result, NumberPrediction):
            return [f"{result.number:.6g}"]
        if isinstance(result, LabelsPrediction):
            return [self.options.label_separator.join(result.labels), f"{result.score:.4f}"]
        assert isinstance(result, ClassPrediction)
        return [result.label, f"{result.score:.4f}"]
