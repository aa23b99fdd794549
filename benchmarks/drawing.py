"""Rows drawn by chance, the same ones whenever they are drawn."""

import random
from collections.abc import Sequence

DRAW_SEED = 12345


def drawn(rows: Sequence, count: int) -> list:
    """So many of the rows, by chance, in their order; 0: all."""
    if not count or count >= len(rows):
        return list(rows)
    return [rows[index] for index in sorted(random.Random(DRAW_SEED).sample(range(len(rows)), count))]
