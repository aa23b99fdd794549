"""How far up the right answers stand: by answer, not by question."""

import dataclasses
import logging
from collections.abc import Iterable, Sequence

import numpy as np

from bert import files
from bert.errors import InputError
from bert.measures import Measure
from bert.retrieval.calibration import Calibration
from bert.retrieval.knowledge import KnowledgeBase, Queries
from bert.retrieval.ranking import Ranking
from bert.tasks.predictions import TO_SPACES
from bert.tasks.reports import measures_of

logger = logging.getLogger(__name__)

PLACES = (1, 3, 10)
MEASURES: tuple[Measure, ...] = measures_of(*(f"hit_at_{place}" for place in PLACES), "recall_at_10", "mrr_at_10")
_LAST = 10  # place that counts for the mean reciprocal rank and the recall


def check_metric(name: str) -> None:
    """Raises InputError for a `best_metric` that a report does not have."""
    known = [measure.name for measure in MEASURES]
    if name not in known:
        raise InputError(f"`best_metric` is '{name}', expected one of {', '.join(known)}")


@dataclasses.dataclass(frozen=True)
class Judged:
    """One query: its number, the place of its right answer (None: not found) and the first that it found."""

    query: int
    rank: int | None
    recall: float
    ranking: Ranking

    @property
    def score(self) -> float:
        """Of the best answer."""
        return float(self.ranking.scores[0]) if len(self.ranking.scores) else -np.inf


@dataclasses.dataclass(frozen=True)
class Report:
    """Over the queries that have an answer; `judged` has these, `outside` those that have none."""

    measures: dict[str, float]
    judged: Sequence[Judged]
    outside: Sequence[Judged]
    calibration: Calibration | None = None

    @property
    def every(self) -> Sequence[Judged]:
        """All queries that could be judged."""
        return [*self.judged, *self.outside]

    def values(self) -> dict[str, object]:
        """What the report file holds."""
        values: dict[str, object] = {"queries": len(self.judged), "outside": len(self.outside)}
        if self.calibration:
            chosen = self.calibration.chosen
            values["threshold"] = {
                **dataclasses.asdict(chosen), "f1": chosen.f1, "criterion": self.calibration.criterion
            }  # fmt: skip
        return {**values, "measures": self.measures}

    def table(self) -> list[str]:
        """Lines for the log."""
        return self.calibration.table() if self.calibration else []


def judge(base: KnowledgeBase, queries: Queries, rankings: Iterable[Ranking]) -> Report:
    """Compares what queries found with their right answers.

    hit_at_K: the share of queries whose right answer is among the first K. mrr_at_10: the mean of 1 / its place, 0
    behind the tenth. recall_at_10: which share of the questions of the right answer, ten of them at most, is among the
    ten nearest questions (capped recall, Thakur et al. 2021).

    A query with no id is `outside`. One whose answer has no question but copies of the query cannot find it, and is
    left out; the log tells how many.
    """
    assert queries.answer_ids is not None
    judged, outside, alone = [], [], 0
    for number, (text, answer_id, ranking) in enumerate(zip(queries.texts, queries.answer_ids, rankings, strict=True)):
        if not answer_id:
            outside.append(Judged(number, None, 0.0, _first(ranking)))
            continue
        others = base.others(text, answer_id)
        if not len(others):
            alone += 1
            continue
        found = np.isin(others, ranking.questions[:_LAST]).sum()
        rank = ranking.rank(base, answer_id)
        judged.append(Judged(number, rank, found / min(_LAST, len(others)), _first(ranking)))
    if alone:
        logger.info("  %d queries are not judged: their answers have no question but copies of them.", alone)
    if not judged:
        logger.warning("No query could be judged: that every measure is 0 says nothing of the model.")
    return Report(_measures(judged), judged, outside)


def _first(ranking: Ranking) -> Ranking:
    """What is told of a ranking; of a large index the whole is large."""
    return Ranking(*(part[:_LAST].copy() for part in ranking))


def _measures(judged: Sequence[Judged]) -> dict[str, float]:
    if not judged:
        return dict.fromkeys((measure.name for measure in MEASURES), 0.0)
    ranks = np.array([np.inf if each.rank is None else each.rank for each in judged])
    values = {f"hit_at_{place}": float((ranks <= place).mean()) for place in PLACES}
    values["recall_at_10"] = float(np.mean([each.recall for each in judged]))
    values["mrr_at_10"] = float(np.where(ranks <= _LAST, 1 / ranks, 0).mean())
    return values


def write_ranks(path: str, base: KnowledgeBase, queries: Queries, report: Report) -> None:
    """A line a query, in their order: its text, its answer, the place of that (empty: not found), and the best answer
    with its score and its question."""
    assert queries.answer_ids is not None
    lines = [["query", "text", "answer_id", "rank", "found", "score", "question"]]
    for each in sorted(report.every, key=lambda each: each.query):
        found = ["", "", ""]
        if len(each.ranking.best):
            row = each.ranking.best[0]
            found = [base.answer_ids[row], f"{each.score:.6f}", base.questions[row]]
        asked = [str(each.query + 1), queries.texts[each.query], queries.answer_ids[each.query]]
        lines.append([*asked, str(each.rank or ""), *found])
    write_table(path, lines)


def write_answers(path: str, base: KnowledgeBase, queries: Queries, answers: Iterable[tuple[bool, Ranking]]) -> None:
    """A line for each answer of each query, the nearest first, and one for a query that found none; `answers` has for
    each query whether it is known, and what it found."""
    lines = [["query", "text", "known", "place", "answer_id", "score", "question", "answer"]]
    for number, (text, (known, ranking)) in enumerate(zip(queries.texts, answers, strict=True), start=1):
        if not len(ranking.best):
            lines.append([str(number), text, str(known).lower(), *[""] * (len(lines[0]) - 3)])
        for place, (row, score) in enumerate(zip(ranking.best, ranking.scores, strict=True), start=1):
            name = base.answer_ids[row]
            cells = [name, f"{score:.6f}", base.questions[row], base.answers.get(name, "")]
            lines.append([str(number), text, str(known).lower(), str(place), *cells])
    write_table(path, lines)


def write_table(path: str, lines: Iterable[Sequence[str]]) -> None:
    """Tabs and line ends inside a cell become spaces."""
    files.write_text(path, "".join("\t".join(cell.translate(TO_SPACES) for cell in line) + "\n" for line in lines))
