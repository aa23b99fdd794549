"""Plans to the features of `records.PRETRAINING`, many instances at once. Needs no TensorFlow."""

import numpy as np

from bert.masking import KEEP
from bert.pretraining_data.plans import A_START, A_STOP, B_START, B_STOP, IS_RANDOM_NEXT, MASKED, NOTHING
from bert.records.layout import Bounds, lay_out


class PlanReader:
    """Turns plans into features.

    Args:
      tokens: int32 [T], the corpus the plans point into.
      cls_id, sep_id: ids of [CLS] and [SEP].
      max_seq_length: S.
      continues: uint8 [T], 1 where a token continues the word before it; given where the features are to say it.
    """

    def __init__(
        self, tokens: np.ndarray, cls_id: int, sep_id: int, max_seq_length: int, continues: np.ndarray | None = None
    ) -> None:
        self._tokens = tokens
        self._cls_id, self._sep_id = cls_id, sep_id
        self._max_seq_length = max_seq_length
        self._starts = None if continues is None else 1 - continues

    def features(self, plans: np.ndarray) -> dict[str, np.ndarray]:
        """uint64 [B, 5 + P] plans -> the features, each [B, length]; of integers but for the weights."""
        pairs, masked = plans[:, :MASKED].astype(np.int64), np.sort(plans[:, MASKED:], axis=1)
        a, b = (pairs[:, A_START], pairs[:, A_STOP]), (pairs[:, B_START], pairs[:, B_STOP])
        rows = lay_out(self._tokens, a, b, self._cls_id, self._sep_id, self._max_seq_length, dtype=np.int8)
        ids = rows["input_ids"]
        is_masked = masked != NOTHING
        pieces = (masked >> 32).astype(np.int64)
        # [CLS] stands before A, [SEP] between A and B
        positions = (pieces + 1 + (pieces >= pairs[:, A_STOP, None] - pairs[:, A_START, None])) * is_masked
        labels = np.take_along_axis(ids, positions, axis=1) * is_masked
        replacements = (masked & 0xFFFFFFFF).astype(np.int64)
        replacements = np.where(replacements == KEEP, labels, replacements)
        owners = np.broadcast_to(np.arange(len(plans))[:, None], positions.shape)
        ids[owners[is_masked], positions[is_masked]] = replacements[is_masked]
        return {
            **rows,
            "masked_lm_positions": positions,
            "masked_lm_ids": labels,
            "masked_lm_weights": is_masked.astype(np.float32),
            "next_sentence_labels": pairs[:, IS_RANDOM_NEXT, None] == 1,
            **self._word_starts(a, b),
        }

    def _word_starts(self, a: Bounds, b: Bounds) -> dict[str, np.ndarray]:
        if self._starts is None:
            return {}
        starts = lay_out(self._starts, a, b, 0, 0, self._max_seq_length)["input_ids"]
        starts[:, 1] = 1  # the first piece of A, though truncation may have left it without its word's beginning
        return {"word_starts": starts}
