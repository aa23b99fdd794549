"""All sentence pairs of a block at once: the task of docs/parity.md 6.3 to 6.8 in arrays, with draws of its own.

Every repetition of every document is a lane. A step draws the next chunk of all lanes that have sentences left, so
Python runs as many steps as the longest document has chunks.
"""

import numpy as np

from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.options import Options


def draw_pairs(corpus: Corpus, options: Options, rng: np.random.Generator) -> np.ndarray:
    """The pairs of all repetitions, shuffled: int64 [N, 5], the columns of a plan in front of the masked pieces."""
    room = options.max_seq_length - 3
    sentences, documents = np.asarray(corpus.sentences), np.asarray(corpus.documents)
    own = np.tile(np.arange(corpus.num_documents), options.dupe_factor)  # the document of each lane, [L]
    is_short = rng.random(len(own)) < options.short_seq_prob
    target = np.where(is_short, rng.integers(2, room + 1, len(own)), room)
    start = documents[own]
    steps = []
    while len(own):
        last = documents[own + 1]
        # The chunk: as many sentences as it takes to reach the target, or all that are left.
        stop = np.minimum(np.searchsorted(sentences, sentences[start] + target), last)
        size = stop - start
        a_stop = start + rng.integers(1, np.maximum(size, 2))
        is_random_next = (size == 1) | (rng.random(len(own)) < 0.5)
        a_from, a_to = sentences[start], sentences[a_stop]
        random_from, random_to = _random_next(sentences, documents, own, target - (a_to - a_from), rng)
        b_from = np.where(is_random_next, random_from, a_to)
        b_to = np.where(is_random_next, random_to, sentences[stop])
        steps.append(np.stack([a_from, a_to, b_from, b_to, is_random_next], axis=1))  # [L, 5]
        # What A did not take of a chunk with a random B is not wasted: the next chunk begins with it.
        start = np.where(is_random_next, a_stop, stop)
        goes_on = start < last
        own, target, start = own[goes_on], target[goes_on], start[goes_on]
    pairs = np.concatenate(steps)
    _truncate(pairs, room, rng)
    return rng.permutation(pairs)


def _random_next(
    sentences: np.ndarray, documents: np.ndarray, own: np.ndarray, target: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where sentences of `target` pieces lie in another document than `own`, if there is one; ints [L] each."""
    others = len(documents) - 2
    other = rng.integers(0, max(others, 1), len(own))
    if others:
        other += other >= own
    first, last = documents[other], documents[other + 1]
    start = rng.integers(first, last)
    stop = np.searchsorted(sentences, sentences[start] + target)
    return sentences[start], sentences[np.clip(stop, start + 1, last)]


def _truncate(pairs: np.ndarray, room: int, rng: np.random.Generator) -> None:
    """Takes pieces off the longer one, at its front or its end by chance, until both fit; in place.

    One by one, as docs/parity.md 6.8 has it, a pair of long texts ends at half of the room each, and a short text
    leaves to the other what it does not need.
    """
    lengths = pairs[:, [1, 3]] - pairs[:, [0, 2]]  # of A and B, [N, 2]
    halves = np.array([room - room // 2, room // 2])
    excess = lengths - np.minimum(lengths, np.maximum(halves, room - lengths[:, ::-1]))
    at_front = rng.binomial(excess, 0.5)
    pairs[:, [0, 2]] += at_front
    pairs[:, [1, 3]] -= excess - at_front
