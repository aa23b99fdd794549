"""The answer to a question, and its place in a document of any length."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from bert import stored_model
from bert.errors import InputError
from bert.flags import check_positive
from bert.options.questions import ReadingOptions
from bert.prediction.base import Prediction, Predictor
from bert.prediction.rows import read_pair
from bert.tasks.squad import answers, windows
from bert.tasks.squad.examples import Document, Example


@dataclasses.dataclass(frozen=True)
class Answer:
    """One of the best answers. `text` is empty for "no answer", `start` and `end` are then None.

    start, end: its first character in the document and the one behind its last, whose text it is, with a single space
    for every run of spaces. score: the softmax over the best answers.
    """

    text: str
    start: int | None
    end: int | None
    score: float


@dataclasses.dataclass(frozen=True)
class AnswerPrediction(Prediction):
    """The answer given, with the fields of `Answer`, and the best ones, best first.

    null_odds: how much more "no answer" scores than the best answer with a text; None where the model always answers.
    truncated: WordPieces of the question that were cut off; of a document nothing is.
    """

    text: str
    start: int | None
    end: int | None
    score: float
    null_odds: float | None
    n_best: tuple[Answer, ...]
    truncated: int


class QuestionPredictor(Predictor[Example, AnswerPrediction]):
    """A row is a pair of question and document, or {"question": ..., "context": ...}."""

    kind = stored_model.QUESTION_ANSWERING
    fields: ClassVar[Mapping[str, str]] = {"question": "the question", "context": "the document that has the answer"}
    options_class = ReadingOptions
    rows_at_once = 64  # a document may have many windows

    def check_options(self) -> None:
        check_positive(self.options, "doc_stride", "max_query_length", "n_best_size", "max_answer_length")
        if self.stored.config.type_vocab_size < 2:
            raise InputError(f"{self.stored.folder}: type_vocab_size is 1, but question and document are two segments")
        if self.max_seq_length <= self.options.max_query_length + 3:
            raise InputError(
                f"`max_seq_length` is {self.max_seq_length}, expected more than {self.options.max_query_length + 3}: "
                f"a question of `max_query_length`={self.options.max_query_length} WordPieces and 3 special tokens"
            )

    def example(self, row: object) -> Example:
        names = "question", "context"
        texts = read_pair(row, names, needs_second=True)
        for name, text in zip(names, texts, strict=True):
            if not text or text.isspace():
                raise InputError(f"the {name} is empty, expected a text")
        question, document = texts
        return Example("", question, Document.of(document or ""))

    def _answer(self, examples: Sequence[Example]) -> Iterable[AnswerPrediction]:
        options = self.options
        rows = windows.build(
            examples, self.tokenizer, self.max_seq_length, options.doc_stride, options.max_query_length
        )
        logits: Mapping[str, Sequence[np.ndarray]] = {"start_logits": (), "end_logits": ()}
        if len(rows):  # no document may have a WordPiece
            logits = self.forward(rows.features(0, len(rows)))
        found = answers.answer_all(rows, logits["start_logits"], logits["end_logits"], options)
        truncated = np.maximum(rows.questions.sizes - options.max_query_length, 0).tolist()
        return [_prediction(given, lost) for given, lost in zip(found, truncated, strict=True)]

    def cells(self, result: AnswerPrediction) -> list[str]:
        """The answer, its score, and its place."""
        place = ["", ""] if result.start is None else [str(result.start), str(result.end)]
        return [result.text, f"{result.score:.4f}", *place]


def _prediction(given: answers.Answers, truncated: int) -> AnswerPrediction:
    n_best = []
    for candidate, probability in zip(given.n_best, answers.probabilities(given.n_best), strict=True):
        start, end = candidate.place or (None, None)
        n_best.append(Answer("" if start is None else candidate.text, start, end, probability))
    best = next((answer for answer in n_best if answer.text == given.text), Answer("", None, None, 0.0))
    return AnswerPrediction(best.text, best.start, best.end, best.score, given.null_odds, tuple(n_best), truncated)
