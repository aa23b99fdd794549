"""What tags mean. BIO: B-PER begins a span, I-PER continues it, O is outside of all. BIOES: E-PER ends a span, S-PER is
a span of one word. Plain: a tag says something about its own word only, such as its part of speech.

Shapes: C labels, T words.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bert.errors import InputError

UNTYPED = "_"  # the type of spans whose tags are only B and I
_TAGS = {"bio": re.compile(r"O|[BI](-.+)?"), "bioes": re.compile(r"O|[BIES](-.+)?"), "plain": re.compile(r".+")}


class Span(NamedTuple):
    """Words `first` to `last`, both included."""

    type: str
    first: int
    last: int


def fits(tag: str, scheme: str) -> bool:
    return _TAGS[scheme].fullmatch(tag) is not None


def settle(scheme: str, labels: Iterable[str]) -> str:
    """The scheme itself, or for auto the first of bio, bioes and plain that all labels fit."""
    if scheme != "auto":
        return scheme
    return next(name for name in ("bio", "bioes", "plain") if all(fits(label, name) for label in labels))


def parts(tag: str) -> tuple[str, str]:
    """("B", "PER") of B-PER, ("B", UNTYPED) of B, ("O", "") of O."""
    prefix, _, kind = tag.partition("-")
    return prefix, "" if tag == "O" else kind or UNTYPED


def spans(tags: Sequence[str], scheme: str) -> Iterator[Span]:
    """The spans of a sentence. Of a plain scheme each word is one.

    Ill-formed tags are read as conlleval reads them: an I or E that continues nothing begins a span, and a span ends
    where another begins, or before O.
    """
    if scheme == "plain":
        yield from (Span(tag, index, index) for index, tag in enumerate(tags))
        return
    begin, before = 0, ("O", "")
    for index, tag in enumerate([*tags, "O"]):
        prefix, kind = parts(tag)
        continues = prefix in ("I", "E") and before[0] in ("B", "I") and before[1] == kind
        if before[0] != "O" and not continues:
            yield Span(before[1], begin, index - 1)
        if not continues:
            begin = index
        before = prefix, kind


@dataclasses.dataclass(frozen=True)
class Order:
    """Which labels a well-formed sentence may hold where.

    first, last: bool [C], may open or close it; after: bool [C, C], label j may follow label i at after[i, j].
    """

    first: np.ndarray
    after: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[str], scheme: str) -> "Order":
        """The order of bio or bioes. Under plain everything is allowed."""
        if scheme == "plain":
            anywhere = np.ones(len(labels), bool)
            return cls(anywhere, anywhere & anywhere[:, None], anywhere)
        prefixes, kinds = np.array([parts(label) for label in labels]).T
        continues = np.isin(prefixes, ["I", "E"])
        continued = np.isin(prefixes, ["B", "I"])
        must_go_on = continued & (scheme == "bioes")  # there E or S says where a span ends
        same = continued[:, None] & (kinds[:, None] == kinds)
        return cls(~continues, np.where(continues, same, ~must_go_on[:, None]), ~must_go_on)

    def is_well_formed(self, ids: np.ndarray, splits: np.ndarray) -> np.ndarray:
        """Whether each sentence is, bool; sentence i is ids[splits[i]:splits[i + 1]], never empty."""
        allowed = np.ones(len(ids), bool)
        allowed[1:] = self.after[ids[:-1], ids[1:]]
        allowed[splits[:-1]] = self.first[ids[splits[:-1]]]
        return np.logical_and.reduceat(allowed, splits[:-1]) & self.last[ids[splits[1:] - 1]]

    def check(self, labels: Sequence[str]) -> None:
        """Raises InputError where a sentence of one word could have no tag; any other then has one too."""
        if not (self.first & self.last).any():
            raise InputError(
                f"`constrained_decoding`: none of the labels {', '.join(labels)} can stand alone in a sentence of "
                "one word, expected O or a tag of a span of one word among them"
            )

    def out_of_reach(self) -> np.ndarray:
        """The labels that no well-formed sentence holds: int64."""
        from_start, to_end = self.first, self.last
        for _ in from_start:
            from_start = from_start | self.after[from_start].any(axis=0)
            to_end = to_end | self.after[:, to_end].any(axis=1)
        return np.flatnonzero(~(from_start & to_end))
