"""Sentences to WordPiece ids, and which pieces belong to one word.

For whole-word masking a piece that begins with `##` continues the word before it (docs/parity.md 6.10). Chinese has no
such pieces: every character is a word of its own to WordPiece. A segmenter finds the words, and the ids stay the same.
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bert import unicode_ranges
from bert.errors import InputError, how_to_install
from bert.tokenization import Tokenizer

# The characters that the tokenizer sets apart (docs/parity.md 7); a cut beside one changes no id.
_CHINESE_RUN = re.compile(f"([{unicode_ranges.for_re(unicode_ranges.CHINESE)}]+)")


class SentenceEncoder:
    """Encodes sentences in bulk.

    Args:
      tokenizer: text to ids.
      whole_words: also tell which pieces continue a word.
      segmenter: `none`, `spaces` (the words of the input stand between spaces) or `jieba`.

    Raises InputError when jieba is asked for and not installed.
    """

    def __init__(self, tokenizer: Tokenizer, whole_words: bool = False, segmenter: str = "none") -> None:
        self._tokenizer = tokenizer
        self._segment = _segmenter(segmenter)
        tokens = tokenizer.vocabulary.tokens
        self._is_inside = np.array([token.startswith("##") for token in tokens], np.uint8) if whole_words else None

    def encode(self, sentences: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Returns ids int32 [T], row splits int64 [sentences + 1], and for whole words uint8 [T], 1 where a
        piece continues the word before it."""
        if self._segment is None:
            ids, splits = self._tokenizer.encode(sentences)
            return ids, splits, None if self._is_inside is None else self._is_inside[ids]
        assert self._is_inside is not None, "a segmenter groups characters into words, for whole words only"
        units = [list(chinese_units(sentence, self._segment)) for sentence in sentences]
        ids, splits = self._tokenizer.encode([text for sentence in units for text, _ in sentence])
        lengths = np.diff(splits)
        joined = np.array([is_word for sentence in units for _, is_word in sentence], np.uint8)
        inside = np.repeat(joined, lengths)
        inside[splits[:-1][lengths > 0]] = 0  # a unit's first piece continues nothing
        ends = np.cumsum([0, *map(len, units)])
        return ids, splits[ends], inside | self._is_inside[ids]


def chinese_units(sentence: str, segment: Callable[[str], Sequence[str]]) -> Iterator[tuple[str, bool]]:
    """Cuts a sentence beside Chinese characters only: (text, whether it is one Chinese word).

    The pieces of the units are together exactly the pieces of the sentence.
    """
    cuts = set(itertools.accumulate(map(len, segment(sentence))))
    position = 0
    for text in _CHINESE_RUN.split(sentence):
        end = position + len(text)
        if _CHINESE_RUN.match(text):
            inner = sorted(cut for cut in range(position + 1, end) if cut in cuts)
            for start, stop in itertools.pairwise([position, *inner, end]):
                yield sentence[start:stop], True
        elif text:
            yield text, False
        position = end


def _segmenter(name: str) -> Callable[[str], Sequence[str]] | None:
    if name == "none":
        return None
    if name == "spaces":
        return functools.partial(re.findall, r"\s+|\S+")
    try:
        import jieba  # the extra `chinese`: only this segmenter needs it
    except ImportError:
        raise InputError(
            f"`segmenter` is jieba, but the package jieba is not installed {how_to_install('chinese')}"
        ) from None
    jieba.setLogLevel("WARNING")
    return jieba.lcut
