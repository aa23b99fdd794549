"""The steps of run_retrieval in their order."""

import dataclasses
import functools

from bert import distribution
from bert.answering import asking, indexing
from bert.answering.settings import RetrievalSettings
from bert.errors import InputError
from bert.finetuning import trials
from bert.finetuning.fine_tune import fine_tune
from bert.finetuning.retrieval import Retrieval, place_model
from bert.prediction import reranking
from bert.retrieval import judging

_WITH_THE_INDEX = ("do_eval", "do_predict", "add_file", "remove_file", "remove_ids")  # what is done with it


def run(settings: RetrievalSettings) -> None:
    """Does what the settings ask for: train, make or change the index, evaluate, predict; with several trials so often,
    in folders there.

    Raises InputError for whatever is wrong with settings, files and the model, most of it before any work.
    """
    _check_alone(settings)
    _check_index(settings)
    asking.check_files(settings)
    indexing.check_files(settings)
    if settings.rerank_model:
        reranking.check(settings.rerank_model, settings.rerank_label or "")
    if settings.intent_model:
        reranking.check_intents(settings.intent_model)
    if settings.retriever == "bm25":
        asking.ask_bm25(settings)
    elif settings.num_trials == 1:
        run_once(settings)
    else:
        judging.check_metric(settings.best_metric)
        trials.repeat(settings, run_once)


def run_once(settings: RetrievalSettings) -> trials.Values:
    """One run with an encoder. Returns what the evaluation gave, if there was one."""
    if settings.do_train:
        on_the_way = settings.do_eval and settings.eval_every_steps > 0
        every = settings.eval_every_steps if on_the_way else 0
        training = dataclasses.replace(settings, do_eval=on_the_way, do_predict=False, eval_every_steps=every)
        encoder = functools.partial(indexing.hard_negatives_encoder, settings)  # called when the devices are open
        fine_tune(training, functools.partial(Retrieval, settings, encoder))
    else:
        if not settings.do_index:
            indexing.check(settings)
        place_model(settings, settings)
    if settings.do_index:
        indexing.make(settings)
    if settings.changes_index:
        indexing.change(settings)
    if settings.do_eval or settings.do_predict:
        return asking.ask_index(settings)
    return {}


def _asked(settings: RetrievalSettings, *names: str) -> str | None:
    """The first of these that is to be done."""
    return next((name for name in names if getattr(settings, name)), None)


def _check_index(settings: RetrievalSettings) -> None:
    """Raises InputError where a training would leave no index of its model, and one is asked for."""
    asked = _asked(settings, *_WITH_THE_INDEX)
    if settings.do_train and not settings.do_index and asked:
        raise InputError(f"`do_train` makes another model, whose index `{asked}` needs: give `do_index` too")


def _check_alone(settings: RetrievalSettings) -> None:
    """Raises InputError where several workers would do what one process does, all in the same folder."""
    count, asked = len(distribution.workers()), _asked(settings, "do_index", *_WITH_THE_INDEX)
    if count > 1 and asked:
        raise InputError(
            f"TF_CONFIG names {count} workers, and `{asked}` is for one process: train with `do_train` alone, then "
            f"give `{asked}` without TF_CONFIG"
        )
