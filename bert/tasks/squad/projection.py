"""A span of WordPieces back to the document's own characters, with its casing, accents and spacing.

WordPieces have lost what the tokenizer normalizes away. The words of the document that a span touches still have it, so
they are normalized once more, the span is looked up in that text, and its ends are carried over by counting the
characters that are no space:

    document words   M. Müller's (1st)      predicted   muller
    normalized       m . muller ' s ( 1st )
                         ^^^^^^  characters 2 to 7 without spaces, so characters 2 to 7 of M.Müller's(1st): Müller

Where that does not work out (an unknown word, a character that vanished), the whole words are the answer.
"""

import functools
import logging
import re
import unicodedata
from collections.abc import Sequence

from bert import unicode_ranges

logger = logging.getLogger(__name__)

_ASCII_SIGNS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_CHINESE = re.compile(f"[{unicode_ranges.for_re(unicode_ranges.CHINESE)}]")


class _Cleaning(dict):
    """Table of str.translate, filled as characters come: control characters vanish, Chinese ones stand alone."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "\t\n\r":
            self[code] = " "
        elif character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf"):
            self[code] = ""
        else:
            self[code] = f" {character} " if _CHINESE.match(character) else character
        return self[code]


class _Splitting(dict):
    """Table of str.translate: punctuation stands alone; accents vanish where `strip_accents`."""

    def __init__(self, strip_accents: bool) -> None:
        super().__init__()
        self.strip_accents = strip_accents

    def __missing__(self, code: int) -> str:
        character, category = chr(code), unicodedata.category(chr(code))
        if category == "Mn" and self.strip_accents:
            self[code] = ""
        else:
            alone = character in _ASCII_SIGNS or category.startswith("P")
            self[code] = f" {character} " if alone else character
        return self[code]


_CLEANING = _Cleaning()
_SPLITTING = {do_lower_case: _Splitting(do_lower_case) for do_lower_case in (True, False)}


@functools.lru_cache(maxsize=200_000)
def normalized(word: str, do_lower_case: bool) -> str:
    """A word as the tokenizer sees it before WordPiece (docs/parity.md 7), its parts separated by single spaces."""
    text = " ".join(word.translate(_CLEANING).split())
    if do_lower_case:
        text = unicodedata.normalize("NFD", text.lower())
    return " ".join(text.translate(_SPLITTING[do_lower_case]).split())


def joined(pieces: Sequence[str]) -> str:
    """WordPieces as text: `##` parts are glued to what stands before them."""
    return " ".join(" ".join(pieces).replace(" ##", "").replace("##", "").split())


def project(predicted: str, original: str, do_lower_case: bool, verbose: bool = False) -> slice:
    """Where in `original` (words of a document) the characters are that the text `predicted` (see `joined`) stands for.

    Where that cannot be told, it is all of `original`; `verbose` logs why.
    """
    text = " ".join(filter(None, (normalized(word, do_lower_case) for word in original.split(" "))))
    start = text.find(predicted)
    if start < 0 or not predicted:
        if verbose:
            logger.info("No '%s' in '%s': the whole words are the answer.", predicted, original)
        return slice(0, len(original))
    indices = [index for index, character in enumerate(original) if character != " "]
    if len(indices) != len(text.replace(" ", "")):
        if verbose:
            logger.info("'%s' and '%s' do not align: the whole words are the answer.", original, text)
        return slice(0, len(original))
    before = len(text[:start].replace(" ", ""))
    length = len(predicted.replace(" ", ""))
    return slice(indices[before], indices[before + length - 1] + 1)
