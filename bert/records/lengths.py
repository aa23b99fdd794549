"""How long rows are, for the log."""

from typing import NamedTuple

import numpy as np


class LengthSummary(NamedTuple):
    """The lengths that 50, 95 and 99 of 100 rows do not exceed, and the longest; all 0 where there is no row."""

    p50: int
    p95: int
    p99: int
    longest: int

    @classmethod
    def of(cls, lengths: np.ndarray) -> "LengthSummary":
        if not len(lengths):
            return cls(0, 0, 0, 0)
        return cls(*map(int, np.percentile(lengths, [50, 95, 99, 100], method="higher")))

    def __str__(self) -> str:
        return f"p50 {self.p50}, p95 {self.p95}, p99 {self.p99}, longest {self.longest}"
