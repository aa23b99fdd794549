"""The rows that the model reads: [CLS] a [SEP], or [CLS] a [SEP] b [SEP], padded with 0 (docs/parity.md 8).

Many rows are laid out at once, by arithmetic: no loop runs over tokens.
"""

import numpy as np

Bounds = tuple[np.ndarray, np.ndarray]  # where texts begin in an array of tokens, and where they end: ints [B] each


def lay_out(
    tokens: np.ndarray,
    a: Bounds,
    b: Bounds | None,
    cls_id: int,
    sep_id: int,
    max_seq_length: int,
    is_pair: np.ndarray | None = None,
    dtype: type[np.integer] = np.int32,
) -> dict[str, np.ndarray]:
    """Lays out B rows of S = max_seq_length positions, into which they have to fit with [CLS] and [SEP].

    Args:
      tokens: int32 [T], WordPieces of all texts.
      a, b: the texts of each row, tokens[start:stop]; where b is None, all rows are [CLS] a [SEP].
      cls_id, sep_id: ids of [CLS] and [SEP].
      max_seq_length: S.
      is_pair: bool [B], whether a row has a second text, which may be empty; None: all rows if b is given.
      dtype: of input_mask and segment_ids; int8 is made and written faster.

    Returns:
      input_ids int32, input_mask and segment_ids of 0 and 1, all [B, S].
    """
    a_start, a_stop = (bound[:, None] for bound in a)  # [B, 1]
    b_start, b_stop = (a_stop, a_stop) if b is None else (bound[:, None] for bound in b)
    has_b = b is not None if is_pair is None else is_pair[:, None]
    middle = a_stop - a_start + 1  # the position of the first [SEP]
    end = middle + b_stop - b_start + has_b  # the position of the last [SEP], which is the first one without b
    positions = np.arange(max_seq_length, dtype=np.int32)
    in_b, mask = positions > middle.astype(np.int32), positions <= end.astype(np.int32)  # [B, S]
    index = np.where(in_b, b_start - middle - 1, a_start - 1)  # of the token for each position, less the position
    index += positions
    ids = tokens.take(index, mode="clip") if len(tokens) else np.zeros(index.shape, np.int32)
    ids *= mask
    ids[:, 0] = cls_id
    np.put_along_axis(ids, middle, sep_id, axis=1)
    np.put_along_axis(ids, end, sep_id, axis=1)
    return {"input_ids": ids, "input_mask": mask.astype(dtype), "segment_ids": (in_b & mask).astype(dtype)}
