"""A tag for every word, and the spans that the tags make."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from scipy import special

from bert import stored_model
from bert.errors import InputError, shown
from bert.options.tagging import DecodingOptions
from bert.prediction.base import Prediction, Predictor
from bert.prediction.rows import check_names
from bert.tasks.tagging import decoding, schemes, windows
from bert.tasks.tagging.conll import ConllFile

EXPECTED = 'a text, a list of words, {"text": ...} or {"words": [...]}'


@dataclasses.dataclass(frozen=True)
class Entity:
    """Words that the tags of BIO or BIOES take together: `words[first_word:last_word + 1]`, `text[start:end]`."""

    type: str
    text: str
    first_word: int
    last_word: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class TagsPrediction(Prediction):
    """A word, a tag and its probability each, and the entities, whose places are those of characters in the text.

    The text of a list of words has a space between each two of them. truncated: always 0, all words are read.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    scores: tuple[float, ...]
    entities: tuple[Entity, ...]
    truncated: int


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A row, checked: `words[i]` begins at character `starts[i]` of the text."""

    text: str
    words: tuple[str, ...]
    starts: tuple[int, ...]


class TagsPredictor(Predictor[Sentence, TagsPrediction]):
    """A row is a text, split at white space, its words, or {"text": ...} or {"words": [...]}."""

    kind = stored_model.TAGGING
    fields: ClassVar[Mapping[str, str]] = {"text": "a text, split at white space", "words": "or its words, a list"}
    options_class = DecodingOptions

    def check_options(self) -> None:
        labels = self.stored.label_names
        self.scheme = schemes.settle((self.stored.labels or {}).get("scheme", "auto"), labels)
        self.order = schemes.Order.of(labels, self.scheme) if self.options.constrained_decoding else None
        if self.order and self.scheme == "plain":
            raise InputError("`constrained_decoding` needs tags of BIO or BIOES, but those of this model are plain")
        if self.order:
            self.order.check(labels)

    def example(self, row: object) -> Sentence:
        found = row
        if isinstance(row, Mapping):
            check_names(row, tuple(self.fields), EXPECTED)
            if len(row) == 1:
                found = next(iter(row.values()))
            if len(row) != 1 or isinstance(found, str) != ("text" in row):
                raise InputError(f"found {shown(row)}, expected {EXPECTED}")
        if isinstance(found, str):
            places = list(re.finditer(r"\S+", found))
            return Sentence(found, tuple(place.group() for place in places), tuple(place.start() for place in places))
        if not isinstance(found, Sequence) or not all(isinstance(word, str) and word.strip() for word in found):
            raise InputError(f"found {shown(row)}, expected {EXPECTED}")
        sizes = [len(word) + 1 for word in found]
        return Sentence(" ".join(found), tuple(found), tuple(np.cumsum([0, *sizes])[:-1].tolist()))

    def _answer(self, examples: Sequence[Sentence]) -> Iterable[TagsPrediction]:
        splits = np.cumsum([0, *(len(example.words) for example in examples)])
        tags, scores = self._tags([word for example in examples for word in example.words], np.unique(splits))
        for example, begin, end in zip(examples, splits[:-1], splits[1:], strict=True):
            own = tuple(tags[begin:end])
            yield TagsPrediction(example.words, own, tuple(scores[begin:end]), self._entities(example, own), 0)

    def _tags(self, words: list[str], splits: np.ndarray) -> tuple[list[str], list[float]]:
        """The tag of every word and its probability; sentence i, never empty, is words[splits[i]:splits[i + 1]]."""
        if not words:
            return [], []
        labels = self.stored.label_names
        text = ConllFile("rows", [], words, None, [], splits)
        rows = windows.build(text, labels, self.tokenizer, self.max_seq_length)
        scores = rows.scores(self.forward(rows.features(0, len(rows)))["logits"])  # [T, C]
        ids = decoding.decode(scores, splits, self.order)
        probabilities = special.softmax(scores, axis=1)[np.arange(len(ids)), ids]
        return [labels[index] for index in ids], probabilities.tolist()

    def _entities(self, example: Sentence, tags: Sequence[str]) -> tuple[Entity, ...]:
        if self.scheme == "plain":
            return ()
        found = []
        for kind, first, last in schemes.spans(tags, self.scheme):
            start, end = example.starts[first], example.starts[last] + len(example.words[last])
            found.append(Entity(kind, example.text[start:end], first, last, start, end))
        return tuple(found)

    def row_of(self, line: str) -> object:
        return line

    def cells(self, result: TagsPrediction) -> list[str]:
        """The tags, separated by spaces."""
        return [" ".join(result.tags)]
