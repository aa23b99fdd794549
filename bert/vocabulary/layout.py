"""What stands where in a vocabulary, and what may stand in it."""

import unicodedata
from collections.abc import Iterable, Sequence

from bert.unicode_ranges import is_chinese_character

PAD = "[PAD]"
BEHIND_UNUSED = ("[UNK]", "[CLS]", "[SEP]", "[MASK]")
GOOGLES_UNUSED = 99  # [UNK] is then 100, [CLS] 101, [SEP] 102 and [MASK] 103, as in all of Google's vocabularies
_NEVER_IN_A_WORD = frozenset(("Cc", "Cf", "Cs", "Zs", "Zl", "Zp"))
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def unused(number: int) -> str:
    """An entry that no text has, for a word to come."""
    return f"[unused{number}]"


def is_unused(token: str) -> bool:
    return token.startswith("[unused") and token.endswith("]") and token[7:-1].isdecimal()


def special_tokens(unused_slots: int = GOOGLES_UNUSED) -> list[str]:
    """The first entries of a vocabulary, as Google orders them."""
    return [PAD, *map(unused, range(1, unused_slots + 1)), *BEHIND_UNUSED]


def filled(tokens: Sequence[str], size: int) -> list[str]:
    """The tokens, with further unused entries up to `size`."""
    number = sum(map(is_unused, tokens)) + 1
    return [*tokens, *map(unused, range(number, number + size - len(tokens)))]


def is_punctuation(character: str) -> bool:
    """Whether it is a word by itself as punctuation (docs/parity.md 7)."""
    return character in _ASCII_PUNCTUATION or unicodedata.category(character).startswith("P")


def is_word(text: str, do_lower_case: bool) -> bool:
    """Whether Google's tokenizer leaves exactly this as one word.

    It goes by Python's Unicode tables, ours by those of ICU; they differ in a hundred characters (docs/parity.md 10).
    """
    if text.isascii() and text.isalnum():
        return not do_lower_case or text == text.lower()
    if not text or (do_lower_case and text != _lower_cased(text)):
        return False
    if any(unicodedata.category(character) in _NEVER_IN_A_WORD for character in text):
        return False
    return len(text) == 1 or not any(is_chinese_character(character) or is_punctuation(character) for character in text)


def _lower_cased(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(character for character in decomposed if unicodedata.category(character) != "Mn")


def inner(characters: Iterable[str]) -> list[str]:
    """The pieces that continue a word with one character."""
    return [f"##{character}" for character in characters]
