"""Models beside that of the vectors: how equal two questions are, by one of pairs; what a question is about, by one of
single texts."""

import functools
from collections.abc import Sequence

import numpy as np

from bert import stored_model
from bert.errors import InputError
from bert.prediction.classification import ClassificationPredictor, ClassPrediction, NumberPrediction
from bert.stored_model import StoredModel
from bert.tasks.label_kinds import as_number


class Reranker:
    """A classifier or regressor of pairs as a score: the number, the expected value where the classes are numbers (1,
    0.5, 0), or the probability of the class `label`.

    Raises InputError for a model of another kind, and where nothing says which class means equal.
    """

    def __init__(self, folder: str, label: str) -> None:
        stored = _stored(folder, "rerank_model")
        self._predictor = ClassificationPredictor(stored, None, {})
        self._values = _values(stored, folder, label)
        self._stored = stored

    @functools.cached_property
    def sha256(self) -> str:
        """Of the model's weights, which are read for it."""
        return self._stored.weights_sha256

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """float32 [pairs]."""
        return np.array([self._score(result) for result in self._predictor.iterate(pairs)], np.float32)

    def _score(self, result: object) -> float:
        if isinstance(result, NumberPrediction):
            return result.number
        assert isinstance(result, ClassPrediction)
        return sum(value * result.probabilities[name] for name, value in self._values.items())


def check(folder: str, label: str) -> None:
    """Raises InputError as `Reranker` does, as far as that can be told without the weights."""
    _values(_stored(folder, "rerank_model"), folder, label)


def _values(stored: StoredModel, folder: str, label: str) -> dict[str, float]:
    """What each class counts; none where the model gives a number."""
    if stored.labels is not None and not stored.labels.get("pairs", True):
        raise InputError(f"`rerank_model`={folder} was trained on single texts, expected pairs")
    names = stored.label_names
    if label:
        if label not in names:
            raise InputError(f"`rerank_label` is '{label}', expected one of {', '.join(names) or 'none: a number'}")
        return {name: float(name == label) for name in names}
    values = {name: number for name in names if (number := as_number(name)) is not None}
    if len(values) < len(names):
        raise InputError(f"`rerank_model`={folder} has the classes {', '.join(names)}: give `rerank_label`")
    return values


def intent_classifier(folder: str) -> ClassificationPredictor:
    """The model of a folder that says the class of a text. Raises InputError for another kind."""
    return ClassificationPredictor(check_intents(folder), None, {})


def check_intents(folder: str) -> StoredModel:
    """What lies in the folder. Raises InputError as `intent_classifier` does, as far as that can be told without the
    weights."""
    stored = _stored(folder, "intent_model")
    if not stored.label_kind.has_classes:
        raise InputError(f"`intent_model`={folder} says a number, expected a class")
    if stored.labels is not None and stored.labels.get("pairs", False):
        raise InputError(f"`intent_model`={folder} was trained on pairs, expected single texts")
    return stored


def _stored(folder: str, flag: str) -> StoredModel:
    stored = stored_model.read(folder, flag=flag)
    if stored.kind != stored_model.CLASSIFICATION or stored.label_kind.name == "multilabel":
        raise InputError(f"`{flag}`={folder} holds a model for {stored.kind}, expected one class or number a row")
    return stored
