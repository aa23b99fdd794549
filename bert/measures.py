"""What a run is judged by. Heads declare their losses and measures, label kinds those of their reports; whatever lists,
prints or compares such a number reads its declaration.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class Measure:
    """A number with a name.

    Attributes:
      name: what it is called in every file and message.
      higher_is_better: which way is better.
      guess: what a model that guesses reaches; None where that is not known.
      short: its name on the progress line, where eighty columns are few.
    """

    name: str
    higher_is_better: bool = True
    guess: float | None = None
    short: str = ""

    @property
    def sign(self) -> int:
        """1 or -1: times a value, the larger is the better."""
        return 1 if self.higher_is_better else -1


def loss(name: str, guess: float | None, short: str = "") -> Measure:
    """A loss in nats or squared units: the lower the better."""
    return Measure(name, higher_is_better=False, guess=guess, short=short)


def total(losses: Iterable[Measure]) -> Measure:
    """The `loss` that training minimises: the sum of its terms."""
    guesses = [term.guess for term in losses]
    return loss("loss", None if None in guesses else sum(filter(None, guesses)))


def short_names(measures: Iterable[Measure]) -> Mapping[str, str]:
    """Name -> name on the progress line."""
    return {measure.name: measure.short or measure.name for measure in measures}


class Report(Protocol):
    """How well a set was answered."""

    @property
    def measures(self) -> Mapping[str, float]:
        """Name -> number, over the whole set."""

    def table(self) -> list[str]:
        """Lines for the log."""

    def values(self) -> dict[str, Any]:
        """What the report file holds."""
