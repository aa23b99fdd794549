"""Questions and their answers. Shapes: Q questions of the knowledge base."""

import collections
import dataclasses
import functools
import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from bert.errors import InputError, quoted
from bert.options.retrieval import KnowledgeOptions
from bert.tasks import table
from bert.tasks.rows import Row

NO_ROWS = np.zeros(0, np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class KnowledgeBase:
    """Questions, each with the id of its answer; `answers` has the texts of those that have one."""

    questions: tuple[str, ...]
    answer_ids: tuple[str, ...]
    answers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.questions)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The ids of the answers, each once, in the order of their first questions."""
        return tuple(dict.fromkeys(self.answer_ids))

    @functools.cached_property
    def numbers(self) -> Mapping[str, int]:
        """Id of an answer -> its place in `names`."""
        return {name: number for number, name in enumerate(self.names)}

    @functools.cached_property
    def groups(self) -> np.ndarray:
        """The place in `names` of each question's answer, int64 [Q]."""
        return np.array([self.numbers[name] for name in self.answer_ids], np.int64)

    @functools.cached_property
    def sha256(self) -> str:
        """Of the questions and the ids of their answers."""
        return hashlib.sha256(json.dumps([self.questions, self.answer_ids]).encode()).hexdigest()

    @functools.cached_property
    def _by_text(self) -> Mapping[str, list[int]]:
        found = collections.defaultdict(list)
        for row, question in enumerate(self.questions):
            found[normalised(question)].append(row)
        return found

    def copies(self, text: str) -> np.ndarray:
        """The questions that say the same but for case, width and space, int64."""
        return np.array(self._by_text.get(normalised(text), NO_ROWS), np.int64)

    @property
    def ambiguous(self) -> list[str]:
        """The questions that stand there with several answers, each once."""
        found = (rows for rows in self._by_text.values() if len(rows) > 1)
        return [self.questions[rows[0]] for rows in found if len({self.answer_ids[row] for row in rows}) > 1]

    def others(self, text: str, answer_id: str) -> np.ndarray:
        """The questions of an answer that are no copies of a text, int64."""
        own = np.flatnonzero(self.groups == self.numbers[answer_id]) if answer_id in self.numbers else NO_ROWS
        return np.setdiff1d(own, self.copies(text))

    def take(self, kept: Sequence[int] | np.ndarray) -> "KnowledgeBase":
        """Of these questions only, in this order."""
        answer_ids = tuple(self.answer_ids[row] for row in kept)
        answers = {name: self.answers[name] for name in dict.fromkeys(answer_ids) if name in self.answers}
        return KnowledgeBase(tuple(self.questions[row] for row in kept), answer_ids, answers)

    def unknown(self, other: "KnowledgeBase") -> "KnowledgeBase":
        """The questions of another that do not stand here with the same answer; with the texts of all its answers."""
        known = set(zip(self.questions, self.answer_ids, strict=True))
        pairs = zip(other.questions, other.answer_ids, strict=True)
        new = other.take([row for row, pair in enumerate(pairs) if pair not in known])
        return dataclasses.replace(new, answers=other.answers)

    def with_added(self, other: "KnowledgeBase", source: str) -> "KnowledgeBase":
        """With the questions of another behind its own. Raises InputError where an answer has another text there."""
        for name, text in other.answers.items():
            if self.answers.get(name, text) != text:
                known, found = quoted(self.answers[name]), quoted(text)
                raise InputError(f"{source}: the answer '{name}' is {found}, in the index it is {known}")
        answers = {**self.answers, **other.answers}
        return KnowledgeBase(self.questions + other.questions, self.answer_ids + other.answer_ids, answers)


@dataclasses.dataclass(frozen=True, eq=False)
class Queries:
    """Questions that are asked. The id of a right answer is "" where there is none; `answer_ids` is None where nothing
    is said of it."""

    texts: tuple[str, ...]
    answer_ids: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.texts)


