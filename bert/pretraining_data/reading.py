"""Text files to sentences: plain text a sentence a line, or JSON lines with a text each."""

import re
from collections.abc import Iterable, Iterator

from bert import files
from bert.errors import InputError
from bert.pretraining_data.options import TextOptions

# A sentence ends after a Chinese full stop, question or exclamation mark, semicolon or ellipsis, with the quotes and
# brackets that close behind it; after a Latin one only where white space follows.
_CHINESE_END = r"[。！？；…｡]+[”’」』）》】\"')\]]*"
_LATIN_END = r"[.!?]+[”’\"')\]»]*(?=\s)"
_SENTENCE_END = re.compile(rf"{_CHINESE_END}|{_LATIN_END}|[\n\u2028\u2029]+")
# A full stop behind one of these ends no sentence; nor does one behind a single capital, an initial.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Gen|Col|Sgt|Capt|Rev|No|Nos|vs|cf|e\.g|i\.e|approx|fig|Fig|p|pp)\.$"
)


def read_sentences(paths: Iterable[str], options: TextOptions) -> Iterator[str]:
    """Yields the sentences of the files, white space around them dropped; an empty string ends a document.

    A text file holds a sentence a line and a blank line between documents. The end of a file ends no document,
    as in the original (docs/parity.md 6.2). A JSON lines file holds a document a line.
    Raises InputError with file and line for what cannot be read.
    """
    for path in paths:
        if options.input_format == "jsonl":
            yield from _read_json_lines(path, options.text_field)
        else:
            for line in files.read_lines(path):
                yield line.strip()


def _read_json_lines(path: str, text_field: str) -> Iterator[str]:
    for number, line in enumerate(files.read_lines(path), start=1):
        if not line.strip():
            continue
        values = files.parse_json(line, path, number, whole_characters=False)
        text = values.get(text_field) if isinstance(values, dict) else None
        if not isinstance(text, str):
            found = ", ".join(map(str, values)) if isinstance(values, dict) else type(values).__name__
            raise InputError(
                f"{path}:{number}: expected an object with a string '{text_field}', found {found or 'nothing'}"
            )
        yield from split_sentences(text)
        yield ""


def split_sentences(text: str) -> list[str]:
    """Splits running text into sentences, Chinese or Latin; a line break always ends one."""
    sentences, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        sentence = text[start : end.end()].strip()
        if _ABBREVIATION.search(sentence) and not end.group().isspace():
            continue
        if sentence:
            sentences.append(sentence)
        start = end.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences
