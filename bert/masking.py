"""Which positions of a sequence are hidden, and by what: the masked LM task (Devlin et al. 2019, section 3.1).

The draws are those of the original, one for one (docs/parity.md 6.9 to 6.11), so the same seed hides the same pieces.
What `random.Random` does for `randint` and `shuffle` is spelled out here on `getrandbits`, which gives the same
numbers from the same state in less than half the time; the tests compare it with the module itself.
"""

import functools
import random
from collections.abc import Callable, MutableSequence, Sequence

KEEP = 0xFFFFFFFF  # stands for "the piece stays as it is" where a replacement's id is expected

MASK_SHARE = 0.8  # of the hidden positions show [MASK]
KEEP_SHARE = 0.5  # of the rest stay, the others show a random word: 80/10/10


def wanted_count(length: int, masked_lm_prob: float, max_predictions_per_seq: int) -> int:
    """How many pieces to hide of a sequence of this length, [CLS] and [SEP] counted."""
    return min(max_predictions_per_seq, max(1, round(length * masked_lm_prob)))  # Python's round, halves to even


def random_below(getrandbits: Callable[[int], int], count: int) -> int:
    """A random number from 0 to `count` - 1, as `randrange(count)` draws it."""
    bits = count.bit_length()
    value = getrandbits(bits)
    while value >= count:
        value = getrandbits(bits)
    return value


@functools.cache
def _shuffle_steps(last: int, first: int = 1) -> tuple[tuple[int, range], ...]:
    """The indices that a shuffle fills, from `last` down to `first`, grouped by the number of bits a draw takes."""
    steps = []
    while last >= first:
        bits = (last + 1).bit_length()
        end = max(2 ** (bits - 1) - 1, first)
        steps.append((bits, range(last, end - 1, -1)))
        last = end - 1
    return tuple(steps)


def shuffle(items: MutableSequence, getrandbits: Callable[[int], int]) -> None:
    """Shuffles in place, as `random.shuffle` does."""
    for bits, indices in _shuffle_steps(len(items) - 1):
        for index in indices:
            other = getrandbits(bits)
            while other > index:
                other = getrandbits(bits)
            items[index], items[other] = items[other], items[index]


def shuffled_start(items: list, count: int, getrandbits: Callable[[int], int]) -> list:
    """The first `count` items of the shuffled list, with the draws of the whole shuffle; `items` is used up.

    A shuffle fills the last place first and never reads it again, so what goes behind the start need not be written.
    """
    for bits, indices in _shuffle_steps(len(items) - 1, max(count, 1)):
        for index in indices:
            other = getrandbits(bits)
            while other > index:
                other = getrandbits(bits)
            items[other] = items[index]
    del items[count:]
    shuffle(items, getrandbits)
    return items


class MaskSampler:
    """Chooses the hidden positions of one sequence after the other.

    Args:
      rng: the stream of random numbers.
      replacement_ids: the ids a random word is drawn from.
      mask_id: id of [MASK].
      masked_lm_prob: share of the sequence's positions, [CLS] and [SEP] counted, to hide.
      max_predictions_per_seq: P, at most so many are hidden.
    """

    def __init__(
        self,
        rng: random.Random,
        replacement_ids: Sequence[int],
        mask_id: int,
        masked_lm_prob: float,
        max_predictions_per_seq: int,
    ) -> None:
        self._random, self._getrandbits = rng.random, rng.getrandbits
        self._replacement_ids = replacement_ids
        self._mask_id = mask_id
        self._masked_lm_prob = masked_lm_prob
        self._max_predictions_per_seq = max_predictions_per_seq
        self._masked: list[int] = []  # piece p with [MASK] in its place, for p = 0, 1, 2...
        self._wanted: list[int] = []  # how many of 0, 1, 2... pieces to hide

    def sample(self, count: int, continues: bytes | None = None) -> list[int]:
        """Hides pieces of `[CLS] A [SEP] B [SEP]`.

        Args:
          count: number of pieces of A and B together.
          continues: for whole-word masking, a byte for each of these pieces, not 0 where the piece continues the
            word of the piece before it.

        Returns:
          At most P numbers, in no order: `piece << 32 | replacement`, with the piece's place among those of A and B
          and the id shown for it, or `KEEP`.
        """
        if count >= len(self._wanted):
            self._grow(2 * count)
        wanted = self._wanted[count]
        if continues is None:
            hidden = shuffled_start(self._masked[:count], wanted, self._getrandbits)
        else:
            hidden = [self._masked[piece] for piece in self._whole_words(continues, wanted)]
        uniform = self._random
        for index in range(len(hidden)):
            if uniform() < MASK_SHARE:
                continue
            piece = hidden[index] >> 32
            if uniform() < KEEP_SHARE:
                hidden[index] = piece << 32 | KEEP
            else:
                word = random_below(self._getrandbits, len(self._replacement_ids))
                hidden[index] = piece << 32 | self._replacement_ids[word]
        return hidden

    def _grow(self, count: int) -> None:
        """Prepares for sequences of up to `count` pieces."""
        for piece in range(len(self._masked), count + 1):
            self._masked.append(piece << 32 | self._mask_id)
            length = piece + 3  # [CLS] and both [SEP]
            self._wanted.append(wanted_count(length, self._masked_lm_prob, self._max_predictions_per_seq))

    def _whole_words(self, continues: bytes, wanted: int) -> list[int]:
        """The pieces of random words; one that would be too many is passed over, not cut (docs/parity.md 6.10)."""
        starts = [piece for piece, inside in enumerate(continues) if not inside or piece == 0]
        words = list(range(len(starts)))
        shuffle(words, self._getrandbits)
        starts.append(len(continues))
        hidden: list[int] = []
        for word in words:
            if len(hidden) >= wanted:
                break
            pieces = range(starts[word], starts[word + 1])
            if len(hidden) + len(pieces) <= wanted:
                hidden.extend(pieces)
        return hidden
