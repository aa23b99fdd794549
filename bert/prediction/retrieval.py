"""The nearest answers to a question, or that none is known. Shapes: R rows, H hidden size."""

import dataclasses
import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from bert import files, stored_model
from bert.errors import InputError, shown
from bert.flags import check_positive
from bert.heads import HeadedModel, Tensors
from bert.options import option
from bert.options.pooling import PoolingOptions
from bert.options.retrieval import AnsweringOptions, RerankOptions
from bert.prediction import rows as row_reading
from bert.prediction.base import Prediction, Predictor, checked_length
from bert.prediction.classification import ClassPrediction
from bert.prediction.options import settle
from bert.prediction.reranking import Reranker, intent_classifier
from bert.prediction.vectors import check_layer, pooled_vectors
from bert.retrieval import index
from bert.retrieval.ranking import Ranking, Search
from bert.stored_model import StoredModel
from bert.tasks.base import InputExample
from bert.tasks.encoding import ClassificationRows

logger = logging.getLogger(__name__)

UNKNOWN = "I don't know"
_EXPECTED = 'a question, or {"text": ...}'


@dataclasses.dataclass(frozen=True)
class FoundAnswer:
    """An answer: its id, how near its best question is, this question, and the text, "" where there is none."""

    answer_id: str
    score: float
    question: str
    answer: str


@dataclasses.dataclass(frozen=True)
class RetrievalPrediction(Prediction):
    """The nearest answers, and whether the first is near enough to be one; the intent where a model for it is named."""

    known: bool
    answers: tuple[FoundAnswer, ...]
    intent: str | None
    intent_score: float | None
    truncated: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetrievalReading(AnsweringOptions):
    """How a question is answered; the threshold is that of the index, if one was chosen."""

    threshold: float = option(
        -math.inf, "Answers with a lower score are not known; -inf: all are.", infinite=(-math.inf,)
    )


