"""The nearest questions by their words: BM25 (Robertson and Zaragoza 2009), from bm25s."""

import re
from collections.abc import Sequence

import numpy as np

from bert.retrieval.knowledge import normalised
from bert.retrieval.search import check_bm25, top
from bert.unicode_ranges import CHINESE, for_re, is_chinese_character

_PARTS = re.compile(rf"[{for_re(CHINESE)}]+|[^\W{for_re(CHINESE)}]+")


def words(text: str) -> list[str]:
    """The words of a text, in lower case; of Chinese, which has no spaces, the characters and each two neighbours."""
    found = []
    for part in _PARTS.findall(normalised(text)):
        if is_chinese_character(part[0]):
            found += [*part, *(part[place : place + 2] for place in range(len(part) - 1))]
        else:
            found.append(part)
    return found


class Bm25:
    """Questions by BM25, with the parameters that bm25s has by default: k1 1.5, b 0.75.

    A question that shares no word with the query is not found.
    """

    def __init__(self, questions: Sequence[str]) -> None:
        check_bm25()
        import bm25s

        self.depth = len(questions)
        self._index = bm25s.BM25()
        parts = [words(question) for question in questions]
        self._has_words = any(parts)  # bm25s makes no index of nothing but marks
        if self._has_words:
            self._index.index(parts, show_progress=False)

    def search(self, queries: Sequence[str], count: int) -> tuple[np.ndarray, np.ndarray]:
        parts = [top(self._scores(query)[np.newaxis], count) for query in queries]
        scores, rows = (np.concatenate(each) for each in zip(*parts, strict=True))
        shares_words = scores > 0  # Lucene's idf is never 0
        return np.where(shares_words, scores, -np.inf), np.where(shares_words, rows, -1)

    def _scores(self, query: str) -> np.ndarray:
        """float32 [Q]; 0 where no word is shared."""
        known = words(query) if self._has_words else []
        return self._index.get_scores(known) if known else np.zeros(self.depth, np.float32)