def normalised(text: str) -> str:
    """What copies of a question have in common: case, width and white space do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def read(path: str, options: KnowledgeOptions) -> KnowledgeBase:
    """Reads a knowledge base. Raises InputError, with file and line, for a question or an id that is empty, and for an
    answer with two texts."""
    if options.equal_label is not None:
        return read_pairs(path, options)
    questions: list[str] = []
    answer_ids: list[str] = []
    answers: dict[str, str] = {}
    for row in table.rows_of(path, options.header):
        questions.append(_filled(row, options.question_column, "question_column"))
        answer_ids.append(_filled(row, options.answer_id_column, "answer_id_column"))
        column = options.answer_column or ("answer" if "answer" in row.header else None)
        text = _answer(row, column) if column else ""
        if text and answers.setdefault(answer_ids[-1], text) != text:
            known = quoted(answers[answer_ids[-1]])
            raise InputError(f"{row.where}: the answer '{answer_ids[-1]}' is {quoted(text)}, before it was {known}")
    return _not_empty(path, KnowledgeBase(tuple(questions), tuple(answer_ids), answers))


def read_pairs(path: str, options: KnowledgeOptions) -> KnowledgeBase:
    """Makes a knowledge base of pairs of questions: what pairs of `equal_label` connect is one answer, whose id and
    text are its first question. A question counts once, however many pairs it is in."""
    pairs: list[tuple[str, str]] = []
    are_equal: list[bool] = []
    for row in table.rows_of(path, options.header):
        first = _filled(row, options.question_column, "question_column")
        pairs.append((first, _filled(row, options.question_b_column, "question_b_column")))
        are_equal.append(_name(row, options.label_column, "label_column") == options.equal_label)
    if not any(are_equal):
        raise InputError(f"{path}: no pair has the label '{options.equal_label}' (`equal_label`)")
    return of_pairs(pairs, are_equal)


def of_pairs(pairs: Sequence[tuple[str, str]], are_equal: Sequence[bool]) -> KnowledgeBase:
    """The knowledge base of pairs as `read_pairs` makes it, from one equal pair on."""
    numbers: dict[str, int] = {}
    texts: list[str] = []
    equal: list[list[int]] = []
    for pair, is_equal in zip(pairs, are_equal, strict=True):
        for text in pair:
            if numbers.setdefault(normalised(text), len(texts)) == len(texts):
                texts.append(text)
        if is_equal:
            equal.append([numbers[normalised(text)] for text in pair])
    first, second = np.array(equal).T
    graph = sparse.coo_array((np.ones(len(equal)), (first, second)), shape=(len(texts), len(texts)))
    _, clusters = csgraph.connected_components(graph, directed=False)
    _, firsts = np.unique(clusters, return_index=True)
    answer_ids = tuple(texts[firsts[cluster]] for cluster in clusters)
    return KnowledgeBase(tuple(texts), answer_ids, {name: name for name in dict.fromkeys(answer_ids)})


def read_queries(path: str, options: KnowledgeOptions, needs_answers: bool) -> Queries:
    """Reads questions that are asked; an empty id means that no answer is right. Raises InputError with file and line
    for a question that is empty, where there are no ids and it `needs_answers`, and where JSON has them of some."""
    texts, answer_ids = [], []
    for row in table.rows_of(path, options.header):
        default = "text" if "text" in row.header else options.question_column
        texts.append(_filled(row, options.text_column or default, "text_column"))
        if needs_answers or _has_answer_id(row, options.answer_id_column):
            answer_ids.append(_name(row, options.answer_id_column, "answer_id_column"))
    if not texts:
        raise InputError(f"{path}: no question")
    if answer_ids and len(answer_ids) < len(texts):
        raise InputError(
            f"{path}: {len(answer_ids)} of {len(texts)} questions have '{options.answer_id_column}', expected all or "
            "none; null means that no answer is right"
        )
    return Queries(tuple(texts), tuple(answer_ids) if answer_ids else None)


def check_known(queries: Queries, base: KnowledgeBase, path: str) -> None:
    """Raises InputError for a right answer that the knowledge base does not have."""
    unknown = next((name for name in queries.answer_ids or () if name and name not in base.numbers), None)
    if unknown is not None:
        raise InputError(
            f"{path}: the answer '{unknown}' is not in the knowledge base; for a question that has no answer there, "
            "leave the id empty"
        )


def _has_answer_id(row: Row, column: str) -> bool:
    """Whether a row says which answer is right; without a header, whether it has a column of that number."""
    if row.header:
        return column in row.header
    return len(row.columns) >= (int(column) if column.isdecimal() else 2)


def _not_empty(path: str, base: KnowledgeBase) -> KnowledgeBase:
    if not len(base):
        raise InputError(f"{path}: no question")
    return base


def _filled(row: Row, column: str, flag: str) -> str:
    text = _name(row, column, flag)
    if not text:
        raise InputError(f"{row.where}: '{column}' is empty, expected a text")
    return text


def _answer(row: Row, column: str) -> str:
    """The text of an answer; JSON may have null where there is none."""
    return "" if table.cell(row, column, "answer_column") is None else table.text_of(row, column, "answer_column")


def _name(row: Row, column: str, flag: str) -> str:
    """A cell as a text without the space around it; JSON may have a whole number, or null for an empty one."""
    value = table.cell(row, column, flag)
    if value is None or type(value) is int:
        return "" if value is None else str(value)
    return table.text_of(row, column, flag).strip()


def described(base: KnowledgeBase) -> Iterator[str]:
    """Lines for the log."""
    sizes = np.bincount(base.groups)
    single = int((sizes == 1).sum())
    yield f"  {len(base)} questions of {len(base.names)} answers, {single} of which have a single question"
    if ambiguous := base.ambiguous:
        yield f"  {len(ambiguous)} questions have several answers, the first of them {quoted(ambiguous[0])}"
