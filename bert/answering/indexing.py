"""The index: made of a knowledge base, and changed without making it anew."""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import numpy as np

from bert import files, prediction, stored_model
from bert.answering.settings import RetrievalSettings
from bert.errors import InputError
from bert.prediction.retrieval import answering, unit
from bert.prediction.vectors import VectorPredictor
from bert.reporting import Progress
from bert.retrieval import index, knowledge, sources
from bert.retrieval.index import Index
from bert.retrieval.knowledge import KnowledgeBase
from bert.tasks import table
from bert.training.outputs import check_outputs

logger = logging.getLogger(__name__)

Encode = Callable[[Sequence[str]], np.ndarray]
_AT_ONCE = 1024  # questions between two lines of progress


def check_files(settings: RetrievalSettings) -> None:
    """Raises InputError for rows that cannot be added or removed, whatever the index will be, before any work."""
    if settings.add_file:
        knowledge.read(settings.add_file, settings)
    _removed(settings)
    if settings.do_train and settings.hard_negatives and settings.hard_negatives_from != "bm25":
        stored_model.read(settings.hard_negatives_from, flag="hard_negatives_from")  # whether there is a model


def make(settings: RetrievalSettings) -> None:
    """Encodes the knowledge base with the model in `output_dir` and writes the index there."""
    index.discard_damaged(settings.output_dir)
    base, told = sources.base(settings), _answering(settings)
    vectors = _encoder(settings)(base.questions)
    _write(settings.output_dir, Index(base, vectors, _fingerprint(settings), settings.index, answering=told))


def check(settings: RetrievalSettings) -> None:
    """Raises InputError where the index in `output_dir` is none of these settings, before anything there changes."""
    stored = index.require_content(settings.output_dir)["fingerprint"]
    index.check_fingerprint(settings.output_dir, stored, _fingerprint(settings))


def change(settings: RetrievalSettings) -> None:
    """Removes questions from the index and adds others; only these are encoded. The threshold stays.

    What is there with the same answer is not added again. Raises InputError where the index was made with another
    model, or one to be removed is not there.
    """
    found, folder = index.read(settings.output_dir), settings.output_dir
    index.check_fingerprint(folder, found.fingerprint, _fingerprint(settings))
    found = dataclasses.replace(found, answering=_answering(settings))
    removed = np.union1d(_rows_of_ids(found.base, settings.remove_ids), _rows_of_file(found.base, settings))
    if len(removed):
        found = found.without(removed)
        logger.info("Removed %d questions.", len(removed))
    if settings.add_file:
        added = knowledge.read(settings.add_file, settings)
        found.base.with_added(added, settings.add_file)  # whether they fit, before they are encoded
        if known := len(added) - len(added := found.base.unknown(added)):
            logger.info("%d questions of %s are in the index already.", known, settings.add_file)
        vectors = _encoder(settings)(added.questions) if len(added) else found.vectors[:0]
        found = found.with_added(added, vectors, settings.add_file)
        logger.info("Added %d questions.", len(added))
    if found.threshold:
        logger.info("The threshold stays the one of the questions before; `do_eval` chooses it anew.")
    _write(folder, found)


def hard_negatives_encoder(settings: RetrievalSettings) -> Encode | None:
    """What makes the vectors that hard negatives are looked for with; None: BM25 does."""
    folder = settings.hard_negatives_from
    if folder == "bm25":
        return None
    return _vectors(prediction.load(folder, vectors=True, pooling=settings.pooling))


def _fingerprint(settings: RetrievalSettings) -> dict[str, object]:
    """What decides over the vectors of the model in `output_dir`."""
    stored = stored_model.read(settings.output_dir, settings.vocab_file)
    return stored.fingerprint(settings.pooling, settings.layer, settings.max_seq_length)


def _answering(settings: RetrievalSettings) -> dict[str, object]:
    """How the index is to be asked from now on."""
    stored = stored_model.read(settings.output_dir, settings.vocab_file)
    return dataclasses.asdict(answering(stored, settings.given))


def _encoder(settings: RetrievalSettings) -> Encode:
    """The model in `output_dir` as a function."""
    predictor = prediction.load(
        settings.output_dir,
        vocab_file=settings.vocab_file,
        do_lower_case=settings.do_lower_case,
        max_seq_length=settings.max_seq_length,
        vectors=True,
        pooling=settings.pooling,
        layer=settings.layer,
    )
    return _vectors(predictor)


def _vectors(predictor: prediction.Predictor) -> Encode:
    """A model as a function that tells how far it is; vectors of length 1. It raises InputError where these are none,
    as those of a training that went astray."""
    assert isinstance(predictor, VectorPredictor)
    folder = predictor.stored.folder

    def encode(texts: Sequence[str]) -> np.ndarray:
        progress = Progress("Encoding", len(texts), unit="questions")
        parts = []
        for begin in range(0, len(texts), _AT_ONCE):
            part = texts[begin : begin + _AT_ONCE]
            parts.append(unit(predictor.encode(part)))
            check_outputs(folder, "vectors", parts[-1])
            progress.advance(len(part))
        progress.close()
        return np.concatenate(parts)

    return encode


def _rows_of_ids(base: KnowledgeBase, ids: str | None) -> np.ndarray:
    """The questions of answers, by their ids."""
    names = [name.strip() for name in (ids or "").split(",") if name.strip()]
    unknown = next((name for name in names if name not in base.numbers), None)
    if unknown is not None:
        hint = "" if len(names) == 1 else "; where an id has a comma, name its questions in `remove_file`"
        raise InputError(f"`remove_ids`: the answer '{unknown}' is not in the index{hint}")
    return np.flatnonzero(np.isin(base.groups, [base.numbers[name] for name in names]))


def _rows_of_file(base: KnowledgeBase, settings: RetrievalSettings) -> np.ndarray:
    """The questions that a file has, whatever their answers."""
    found = [knowledge.NO_ROWS]
    for where, text in _removed(settings):
        found.append(base.copies(text))
        if not len(found[-1]):
            raise InputError(f"{where}: the question '{text}' is not in the index")
    return np.unique(np.concatenate(found))


def _removed(settings: RetrievalSettings) -> list[tuple[str, str]]:
    """What `remove_file` has: where each question stands, and the question. Raises InputError where it has none."""
    if not settings.remove_file:
        return []
    rows = table.rows_of(settings.remove_file, settings.header)
    found = [(row.where, table.text_of(row, settings.question_column, "question_column")) for row in rows]
    if not found:
        raise InputError(f"{settings.remove_file}: no question")
    return found


def _write(folder: str, found: Index) -> None:
    with files.locked_folder(folder):
        path = index.write(folder, found)
    for line in knowledge.described(found.base):
        logger.info(line)
    logger.info("Wrote the index to %s", path)
