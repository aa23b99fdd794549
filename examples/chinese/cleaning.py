"""What becomes of a paragraph before a model learns from it: sentences without markup, each once, none of a test."""

import html
import json
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence

from bert import files, unicode_ranges
from bert.pretraining_data.reading import split_sentences

SHORT = 10  # letters: below this, sentences repeat by chance ("谢谢。"), and only equal ones are the same
LONG = 20  # letters in a row that two texts do not share by chance

_ATTRIBUTE = r"""\s+[\w:-]+(?:=(?:"[^"]*"|'[^']*'|[^\s<>"']+))?"""
_MARKUP = re.compile(rf"</?[a-zA-Z]\w*(?:{_ATTRIBUTE})*\s*/?>|<!--.*?-->", re.ASCII)  # not "a<b 和 c>d"
_ADDRESSES = re.compile(r"(?:https?://|www\.)[\w./?=&%#:~+-]+|[\w.+-]+@[\w-]+\.[\w.]+", re.ASCII)
_REPEATED = re.compile(r"([^\w\s])\1{3,}")  # ！！！！！！
_CONTROLS = "\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\ufeff"
_INVISIBLE = re.compile(f"[{_CONTROLS}\ufffd\ue000-\uf8ff]")  # and what no font has: U+FFFD and private characters
_CHINESE = re.compile(f"[{unicode_ranges.for_re(unicode_ranges.CHINESE)}]")
_NO_LETTER = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


def clean(paragraph: str) -> str:
    """The paragraph without markup, addresses and invisible characters; four marks in a row or more become three."""
    text = _MARKUP.sub("", html.unescape(paragraph))
    text = _INVISIBLE.sub("", _ADDRESSES.sub("", text))
    return " ".join(_REPEATED.sub(r"\1\1\1", text).split())


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph, cleaned."""
    return split_sentences(clean(paragraph))


def chinese_count(text: str) -> int:
    """How many Chinese characters a text has."""
    return len(_CHINESE.findall(text))


def is_chinese_sentence(text: str) -> bool:
    """Whether at least a third of what is not white space is Chinese characters, at least two."""
    return chinese_count(text) >= max(2, len("".join(text.split())) / 3)


def letters(text: str) -> str:
    """What makes two texts nearly identical: letters of any script in lower case, each number as 0, nothing else."""
    return _DIGITS.sub("0", _NO_LETTER.sub("", unicodedata.normalize("NFKC", text).lower()))


class EvaluationTexts:
    """The texts of dev and test sets, to recognise what may not be trained on.

    A sentence is one of theirs where its letters are those of a text, or hold a text of at least `SHORT` letters, or
    share `LONG` letters in a row with one.
    """

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._parts: dict[str, set[str]] = {}  # first letters -> all of what must not occur inside a sentence

    def __len__(self) -> int:
        return len(self._whole)

    def add(self, texts: Iterable[str]) -> None:
        """Adds texts; those of fewer than four letters are left out, as labels and numbers are."""
        for text in map(letters, texts):
            if len(text) < 4 or text in self._whole:
                continue
            self._whole.add(text)
            if len(text) >= SHORT:
                length = min(len(text), LONG)
                for start in range(len(text) - length + 1):
                    part = text[start : start + length]
                    self._parts.setdefault(part[:SHORT], set()).add(part)

    def has(self, sentence_letters: str) -> bool:
        """Whether a sentence of these letters is one of theirs."""
        if sentence_letters in self._whole:
            return True
        for start in range(len(sentence_letters) - SHORT + 1):
            for part in self._parts.get(sentence_letters[start : start + SHORT], ()):
                if sentence_letters.startswith(part, start):
                    return True
        return False


def texts_of_file(path: str) -> Iterator[str]:
    """The texts of a file of examples: columns separated by tabs, or with .json or .jsonl an object a line.

    Raises InputError with file and line for JSON that is none.
    """
    is_json = path.removesuffix(".gz").endswith((".json", ".jsonl"))
    for number, line in enumerate(files.read_lines(path), start=1):
        if not is_json:
            yield from line.split("\t")
        elif line.strip():
            yield from _texts_of(files.parse_json(line, path, number))


def _texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts_of(part)


def is_kept_apart(document: Sequence[str], every: int) -> bool:
    """Whether a document is one in so many, by what it says: so neither order nor other documents change it."""
    return zlib.crc32(json.dumps(list(document)).encode()) % every == 0
