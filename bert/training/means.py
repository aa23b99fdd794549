"""Means over a whole set: sums and weights add up, quotients are taken once, at the end."""

from collections.abc import Mapping

import numpy as np


class Means:
    """Adds up (sum, weight) pairs by name, in float64."""

    def __init__(self) -> None:
        self._totals: dict[str, np.ndarray] = {}

    def add(self, pairs: Mapping[str, tuple[float, float]]) -> None:
        for name, pair in pairs.items():
            self._totals[name] = self._totals.get(name, np.zeros(2)) + np.asarray(pair, np.float64)

    def values(self) -> dict[str, np.float32]:
        """Name -> mean; 0 where nothing weighed."""
        return {name: np.float32(total / weight if weight else 0.0) for name, (total, weight) in self._totals.items()}
