"""A plain-Python model of the original tokenizer, written from docs/parity.md 7: slow, small, easy to check by eye."""

import unicodedata
from collections.abc import Mapping

CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def is_deleted(character: str) -> bool:
    if character in "\t\n\r":
        return False
    return character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf")


def is_chinese_character(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in CHINESE)


def is_punctuation(character: str) -> bool:
    return character in ASCII_PUNCTUATION or unicodedata.category(character).startswith("P")


def spaced(text: str, condition) -> str:
    return "".join(f" {character} " if condition(character) else character for character in text)


def basic_tokens(text: str, lower_case: bool) -> list[str]:
    """Words and punctuation marks of a text."""
    text = "".join(character for character in text if not is_deleted(character))
    words = spaced(text, is_chinese_character).split()
    if lower_case:
        decomposed = (unicodedata.normalize("NFD", word.lower()) for word in words)
        words = ["".join(c for c in word if unicodedata.category(c) != "Mn") for word in decomposed]
    return spaced(" ".join(words), is_punctuation).split()


def word_pieces(word: str, ids: Mapping[str, int]) -> list[str]:
    """Greedy longest match from the left; a word that does not match to its end is unknown as a whole."""
    if len(word) > 200:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if prefix + word[start:end] in ids), None)
        if end is None:
            return ["[UNK]"]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces


def tokens(text: str, ids: Mapping[str, int], lower_case: bool) -> list[str]:
    return [piece for word in basic_tokens(text, lower_case) for piece in word_pieces(word, ids)]
