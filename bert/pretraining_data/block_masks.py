"""The masks of many pairs at once: the task of docs/parity.md 6.9 and 6.10 in arrays, with draws of its own."""

import numpy as np

from bert.masking import KEEP, KEEP_SHARE, MASK_SHARE, wanted_count
from bert.pretraining_data.options import Options
from bert.pretraining_data.plans import A_START, A_STOP, B_START, B_STOP, NOTHING
from bert.tokenization import Vocabulary


class BlockMasks:
    """Chooses the hidden pieces of many pairs.

    Args:
      vocabulary: random replacement words come from it.
      options: lengths and probabilities.
    """

    def __init__(self, vocabulary: Vocabulary, options: Options) -> None:
        self._room, self._most = options.max_seq_length - 3, options.max_predictions_per_seq
        self._replacements = np.array([*vocabulary.ids.values()], np.uint64)
        self._mask_id = np.uint64(vocabulary.mask_id)
        self._wanted = np.array(
            [wanted_count(count + 3, options.masked_lm_prob, self._most) for count in range(self._room + 1)]
        )  # by the number of pieces, without [CLS] and both [SEP]

    def draw(self, pairs: np.ndarray, continues: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
        """uint64 [B, P], the masked pieces of plans.

        Args:
          pairs: int64 [B, 5], where A and B lie.
          continues: uint8 [T], 1 where a token of the corpus continues a word: whole words are hidden.
          rng: where chance comes from.
        """
        counts = (pairs[:, [A_STOP, B_STOP]] - pairs[:, [A_START, B_START]]).sum(axis=1)
        wanted = np.minimum(self._wanted[counts], counts)
        if continues is None:
            pieces = _in_random_order(counts, self._room, rng)[:, : self._most]
            pieces = np.pad(pieces, [(0, 0), (0, self._most - pieces.shape[1])])
        else:
            is_hidden = self._whole_words(pairs, counts, wanted, continues, rng)
            wanted = np.count_nonzero(is_hidden, axis=1)
            pieces = np.zeros((len(pairs), self._most), np.uint64)
            pieces[np.arange(self._most) < wanted[:, None]] = np.flatnonzero(is_hidden) % self._room
        masked = pieces.astype(np.uint64) << np.uint64(32) | self._shown(pieces.shape, rng)
        masked[np.arange(self._most) >= wanted[:, None]] = NOTHING
        return masked

    def _shown(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """What stands in the place of hidden pieces, uint64."""
        share = rng.random(shape, np.float32)
        words = self._replacements[rng.integers(0, len(self._replacements), shape)]
        kept_until = MASK_SHARE + (1 - MASK_SHARE) * KEEP_SHARE
        return np.where(share < MASK_SHARE, self._mask_id, np.where(share < kept_until, np.uint64(KEEP), words))

    def _whole_words(
        self,
        pairs: np.ndarray,
        counts: np.ndarray,
        wanted: np.ndarray,
        continues: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Which pieces the words taken consist of, bool [B, S - 3]."""
        places = np.arange(self._room)
        is_piece = places < counts[:, None]
        a_lengths = (pairs[:, A_STOP] - pairs[:, A_START])[:, None]
        index = places + np.where(places < a_lengths, pairs[:, A_START, None], pairs[:, B_START, None] - a_lengths)
        begins = continues.take(index, mode="clip") == 0  # [SEP] ends no word, but the first piece begins one
        begins[:, 0] = True
        words = np.cumsum(begins & is_piece, axis=1) - 1  # [B, S - 3]; what is no piece counts to the last word
        cells = (words + self._room * np.arange(len(words))[:, None])[is_piece]
        sizes = np.bincount(cells, minlength=words.size).reshape(words.shape)  # pieces in each word
        order = _in_random_order(words[:, -1] + 1, self._room, rng)
        taken, totals = np.zeros(words.shape, bool), np.zeros_like(wanted)
        rows = np.arange(len(words))
        for word in order.T:  # a word that would be too many is passed over, not cut
            size = sizes[rows, word]
            fits = totals + size <= wanted
            totals += size * fits
            taken[rows, word] |= fits & (size > 0)
            if (totals == wanted).all():
                break
        return np.take_along_axis(taken, words, axis=1) & is_piece


def _in_random_order(counts: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Each row 0, 1... `counts` - 1 in random order, then the others up to `most` - 1; ints [B, `most`]."""
    # A random number with the item in its lowest bits is sorted several times as fast as numpy's argsort, and one of 32
    # bits faster still: 21 of chance and more are plenty, two alike of so few items stand in their own order.
    size, bits = 4 if most < 1024 else 8, most.bit_length()
    items = np.arange(most, dtype=f"u{size}")
    keys = np.frombuffer(rng.bytes(size * len(counts) * most), items.dtype).reshape(-1, most)
    keys = keys >> (1 + bits) << bits | items  # the highest bit is free
    keys |= (items >= counts[:, None]).astype(keys.dtype) << (8 * size - 1)
    keys.sort(axis=1)
    return (keys & ((1 << bits) - 1)).astype(np.int64)
