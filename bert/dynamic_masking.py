"""Hides other positions of a record in every epoch, in graph operations, on whole batches.

What is hidden follows from (seed, epoch, record) alone: the order of the rows, the step a run goes on from and the
number of threads change nothing. The rules and shares are those of `masking` (docs/parity.md 6.9 and 6.10), which the
records were made with; the random numbers are others.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

from bert import files, sidecar
from bert.errors import InputError
from bert.masking import KEEP_SHARE, MASK_SHARE, wanted_count
from bert.random_numbers import draws, keys

Batch = dict[str, tf.Tensor]

_SCHEMA = {
    "masked_lm_prob": float,
    "do_whole_word_mask": bool,
    "write_word_starts": bool,
    "cls_id": int,
    "sep_id": int,
    "mask_id": int,
    "repeated_ids": [int],
}
_DRAWS = 3  # a position: its place in the order of hiding, what is shown there, the random word


@dataclasses.dataclass(frozen=True)
class Rules:
    """How the records of a run were masked, as their side-cars tell it.

    Attributes:
      masked_lm_prob: share of a row's pieces to hide, [CLS] and [SEP] counted.
      whole_words: hide all pieces of a word or none; the records say where words begin.
      cls_id, sep_id: never hidden.
      mask_id: id of [MASK].
      replacement_ids: the ids that a random word is drawn from.
      dupe_factor: how often the records hold each text.
    """

    masked_lm_prob: float
    whole_words: bool
    cls_id: int
    sep_id: int
    mask_id: int
    replacement_ids: Sequence[int]
    dupe_factor: int = 1

    @classmethod
    def of_records(cls, paths: Sequence[str]) -> "Rules":
        """Reads the side-cars. Raises InputError where one is missing or lacks what is needed, or two differ."""
        stored = [_side_car(path) for path in paths]
        first = stored[0]
        masking = first["masking"]
        sidecar.check(paths, {"masking": masking, "vocab_size": first["vocab_size"]})
        repeated = set(masking["repeated_ids"])
        return cls(
            masking["masked_lm_prob"],
            masking["do_whole_word_mask"],
            masking["cls_id"],
            masking["sep_id"],
            masking["mask_id"],
            [index for index in range(first["vocab_size"]) if index not in repeated],
            max(values.get("flags", {}).get("dupe_factor", 1) for values in stored),
        )

    def __str__(self) -> str:
        return f"{self.masked_lm_prob:.3g} of the pieces{', whole words' if self.whole_words else ''}"


def _side_car(path: str) -> Mapping:
    values, where = sidecar.read(path), sidecar.path_of(path)
    if values is None:
        raise InputError(f"`dynamic_masking`: {path} has no side-car {where}, which says how to mask")
    if "masking" not in values:
        raise InputError(f"`dynamic_masking`: {where} has no 'masking', expected one made by this version")
    files.checked(values, {"masking": _SCHEMA, "vocab_size": int, "flags?": {"dupe_factor?": int}}, where)
    masking = values["masking"]
    if masking["do_whole_word_mask"] and not masking["write_word_starts"]:
        raise InputError(
            f"`dynamic_masking`: {path} was made with `do_whole_word_mask` and does not say where words begin; "
            "make it again with `write_word_starts`"
        )
    ids = [masking[name] for name in ("cls_id", "sep_id", "mask_id")]
    if not all(0 <= index < values["vocab_size"] for index in ids):
        raise InputError(f"{where}: 'masking' holds the ids {ids}, expected 0 to {values['vocab_size'] - 1}")
    if not 0 <= masking["masked_lm_prob"] <= 1:
        raise InputError(f"{where}: 'masked_lm_prob' is {masking['masked_lm_prob']}, expected 0 to 1")
    if set(range(values["vocab_size"])) <= set(masking["repeated_ids"]):
        raise InputError(f"{where}: 'repeated_ids' leaves no word of {values['vocab_size']}")
    return values


class DynamicMasking:
    """Takes the masks off a batch of pre-training records and draws new ones."""

    def __init__(self, rules: Rules, seed: int, max_seq_length: int, max_predictions_per_seq: int) -> None:
        self._rules, self._seed = rules, seed
        self._max_seq_length, self._max_predictions = max_seq_length, max_predictions_per_seq
        self._wanted = [
            wanted_count(length, rules.masked_lm_prob, max_predictions_per_seq) for length in range(max_seq_length + 1)
        ]

    def __call__(self, batch: Batch, epochs: tf.Tensor) -> Batch:
        """The batch with other hidden positions, `word_starts` taken out.

        Args:
          batch: features of `records.PRETRAINING`, or with words `records.PRETRAINING_WORDS`, and `record`; S and P
            are those of the records.
          epochs: int64 [B], how often each row was seen before.
        """
        batch = dict(batch)
        starts = batch.pop("word_starts", None)
        ids = unmasked(batch)  # [B, S]
        own = keys(tf.constant(self._seed), epochs, batch["record"])  # [B]
        order, shown, words = tf.unstack(draws(own, _DRAWS, self._max_seq_length), axis=1)  # [B, S] each
        is_piece = (batch["input_mask"] == 1) & (ids != self._rules.cls_id) & (ids != self._rules.sep_id)
        wanted = tf.gather(tf.constant(self._wanted), tf.reduce_sum(batch["input_mask"], axis=1))  # [B]
        hidden = self._hidden(is_piece, starts, wanted, order)
        return {
            **batch,
            **self._targets(ids, hidden),
            "input_ids": tf.where(hidden, self._shown(ids, shown, words), ids),
        }

    def _hidden(self, is_piece: tf.Tensor, starts: tf.Tensor | None, wanted: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
        """bool [B, S]; without `starts` every piece is a word."""
        if starts is None:
            return _taken(tf.cast(is_piece, tf.int32), wanted, order, single=True) & is_piece
        size = self._max_seq_length
        # [SEP] ends no word, and the first piece begins one whatever it is (docs/parity.md 6.10).
        word = tf.maximum(tf.cumsum(starts, axis=1) - 1, 0)  # [B, S]
        places = tf.range(tf.shape(word)[0])[:, tf.newaxis] * size + word
        sizes = tf.math.unsorted_segment_sum(tf.cast(is_piece, tf.int32), places, tf.shape(word)[0] * size)
        taken = _taken(tf.reshape(sizes, [-1, size]), wanted, order)
        return tf.gather(taken, word, batch_dims=1) & is_piece

    def _shown(self, ids: tf.Tensor, shown: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """What stands at each position if it is hidden, int32 [B, S]."""
        replacements = tf.constant(list(self._rules.replacement_ids), tf.int32)
        replaced = tf.gather(replacements, words % tf.size(replacements, tf.int64))
        share = tf.cast(shown, tf.float64) / 2.0**63
        kept_until = MASK_SHARE + (1 - MASK_SHARE) * KEEP_SHARE
        return tf.where(share < MASK_SHARE, self._rules.mask_id, tf.where(share < kept_until, ids, replaced))

    def _targets(self, ids: tf.Tensor, hidden: tf.Tensor) -> Batch:
        """The three features that say what is hidden, ascending by position, [B, P]."""
        size, room = self._max_seq_length, self._max_predictions
        positions = tf.sort(tf.where(hidden, tf.range(size), size), axis=1)[:, :room]
        positions = tf.pad(positions, [[0, 0], [0, max(0, room - size)]], constant_values=size)  # [B, P]
        is_hidden = positions < size
        positions = tf.where(is_hidden, positions, 0)
        return {
            "masked_lm_positions": positions,
            "masked_lm_ids": tf.where(is_hidden, tf.gather(ids, positions, batch_dims=1), 0),
            "masked_lm_weights": tf.cast(is_hidden, tf.float32),
        }


def unmasked(batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The WordPieces of the rows before any was hidden, int32 [B, S]."""
    places = tf.where(batch["masked_lm_weights"] > 0)  # [number of hidden, 2]: row, and which of its P
    positions = tf.cast(tf.gather_nd(batch["masked_lm_positions"], places), tf.int64)
    where = tf.stack([places[:, 0], positions], axis=1)
    return tf.tensor_scatter_nd_update(batch["input_ids"], where, tf.gather_nd(batch["masked_lm_ids"], places))


def _taken(sizes: tf.Tensor, wanted: tf.Tensor, order: tf.Tensor, single: bool = False) -> tf.Tensor:
    """Goes through the words of each row in random order and takes those that still fit, bool [B, W].

    Args:
      sizes: pieces in each word, int32 [B, W]; 0: there is no such word.
      wanted: pieces to take at most, int32 [B].
      order: int64 [B, W], the smallest comes first.
      single: every word has one piece, which is faster.
    """

    def take(total: tf.Tensor, size: tf.Tensor) -> tf.Tensor:  # a word that would be too many is passed over
        return tf.where(total + size <= wanted, total + size, total)

    by_chance = tf.argsort(tf.where(sizes > 0, order, order.dtype.max), axis=1)
    ranked = tf.gather(sizes, by_chance, batch_dims=1)
    if single:
        totals = tf.minimum(tf.cumsum(ranked, axis=1), wanted[:, tf.newaxis])
    else:
        totals = tf.transpose(tf.scan(take, tf.transpose(ranked), tf.zeros_like(wanted)))
    before = tf.pad(totals, [[0, 0], [1, 0]])[:, :-1]
    return tf.gather(totals > before, tf.argsort(by_chance, axis=1), batch_dims=1)  # in the order of the row again
