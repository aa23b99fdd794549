"""Documents to sentence pairs with hidden pieces: the original's draws in the original's order (docs/parity.md 6).

Randomness depends on the lengths of sentences only, not on their pieces, so what is made is the plan of an instance.
"""

import random
from array import array
from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from bert.masking import MaskSampler, random_below, shuffle
from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.options import Options
from bert.pretraining_data.plans import NOTHING, plan_width
from bert.tokenization import Vocabulary

RANDOM_DOCUMENT_TRIES = 10  # as in the original, or all later draws shift (docs/parity.md 6.7)


class InstanceSampler:
    """Draws the instances of one document after the other. `CompiledSampler` does the same in less time.

    Args:
      corpus: the documents; random next sentences come from all of them.
      vocabulary: random replacement words come from it.
      options: lengths and probabilities.
      rng: the stream of random numbers. Making the sampler draws the order of the documents from it.
    """

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary, options: Options, rng: random.Random) -> None:
        self._sentences, self._documents, self._continues = corpus.sentences, corpus.documents, corpus.continues
        self._options = options
        self._random, self._getrandbits = rng.random, rng.getrandbits
        self._masks = MaskSampler(
            rng,
            list(vocabulary.ids.values()),
            vocabulary.mask_id,
            options.masked_lm_prob,
            options.max_predictions_per_seq,
        )
        self._order = array("q", range(corpus.num_documents))
        self.shuffle(self._order)

    def shuffle(self, items: array) -> None:
        """Shuffles in place, with the stream behind what has been drawn."""
        shuffle(items, self._getrandbits)

    def batches(self, size: int) -> Iterator[tuple[np.ndarray, int]]:
        """Goes through the corpus once. Yields about `size` plans at a time, uint64 [B, 5 + P], and how many documents
        end with them."""
        width = plan_width(self._options)
        plans, documents = array("Q"), 0
        for index in range(len(self._order)):
            self.sample(index, plans)
            documents += 1
            if len(plans) >= size * width or index == len(self._order) - 1:
                yield np.frombuffer(plans, np.uint64).reshape(-1, width), documents
                plans, documents = array("Q"), 0

    def sample(self, index: int, plans: array) -> None:
        """Appends the plans of the instances of the document at `index` of the shuffled order to `plans` ("Q")."""
        padding = [NOTHING] * self._options.max_predictions_per_seq
        document = self._order[index]
        bounds = self._sentences[self._documents[document] : self._documents[document + 1] + 1].tolist()
        last = len(bounds) - 1
        target = self._target_length()
        start = 0
        while start < last:
            # The chunk: as many sentences as it takes to reach the target, or all that are left.
            stop = min(bisect_left(bounds, bounds[start] + target, start + 1), last)
            a_stop = start + 1
            if stop - start >= 2:
                a_stop += random_below(self._getrandbits, stop - start - 1)
            a = bounds[start], bounds[a_stop]
            is_random_next = stop - start == 1 or self._random() < 0.5
            if is_random_next:
                b = self._random_next(index, target - (a[1] - a[0]))
                start = a_stop  # what A did not take is not wasted: the next chunk begins with it
            else:
                b = bounds[a_stop], bounds[stop]
                start = stop
            a_from, a_to, b_from, b_to = self._truncate(*a, *b)
            count = a_to - a_from + b_to - b_from
            masked = self._masks.sample(count, self._word_pieces(a_from, a_to, b_from, b_to))
            plans.extend([a_from, a_to, b_from, b_to, is_random_next, *masked, *padding[len(masked) :]])

    def _target_length(self) -> int:
        """Pieces to aim at, once a document: mostly all there is room for, at times fewer (docs/parity.md 6.5)."""
        room = self._options.max_seq_length - 3
        if self._random() < self._options.short_seq_prob:
            return 2 + random_below(self._getrandbits, room - 1)
        return room

    def _random_next(self, index: int, target: int) -> tuple[int, int]:
        """Where sentences of `target` pieces lie in another document (its own, when ten draws find no other)."""
        getrandbits, documents, sentences = self._getrandbits, self._documents, self._sentences
        for _ in range(RANDOM_DOCUMENT_TRIES):
            other = random_below(getrandbits, len(self._order))
            if other != index:
                break
        document = self._order[other]
        first, last = documents[document], documents[document + 1]
        start = first + random_below(getrandbits, last - first)
        return sentences[start], sentences[bisect_left(sentences, sentences[start] + target, start + 1, last)]

    def _truncate(self, a_from: int, a_to: int, b_from: int, b_to: int) -> tuple[int, int, int, int]:
        """Takes pieces off the longer one, at its front or its end by chance, until both fit (docs/parity.md 6.8)."""
        uniform = self._random
        a_length, b_length = a_to - a_from, b_to - b_from
        for _ in range(a_length + b_length - (self._options.max_seq_length - 3)):
            if a_length > b_length:
                a_length -= 1
                if uniform() < 0.5:
                    a_from += 1
            else:
                b_length -= 1
                if uniform() < 0.5:
                    b_from += 1
        return a_from, a_from + a_length, b_from, b_from + b_length

    def _word_pieces(self, a_from: int, a_to: int, b_from: int, b_to: int) -> bytes | None:
        """A byte a piece of A and B, 1 inside a word. [SEP] ends no word: a `##` that truncation brought to the
        front of B still counts to the last word of A, as in the original (docs/parity.md 6.10)."""
        if self._continues is None:
            return None
        return self._continues[a_from:a_to].tobytes() + self._continues[b_from:b_to].tobytes()
