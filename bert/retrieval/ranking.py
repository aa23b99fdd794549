"""The nearest answers: of the nearest questions, each answer by its best one."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from bert.retrieval.knowledge import NO_ROWS, KnowledgeBase
from bert.retrieval.search import BLOCK, Retriever

# Pairs of a query and a question -> how equal they are, float32 [pairs].
Rerank = Callable[[Sequence[tuple[str, str]]], np.ndarray]
_QUESTIONS_PER_ANSWER = 4  # that are looked at first
_HELD = 1 << 22  # scores and places at a time: 84 MB


class Ranking(NamedTuple):
    """What a query finds, the best first.

    Attributes:
      questions: int64, the nearest questions.
      best: int64, for each answer its best question; the first of all questions is the first of these.
      scores: float32, those of `best`.
    """

    questions: np.ndarray
    best: np.ndarray
    scores: np.ndarray

    def is_known(self, threshold: float) -> bool:
        """Whether the best answer has at least this score."""
        return bool(len(self.scores) and self.scores[0] >= threshold)

    def rank(self, base: KnowledgeBase, answer_id: str) -> int | None:
        """The place of an answer, counted from 1; None where it was not found."""
        places = np.flatnonzero(base.groups[self.best] == base.numbers.get(answer_id, -1))
        return int(places[0]) + 1 if len(places) else None


class Search:
    """A retriever over a knowledge base, and perhaps a model that orders the nearest `candidates` anew."""

    def __init__(
        self, base: KnowledgeBase, retriever: Retriever, rerank: Rerank | None = None, candidates: int = 0
    ) -> None:
        self.base, self.retriever, self.rerank, self.candidates = base, retriever, rerank, candidates

    def rankings(
        self, texts: Sequence[str], queries: Any, answers: int | None = None, leave_out_copies: bool = False
    ) -> Iterator[Ranking]:
        """What each query finds.

        Args:
          texts: the queries.
          queries: what the retriever takes for them: vectors [R, H], or the texts.
          answers: at least so many answers, where there are so many; None: all that the retriever can find.
          leave_out_copies: the query does not find itself, nor a question that says the same (`normalised`).
        """
        for own in self._blocks(texts):
            left_out = [self.base.copies(text) if leave_out_copies else NO_ROWS for text in texts[own]]
            yield from self._block(texts[own], queries[own], answers, left_out)

    def with_and_without_copies(self, texts: Sequence[str], queries: Any) -> Iterator[tuple[Ranking, Ranking]]:
        """All that each query finds, and all that it finds with its copies left out, of one search: a second model
        reads each pair once."""
        for own in self._blocks(texts):
            copies = [self.base.copies(text) for text in texts[own]]
            yield from self._both(texts[own], queries[own], copies)

    def _blocks(self, texts: Sequence[str]) -> Iterator[slice]:
        """The queries whose scores are held at a time."""
        size = max(1, min(BLOCK, _HELD // len(self.base)))
        return (slice(begin, begin + size) for begin in range(0, len(texts), size))

    def _block(
        self, texts: Sequence[str], queries: Any, answers: int | None, left_out: Sequence[np.ndarray]
    ) -> list[Ranking]:
        depth, more = min(self.retriever.depth, len(self.base)), max(map(len, left_out), default=0)
        wanted = self.candidates if self.rerank else depth if answers is None else _QUESTIONS_PER_ANSWER * answers
        count = min(depth, wanted + more)
        while True:
            scores, rows = self.retriever.search(queries, count)
            found = [self._ranking(*each) for each in zip(scores, rows, left_out, strict=True)]
            if self.rerank:
                cut = [each.questions[: self.candidates] for each in found]
                scored = zip(self._scores(texts, cut), cut, strict=True)
                return [self._ordered(scores, candidates) for scores, candidates in scored]
            if answers is None or count >= depth or all(len(each.best) >= answers for each in found):
                return found
            count = min(depth, _QUESTIONS_PER_ANSWER * count)

    def _both(
        self, texts: Sequence[str], queries: Any, copies: Sequence[np.ndarray]
    ) -> Iterator[tuple[Ranking, Ranking]]:
        depth = min(self.retriever.depth, len(self.base))
        count = min(depth, self.candidates + max(map(len, copies))) if self.rerank else depth
        scores, rows = self.retriever.search(queries, count)
        every = [self._ranking(*each, NO_ROWS) for each in zip(scores, rows, strict=True)]
        others = [self._ranking(*each) for each in zip(scores, rows, copies, strict=True)]
        if not self.rerank:
            yield from zip(every, others, strict=True)
            return
        cut = [[each.questions[: self.candidates] for each in found] for found in (every, others)]
        read = [np.union1d(*both) for both in zip(*cut, strict=True)]
        for own, known, *both in zip(self._scores(texts, read), read, *cut, strict=True):
            first, second = (self._ordered(own[np.searchsorted(known, part)], part) for part in both)
            yield first, second

    def _ranking(self, scores: np.ndarray, rows: np.ndarray, left_out: np.ndarray) -> Ranking:
        kept = (rows >= 0) & ~np.isin(rows, left_out)
        return self._by_answer(scores[kept], rows[kept])

    def _by_answer(self, scores: np.ndarray, rows: np.ndarray) -> Ranking:
        _, first = np.unique(self.base.groups[rows], return_index=True)
        first.sort()
        return Ranking(rows, rows[first], scores[first])

    def _scores(self, texts: Sequence[str], candidates: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What the second model says of each text beside its candidates."""
        assert self.rerank is not None
        pairs = [(text, self.base.questions[row]) for text, rows in zip(texts, candidates, strict=True) for row in rows]
        return np.split(self.rerank(pairs), np.cumsum([len(rows) for rows in candidates])[:-1])

    def _ordered(self, scores: np.ndarray, rows: np.ndarray) -> Ranking:
        order = np.argsort(-scores, kind="stable")  # equal ones stay as near as they were
        return self._by_answer(scores[order], rows[order])
