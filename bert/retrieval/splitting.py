"""What of a knowledge base is kept for evaluation."""

import random

import numpy as np

from bert.errors import InputError
from bert.options.retrieval import KnowledgeOptions
from bert.retrieval.knowledge import NO_ROWS, KnowledgeBase, Queries
from bert.tasks import table


def held_out(base: KnowledgeBase, options: KnowledgeOptions) -> np.ndarray:
    """The questions that are not trained on and are asked in the evaluation, int64, ascending.

    All questions stay in the index; a question that is asked does not find itself or a copy. So an answer must have
    two questions to be drawn. Without `dev_fraction` there are none. Raises InputError where the fraction makes none.
    """
    if not options.dev_fraction:
        return NO_ROWS
    sizes = np.bincount(base.groups)
    if options.dev_split == "answers":
        several = np.flatnonzero(sizes > 1).tolist()
        drawn = random.Random(options.dev_seed).sample(several, round(options.dev_fraction * len(several)))
        found = np.flatnonzero(np.isin(base.groups, drawn))
    else:
        strata = [(name,) for name in base.answer_ids]
        found = np.array(sorted(table.stratified(strata, options.dev_fraction, options.dev_seed)), np.int64)
    if not len(found):
        raise InputError(
            f"`dev_fraction`={options.dev_fraction} of {len(base.names)} answers, {int((sizes > 1).sum())} of them "
            f"with several questions, is no question (`dev_split`={options.dev_split})"
        )
    return found


def trained(base: KnowledgeBase, options: KnowledgeOptions) -> np.ndarray:
    """The questions that are trained on, int64, ascending: neither those held out nor their copies. Raises InputError
    as `held_out` does."""
    copies = [base.copies(base.questions[row]) for row in held_out(base, options)]
    return np.setdiff1d(np.arange(len(base)), np.concatenate([NO_ROWS, *copies]))


def asked(base: KnowledgeBase, rows: np.ndarray) -> Queries:
    """Questions of the knowledge base as such that are asked."""
    part = base.take(rows)
    return Queries(part.questions, part.answer_ids)
