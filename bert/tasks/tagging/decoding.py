"""Scores to tags: the best tag of each word, or the best well-formed sequence of each sentence.

Shapes: C labels, T words.
"""

import numpy as np

from bert.tasks.tagging.schemes import Order


def decode(scores: np.ndarray, splits: np.ndarray, order: Order | None = None) -> np.ndarray:
    """Label ids, int64 [T], for scores, float [T, C], of sentences scores[splits[i]:splits[i + 1]].

    Without an `order` each word gets its best label. With one, each sentence gets the well-formed sequence of labels
    with the largest sum of scores; one must exist (`Order.check`).
    """
    ids = scores.argmax(axis=1)
    if order is None or not len(ids):
        return ids
    # What is best of all sequences and well-formed is best of the well-formed ones, so few sentences need the search.
    for sentence in np.flatnonzero(~order.is_well_formed(ids, splits)):
        words = slice(splits[sentence], splits[sentence + 1])
        ids[words] = viterbi(scores[words], order)
    return ids


def viterbi(scores: np.ndarray, order: Order) -> np.ndarray:
    """The well-formed sequence with the largest sum of scores, int64 [T], by dynamic programming (Viterbi 1967)."""
    forbidden = np.where(order.after, 0.0, -np.inf)  # [C, C]
    best = np.where(order.first, scores[0].astype(np.float64), -np.inf)  # [C]: of the sequences that end in a label
    came_from = np.zeros(scores.shape, np.int64)  # [T, C]
    for word in range(1, len(scores)):
        sums = best[:, None] + forbidden
        came_from[word] = sums.argmax(axis=0)
        best = sums.max(axis=0) + scores[word]
    ids = np.zeros(len(scores), np.int64)
    ids[-1] = np.where(order.last, best, -np.inf).argmax()
    for word in range(len(scores) - 1, 0, -1):
        ids[word - 1] = came_from[word, ids[word]]
    return ids
