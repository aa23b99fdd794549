"""Which WordPieces of a text too long for a row are read: the first, the last, some of both, or all through windows.

All texts of a batch are cut at once, by arithmetic: no loop runs over tokens. Shapes: B texts, S max_seq_length,
W windows.
"""

import numpy as np

HEAD_SHARE = 4  # head_tail keeps a 4th at the head: 128 of 510 WordPieces, as Sun et al. 2019 (arXiv 1905.05583) do
OVERLAP_SHARE = 4  # neighbouring windows have at least a 4th of their WordPieces in common


def truncated_sizes(a_sizes: np.ndarray, b_sizes: np.ndarray, max_seq_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Sizes [B] of both texts after truncation (docs/parity.md 8).

    While a pair is longer than S - 3 the last WordPiece of the longer text goes, of the second if both are
    equal: the shorter text loses nothing while it fits into its half, and a gets the odd place. A single text
    is cut to S - 2.
    """
    room = np.where(b_sizes > 0, max_seq_length - 3, max_seq_length - 2)
    half_b = np.where(b_sizes > 0, room // 2, 0)
    return (
        np.minimum(a_sizes, np.maximum(room - b_sizes, room - half_b)),
        np.minimum(b_sizes, np.maximum(room - a_sizes, half_b)),
    )


def head_sizes(kept: np.ndarray, truncation: str) -> np.ndarray:
    """How many of the WordPieces that texts keep stand at their head; the others are their last ones."""
    return {"head": kept, "tail": np.zeros_like(kept), "head_tail": -(-kept // HEAD_SHARE)}[truncation]


def keep(
    pieces: np.ndarray, start: np.ndarray, size: np.ndarray, kept: np.ndarray, head: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Takes of each text its first `head` WordPieces and its last `kept - head`.

    Args:
      pieces: int32, of all texts.
      start, size, kept, head: int64 [B]; text b is pieces[start[b]:start[b] + size[b]].

    Returns the pieces that are kept, text after text, and where in them each text begins, int64 [B].
    """
    kept_start = np.cumsum(kept) - kept
    place = np.arange(kept.sum())
    text = np.repeat(np.arange(len(kept)), kept)  # that each kept piece is of
    in_tail = place >= (kept_start + head)[text]
    return pieces[place + (start - kept_start)[text] + in_tail * (size - kept)[text]], kept_start


def window_places(sizes: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spreads windows of `kept` WordPieces evenly over texts of `sizes`, int64 [B] both, so that they cover them.

    No more than the overlap asks for, and none shorter than the others: the last ends where its text ends. A text that
    fits has one window, and so has one of which nothing can be kept.

    Returns splits, int64 [B + 1] (the windows of text b are splits[b] to splits[b + 1]), and the first WordPiece of
    each window in its text, int64 [W].
    """
    excess = sizes - kept
    step = np.maximum(kept - kept // OVERLAP_SHARE, 1)
    count = np.where(kept > 0, 1 + -(-excess // step), 1)
    splits = np.append(0, np.cumsum(count))
    text = np.repeat(np.arange(len(count)), count)  # [W]
    number = np.arange(len(text)) - splits[text]
    return splits, number * excess[text] // np.maximum(count[text] - 1, 1)