class RetrievalPredictor(Predictor[InputExample, RetrievalPrediction]):
    """Answers questions with the index that lies in the folder. Raises InputError where that was made with anything
    else than this model and these options.

    Attributes:
      scored_by: what the scores are of beside the vectors: the `RerankOptions`, and a hash of the second model's
        weights, "" without one.
    """

    kind = stored_model.RETRIEVAL
    fields: ClassVar[Mapping[str, str]] = {"text": "the question"}
    options_class = RetrievalReading

    def __init__(self, stored: StoredModel, max_seq_length: int | None, options: Mapping[str, Any]) -> None:
        fingerprint = stored.index["fingerprint"]
        self.pooling = PoolingOptions(pooling=fingerprint["pooling"], layer=fingerprint["layer"])
        try:
            check_layer(self.pooling, stored.config)
        except InputError as error:
            raise InputError(f"{index.path_of(stored.folder)}: {error}") from None
        length = checked_length(stored, fingerprint["max_seq_length"] if max_seq_length is None else max_seq_length)
        ours = stored.fingerprint(self.pooling.pooling, self.pooling.layer, length)
        index.check_fingerprint(stored.folder, fingerprint, ours)
        given = _given(options)
        super().__init__(dataclasses.replace(stored, settings=_told(stored, given)), length, given)
        found = index.read(stored.folder)
        rerank = Reranker(self.options.rerank_model, self.options.rerank_label) if self.options.rerank_model else None
        self.search = Search(found.base, found.retriever(), rerank, self.options.rerank_candidates)
        self.scored_by = {
            **{field.name: getattr(self.options, field.name) for field in dataclasses.fields(RerankOptions)},
            "rerank_sha256": rerank.sha256 if rerank else "",
        }
        if "threshold" not in given:
            chosen = threshold_for(stored.index.get("threshold") or {}, self.scored_by)
            self.options = dataclasses.replace(self.options, threshold=chosen)
        self.intents = intent_classifier(self.options.intent_model) if self.options.intent_model else None

    def check_options(self) -> None:
        check_positive(self.options, "top_k", "rerank_candidates")

    def network(self, model: HeadedModel) -> Callable[[Tensors], Tensors]:
        return lambda batch: {"vector": pooled_vectors(model, batch, self.pooling)}

    def example(self, row: object) -> InputExample:
        found = row
        if isinstance(row, Mapping):
            row_reading.check_names(row, tuple(self.fields), _EXPECTED)
            found = row.get("text")
        if not isinstance(found, str):
            raise InputError(f"found {shown(row)}, expected {_EXPECTED}")
        return InputExample("", found)

    def encode(self, examples: Sequence[InputExample]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of length 1, float32 [R, H], and how many WordPieces of each were not read, int64 [R]."""
        rows = ClassificationRows(examples, (), self.tokenizer, self.max_seq_length)
        vectors = np.stack(self.forward(rows.features(0, len(rows)))["vector"])
        return unit(vectors), rows.lost

    def _answer(self, examples: Sequence[InputExample]) -> Iterable[RetrievalPrediction]:
        texts = [example.text_a for example in examples]
        vectors, lost = self.encode(examples)
        rankings = self.search.rankings(texts, vectors, self.options.top_k)
        intents = self.intents.answer(self.intents.read(texts)) if self.intents else [None] * len(texts)
        for ranking, intent, truncated in zip(rankings, intents, lost.tolist(), strict=True):
            label, score = (intent.label, intent.score) if isinstance(intent, ClassPrediction) else (None, None)
            known = ranking.is_known(self.options.threshold)
            yield RetrievalPrediction(known, self._found(ranking), label, score, truncated)

    def _found(self, ranking: Ranking) -> tuple[FoundAnswer, ...]:
        base, count = self.search.base, self.options.top_k
        found = []
        for row, score in zip(ranking.best[:count].tolist(), ranking.scores[:count].tolist(), strict=True):
            name = base.answer_ids[row]
            found.append(FoundAnswer(name, score, base.questions[row], base.answers.get(name, "")))
        return tuple(found)

    def row_of(self, line: str) -> object:
        return line

    def cells(self, result: RetrievalPrediction) -> list[str]:
        """The text of the best answer, or its id, or that none is known; then of each answer id, score and question."""
        first = UNKNOWN
        if result.known:
            first = result.answers[0].answer or result.answers[0].answer_id
        intent = [] if result.intent is None else [result.intent, f"{result.intent_score:.4f}"]
        found = [(each.answer_id, f"{each.score:.4f}", each.question) for each in result.answers]
        return [first, *intent, *(cell for cells in found for cell in cells)]


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of options; folders of models from the root on, so that an index is asked alike from everywhere."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("rerank_model", "intent_model"):
        path = given.get(name)
        if path and isinstance(path, str) and not files.is_remote(path):  # what is no text is refused with the others
            given[name] = os.path.abspath(path)
    return given


def _told(stored: StoredModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of how an index is asked; a label goes with the second model that it was given for."""
    told = stored_answering(stored)
    return {**told, "rerank_label": ""} if "rerank_model" in given else told


def stored_answering(stored: StoredModel) -> dict[str, Any]:
    """How an index is asked unless it is asked otherwise, by name. With one of an older version the threshold tells its
    second model, and the settings of the run tell the rest."""
    content = stored.index
    if "answering" in content:
        return dict(content["answering"])
    fields = (field.name for field in dataclasses.fields(AnsweringOptions))
    threshold = content.get("threshold") or {}
    told = {**stored.settings, **threshold}
    return {name: told[name] for name in fields if told.get(name) is not None}


def answering(stored: StoredModel, given: Mapping[str, Any]) -> AnsweringOptions:
    """The same with what is given in place of what is stored. Raises InputError for a second model, or one for intents,
    that is given and can be none."""
    given = _given(given)
    options = settle(AnsweringOptions, _told(stored, given), given)
    if options.rerank_model and ("rerank_model" in given or "rerank_label" in given):
        Reranker(options.rerank_model, options.rerank_label)
    if given.get("intent_model"):
        intent_classifier(options.intent_model)
    return options


def threshold_for(stored: Mapping[str, Any], scored_by: Mapping[str, Any]) -> float:
    """The threshold that was chosen. -inf where none was, and, with a warning, where it was for other scores: those of
    another second model, or another label of it."""
    if not stored:
        return -math.inf
    # An index of an older version tells only the folder.
    names = ("rerank_label", "rerank_sha256") if "rerank_sha256" in stored else ("rerank_model",)
    if all(stored.get(name) == scored_by[name] for name in names):
        return stored["threshold"]
    told = [f"`{name}`='{stored.get(name, '')}'" for name in ("rerank_model", "rerank_label")]
    logger.warning(
        "The threshold was chosen with %s as it was then: every question is taken for known; `do_eval` chooses anew.",
        " and ".join(told),
    )
    return -math.inf


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, float32 [R, H]."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
