"""SQuAD files to examples: documents as words between spaces, questions, answers as spans of words.

The format, 1.1 and 2.0 (only 2.0 has is_impossible):

    {"data": [{"paragraphs": [{"context": "...", "qas": [
        {"id": "...", "question": "...", "answers": [{"text": "...", "answer_start": 17}], "is_impossible": false}]}]}]}
"""

import bisect
import dataclasses
import logging
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from bert import files, unicode_ranges
from bert.errors import InputError, shown

logger = logging.getLogger(__name__)

SHUFFLE_SEED = 12345  # the original shuffles training questions once, with this seed (docs/parity.md 8)
_SPACES = " \t\r\n\u202f"  # what the original takes for space, narrow no-break space included
_CHINESE = unicode_ranges.for_re(unicode_ranges.CHINESE)
_CHARACTER_OR_SPACES = re.compile(f"[{_SPACES}]+|.", re.DOTALL)
_WORD = re.compile(f"[{_CHINESE}]|[^{_SPACES}{_CHINESE}]+")

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True, eq=False)
class Document:
    """A paragraph: its text, its words, and the character each word begins with. All its questions share it.

    Words stand between spaces; a Chinese character is a word by itself. (To the original it is not, so that a
    Chinese paragraph is one word, and of an answer that occurs twice in it always the first place is learned.)
    """

    text: str
    words: tuple[str, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> "Document":
        found = list(_WORD.finditer(text))
        return cls(text, tuple(word.group() for word in found), tuple(word.start() for word in found))

    def word_at(self, character: int) -> int:
        """The word a character belongs to, a space to the word before it; -1 before the first word."""
        return bisect.bisect_right(self.starts, character) - 1

    def between(self, first_word: int, last_word: int) -> str:
        """The text from one word to another, both included, a single space for every run of spaces in it."""
        part = self.text[self.starts[first_word] : self.starts[last_word] + len(self.words[last_word])]
        return re.sub(f"[{_SPACES}]+", " ", part)

    def place(self, first_word: int, last_word: int, part: slice) -> tuple[int, int]:
        """Where that part of `between` stands in the document: its first character, and the one behind its last."""
        offset = self.starts[first_word]
        text = self.text[offset : self.starts[last_word] + len(self.words[last_word])]
        places = [found.start() for found in _CHARACTER_OR_SPACES.finditer(text)]
        return offset + places[part.start], offset + places[part.stop - 1] + 1


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer to learn: its text, and the words it begins and ends in."""

    text: str
    first_word: int
    last_word: int


@dataclasses.dataclass(frozen=True)
class Example:
    """A question. `answer` is what training learns: None in prediction and where `is_impossible`.

    `references` are the answers that evaluation counts as right; none for a question without answer.
    """

    id: str
    question: str
    document: Document
    answer: Answer | None = None
    references: tuple[str, ...] = ()
    is_impossible: bool = False


@dataclasses.dataclass(frozen=True)
class _Question:
    """A question as the file has it, and where that is."""

    values: Mapping
    document: Document
    where: str

    def field(self, name: str, kind: type[Value]) -> Value:
        return _field(self.values, name, kind, self.where)


def read_training(path: str, with_impossible: bool) -> list[Example]:
    """The questions to learn, shuffled as the original does it; one whose answer is not in the text is left out.

    Raises InputError, naming file and question, where a question has not exactly one answer and is not
    `is_impossible` (looked at only `with_impossible`), for an answer that is empty or behind the end of its
    document, and for a file of another format.
    """
    examples, lost = [], 0
    for question in _questions(path):
        impossible = with_impossible and question.field("is_impossible", bool)
        answer = None if impossible else _training_answer(question)
        if answer is None and not impossible:
            lost += 1
            continue
        examples.append(
            Example(
                question.field("id", str),
                question.field("question", str),
                question.document,
                answer=answer,
                is_impossible=impossible,
            )
        )
    if lost:
        logger.warning("%s: %d questions are left out: their answer is not where the file says.", path, lost)
    if not examples:
        raise InputError(f"{path}: holds no question to learn")
    random.Random(SHUFFLE_SEED).shuffle(examples)
    return examples


def read_prediction(path: str, locate_answers: bool = False) -> list[Example]:
    """The questions to answer, in the order of the file, with the answers it gives, if any, as references.

    With `locate_answers` the first of them that stands in the document is its `answer`, so that there is a loss.

    Raises InputError for a file without a question, for an id given twice, and for a file of another format.
    """
    examples = [
        Example(
            question.field("id", str),
            question.field("question", str),
            question.document,
            answer=_located_answer(question) if locate_answers else None,
            references=tuple(_references(question)),
            is_impossible=question.values.get("is_impossible") is True,
        )
        for question in _questions(path)
    ]
    if not examples:
        raise InputError(f"{path}: holds no question")
    seen = set()
    for example in examples:
        if example.id in seen:
            raise InputError(f"{path}: question id '{example.id}' occurs twice, expected an id for each answer")
        seen.add(example.id)
    return examples


def has_references(examples: Sequence[Example]) -> bool:
    """Whether the file says what is right: some question has an answer or is marked as having none."""
    return any(example.references or example.is_impossible for example in examples)


def _training_answer(question: _Question) -> Answer | None:
    answers = question.field("answers", list)
    if len(answers) != 1:
        hint = ""
        if not answers and "is_impossible" in question.values:
            hint = "; SQuAD 2.0 needs `version_2_with_negative`=true"
        raise InputError(f"{question.where}: has {len(answers)} answers, expected exactly 1 in training{hint}")
    where = f"{question.where}.answers[0]"
    text = _field(answers[0], "text", str, where)
    start = _field(answers[0], "answer_start", int, where)
    answer = find_answer(question.document, text, start, where)
    if answer is None:
        found = question.document.text[max(start, 0) :][: len(text)]
        logger.warning("Could not find answer: '%s' vs. '%s' (%s)", found, text, where)
    return answer


def _located_answer(question: _Question) -> Answer | None:
    for where, answer in _answers(question):
        text, start = _field(answer, "text", str, where), _field(answer, "answer_start", int, where)
        fits = bool(text.split()) and start + len(text) <= len(question.document.text)
        found = find_answer(question.document, text, start, where) if fits else None
        if found:
            return found
    return None


def find_answer(document: Document, text: str, start: int, where: str) -> Answer | None:
    """The words an answer covers; None if its text is not in them, as after a wrong `start` (characters).

    Raises InputError for an empty answer and for one that ends behind its document.
    """
    if not text.split():
        raise InputError(f"{where}: the text is empty, expected an answer")
    end = start + len(text) - 1
    if end >= len(document.text):
        raise InputError(f"{where}: ends at character {end}, but the context has {len(document.text)} characters")
    if start < 0:  # what many converters write for "not found"
        return None
    first, last = document.word_at(start), document.word_at(end)
    if first == -1 and last == len(document.words) - 1:
        first = last  # what an answer that begins with the document's opening space comes to in the original
    if first < 0 or " ".join(text.split()) not in document.between(first, last):
        return None
    return Answer(text, first, last)


def _references(question: _Question) -> Iterator[str]:
    for where, answer in _answers(question):
        yield _field(answer, "text", str, where)


def _answers(question: _Question) -> Iterator[tuple[str, Any]]:
    """Where each answer stands, and what is there; none where the file tells of none."""
    answers = question.values.get("answers", [])
    if not isinstance(answers, list):
        raise InputError(f"{question.where}: 'answers' is {shown(answers)}, expected a list")
    for number, answer in enumerate(answers):
        yield f"{question.where}.answers[{number}]", answer


def _questions(path: str) -> Iterator[_Question]:
    for entry_number, entry in enumerate(_field(files.read_json(path, whole_characters=False), "data", list, path)):
        where = f"{path}: data[{entry_number}]"
        for paragraph_number, paragraph in enumerate(_field(entry, "paragraphs", list, where)):
            inner = f"{where}.paragraphs[{paragraph_number}]"
            document = Document.of(_field(paragraph, "context", str, inner))
            for number, values in enumerate(_field(paragraph, "qas", list, inner)):
                yield _Question(values, document, f"{inner}.qas[{number}]")


def _field(values: Mapping, name: str, kind: type[Value], where: str) -> Value:
    """A field of a JSON object. Raises InputError where it is missing or of another type."""
    names: dict[type, str] = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}
    if not isinstance(values, dict):
        raise InputError(f"{where}: {shown(values)}, expected an object with '{name}'")
    if name not in values:
        raise InputError(f"{where}: has no '{name}', expected {names[kind]}")
    if type(values[name]) is not kind:
        raise InputError(f"{where}: '{name}' is {shown(values[name])}, expected {names[kind]}")
    return values[name]
