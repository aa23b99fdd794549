"""What queries find in the index, or by BM25: reports, ranks, the threshold of I don't know, predictions."""

import dataclasses
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from bert import files, prediction, reporting
from bert.answering.settings import RetrievalSettings
from bert.measures import Measure
from bert.options import part
from bert.options.retrieval import AnsweringOptions
from bert.prediction.retrieval import RetrievalPredictor
from bert.reporting import Progress
from bert.retrieval import calibration, index, judging, sources, splitting
from bert.retrieval.bm25 import Bm25
from bert.retrieval.knowledge import KnowledgeBase, Queries
from bert.retrieval.ranking import Ranking, Search

logger = logging.getLogger(__name__)

Found = TypeVar("Found")

_AT_ONCE = 1024  # texts whose vectors are held


@dataclasses.dataclass(frozen=True)
class Asked:
    """What texts are looked for in; `encode` makes of them what the search takes."""

    search: Search
    encode: Callable[[Sequence[str]], Any]

    def without_copies(self, texts: Sequence[str]) -> Iterator[Ranking]:
        """All that each text finds but itself and its copies."""
        for own in self._parts(texts):
            yield from self.search.rankings(own, self.encode(own), leave_out_copies=True)

    def nearest(self, texts: Sequence[str], answers: int) -> Iterator[Ranking]:
        """At least so many answers for each text."""
        for own in self._parts(texts):
            yield from self.search.rankings(own, self.encode(own), answers)

    def with_and_without_copies(self, texts: Sequence[str]) -> Iterator[tuple[Ranking, Ranking]]:
        """All that each text finds, and the same but for itself and its copies."""
        for own in self._parts(texts):
            yield from self.search.with_and_without_copies(own, self.encode(own))

    def _parts(self, texts: Sequence[str]) -> Iterator[Sequence[str]]:
        return (texts[begin : begin + _AT_ONCE] for begin in range(0, len(texts), _AT_ONCE))


def check_files(settings: RetrievalSettings) -> None:
    """Raises InputError for a file that cannot be read, and for questions that are none of its answers, before any
    work."""
    for name in ("knowledge_file", "dev_file", "predict_file", "add_file", "remove_file"):
        path = getattr(settings, name)
        if path:
            files.check_readable(path, f"`{name}`")
    needed = [split for split in settings.splits if split != "dev" or not settings.dev_fraction]
    sources.check(settings, {"train", *needed} if settings.reads_knowledge else needed)
    asked = [split for split in needed if split != "train"]
    if asked and (settings.retriever == "bm25" or (settings.do_index and not settings.changes_index)):
        base = sources.base(settings)  # the one that will be asked
        for split in asked:
            sources.asked_of(base, settings, split)
    else:
        for split in asked:
            sources.asked(settings, split)
    if "dev" in asked and sources.has_no_dev_set(settings):
        logger.warning(
            "There is no dev set: the threshold of I don't know is chosen by the test set, %s. `dev_fraction` with "
            "`dev_split`=questions chooses it by questions of the training set.",
            sources.place(settings, "dev"),
        )


def ask_index(settings: RetrievalSettings) -> dict[Measure, float]:
    """Evaluates and predicts with the model and the index in `output_dir`; returns what the evaluation gave.

    Raises InputError where there is no index, or it was made with something else.
    """
    folder = settings.output_dir
    made_with = {"pooling": settings.pooling, "layer": settings.layer}
    index.check_fingerprint(folder, index.require_content(folder)["fingerprint"], made_with)
    options: dict[str, Any] = settings.given
    if settings.do_eval:  # which chooses another
        options["threshold"] = -math.inf
    predictor = prediction.load(
        folder,
        vocab_file=settings.vocab_file,
        do_lower_case=settings.do_lower_case,
        max_seq_length=settings.max_seq_length,
        **options,
    )
    assert isinstance(predictor, RetrievalPredictor)
    answering = dataclasses.asdict(part(predictor.options, AnsweringOptions))
    threshold = predictor.options.threshold
    asked = Asked(predictor.search, lambda texts: predictor.encode(predictor.read(texts))[0])
    values: dict[Measure, float] = {}
    with files.locked_folder(folder):
        if settings.do_eval:
            report = evaluate(settings, asked)
            values = {measure: report.measures[measure.name] for measure in judging.MEASURES}
            if report.calibration:
                chosen = report.calibration.chosen
                threshold = chosen.threshold
                index.write_threshold(folder, {**dataclasses.asdict(chosen), **predictor.scored_by}, answering)
                logger.info("Stored the threshold in %s", index.path_of(folder))
        if settings.do_predict:
            predict(settings, asked, threshold, predictor.options.top_k)
    return values


def ask_bm25(settings: RetrievalSettings) -> None:
    """Evaluates and predicts with the words of the knowledge base."""
    base = sources.base(settings)
    asked = Asked(Search(base, Bm25(base.questions)), lambda texts: texts)
    top_k = AnsweringOptions(**settings.given).top_k
    files.check_folder(settings.output_dir, "output_dir")
    files.make_folder(settings.output_dir)
    with files.locked_folder(settings.output_dir):
        chosen = evaluate(settings, asked).calibration if settings.do_eval else None
        if settings.do_predict:
            predict(settings, asked, chosen.chosen.threshold if chosen else -math.inf, top_k)


def evaluate(settings: RetrievalSettings, asked: Asked) -> judging.Report:
    """Judges what the questions of the evaluation find, chooses the threshold, and writes eval_results.txt,
    eval_report.json and eval_ranks.tsv; there is no threshold where no question could be judged, or none found any."""
    base = asked.search.base
    queries = _asked(settings, base)
    logger.info("***** Running evaluation *****")
    logger.info("  Num queries = %d", len(queries))
    report = judging.judge(base, queries, _told(asked.without_copies(queries.texts), len(queries)))
    if any(len(each.ranking.scores) for each in report.every):
        chosen_by = settings.threshold_by, settings.min_precision
        report = dataclasses.replace(report, calibration=calibration.calibrate(*_scored(queries, report), *chosen_by))
    _write(settings, base, queries, report, "eval")
    return report


def predict(settings: RetrievalSettings, asked: Asked, threshold: float, top_k: int) -> None:
    """Writes predictions.tsv, and judges them where the file says which answers are right."""
    base = asked.search.base
    queries = sources.asked_of(base, settings, "test")
    logger.info("***** Running prediction *****")
    logger.info("  Num queries = %d", len(queries))
    found: list[Ranking] = []
    report = None
    if queries.answer_ids:
        report = judging.judge(base, queries, _judged(asked, queries, found, top_k))
    else:
        found += (_cut(each, top_k) for each in _told(asked.nearest(queries.texts, top_k), len(queries)))
    path = os.path.join(settings.output_dir, "predictions.tsv")
    if not math.isfinite(threshold):
        logger.info("There is no threshold for these scores: every question is taken for known. `do_eval` chooses one.")
    known = [each.is_known(threshold) for each in found]
    judging.write_answers(path, base, queries, zip(known, found, strict=True))
    logger.info("%d of %d questions are answered.", sum(known), len(known))
    logger.info("Wrote the predictions to %s", path)
    if report:
        if report.every and math.isfinite(threshold):
            report = dataclasses.replace(report, calibration=calibration.at(threshold, *_scored(queries, report)))
        _write(settings, base, queries, report, "test")


def _asked(settings: RetrievalSettings, base: KnowledgeBase) -> Queries:
    if not settings.dev_fraction:
        return sources.asked_of(base, settings, "dev")
    whole = sources.base(settings)  # the index may have become another
    return splitting.asked(whole, splitting.held_out(whole, settings))


def _judged(asked: Asked, queries: Queries, found: list[Ranking], top_k: int) -> Iterator[Ranking]:
    """What is judged of each query, while `found` takes up what it is answered with: a copy answers a question, and
    says nothing of the model."""
    for every, others in _told(asked.with_and_without_copies(queries.texts), len(queries)):
        found.append(_cut(every, top_k))
        yield others


def _told(rankings: Iterator[Found], total: int) -> Iterator[Found]:
    """The same, with progress."""
    progress = Progress("Searching", total, unit="queries")
    for ranking in rankings:
        yield ranking
        progress.advance(1)
    progress.close()


def _scored(queries: Queries, report: judging.Report) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score of the best answer, whether it is right, and whether there is a right one, each [E]."""
    assert queries.answer_ids is not None
    scores = np.array([each.score for each in report.every], np.float32)
    right = np.array([each.rank == 1 for each in report.every])
    return scores, right, np.array([bool(queries.answer_ids[each.query]) for each in report.every])


def _cut(ranking: Ranking, count: int) -> Ranking:
    """The first answers; of a large index the whole is large."""
    return Ranking(*(part[:count].copy() for part in ranking))


def _write(
    settings: RetrievalSettings, base: KnowledgeBase, queries: Queries, report: judging.Report, name: str
) -> None:
    """NAME_results.txt, NAME_report.json and NAME_ranks.tsv."""
    for line in report.table():
        logger.info("  %s", line)
    results, report_path, ranks = (
        os.path.join(settings.output_dir, f"{name}_{ending}") for ending in ("results.txt", "report.json", "ranks.tsv")
    )
    reporting.write_results(results, {f"{name}_{measure}": value for measure, value in report.measures.items()})
    files.write_json(report_path, {"task": "retrieval", "retriever": settings.retriever, **report.values()})
    judging.write_ranks(ranks, base, queries, report)
    logger.info("Wrote %s and %s", report_path, ranks)
