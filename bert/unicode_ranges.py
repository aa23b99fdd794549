"""Ranges of code points that several modules treat alike, in the notations of the regular expressions they use."""

from collections.abc import Sequence

Ranges = Sequence[tuple[int, int]]  # first and last code point of each

# Characters that are words by themselves to the tokenizer (docs/parity.md 7): ideographs, no kana and no Hangul.
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


def is_chinese_character(character: str) -> bool:
    """Whether the tokenizer sets a character apart as Chinese (docs/parity.md 7)."""
    return any(first <= ord(character) <= last for first, last in CHINESE)


def for_re(ranges: Ranges) -> str:
    """What stands between the brackets of a character class of Python's `re`."""
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def for_re2(ranges: Ranges) -> str:
    """What stands between the brackets of a character class of RE2, which TensorFlow uses."""
    return "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in ranges)
