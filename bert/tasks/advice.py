"""What is worth saying about a run's texts before it starts."""

import collections
import itertools
import logging
import unicodedata
from collections.abc import Iterable

from bert.tokenization import Vocabulary

logger = logging.getLogger(__name__)

SCRIPTS = ("ARABIC", "BENGALI", "CYRILLIC", "DEVANAGARI", "GREEK", "HANGUL", "HEBREW", "THAI")
ENTRIES = 100  # of a script, so that it counts: the Chinese vocabulary has a few letters of most
LOOKED_AT = 2000  # texts


def warn_of_multilingual_vocabulary(vocabulary: Vocabulary, texts: Iterable[str]) -> None:
    """Warns where Chinese texts meet a multilingual vocabulary: the Chinese model is better at them."""
    if is_mostly_chinese("".join(itertools.islice(texts, LOOKED_AT))) and is_multilingual(vocabulary.tokens):
        logger.warning(
            "The texts are Chinese and the vocabulary is multilingual: a Chinese model (chinese_L-12_H-768_A-12) is "
            "usually better at them."
        )


def is_mostly_chinese(text: str) -> bool:
    """Whether more than half of the letters are Chinese characters, and hardly any are Japanese kana.

    Chinese texts have some kana, in names of shops and goods; in Japanese texts every second letter is one.
    """
    scripts: collections.Counter[str] = collections.Counter()
    for letter, count in collections.Counter(text).items():
        if letter.isalpha():
            scripts[unicodedata.name(letter, "").partition(" ")[0]] += count
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    return scripts["CJK"] > scripts.total() / 2 and kana < scripts["CJK"] / 10


def is_multilingual(tokens: Iterable[str]) -> bool:
    """Whether three or more scripts beside Latin and Chinese have words of two letters and more."""
    found = dict.fromkeys(SCRIPTS, 0)
    for token in tokens:
        word = token.removeprefix("##")
        script = unicodedata.name(word[0], "").partition(" ")[0] if len(word) > 1 and word.isalpha() else ""
        if script in found:
            found[script] += 1
    return sum(count >= ENTRIES for count in found.values()) >= 3
