"""Words for a vocabulary that is there already: which can be pieces of it, and at which places."""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bert import files
from bert.errors import InputError, quoted, shortened
from bert.tokenization import MAX_PIECE_BYTES, MAX_WORD_CHARACTERS, Tokenizer, Vocabulary, WordSplitter
from bert.unicode_ranges import is_chinese_character
from bert.vocabulary import layout

logger = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """A word to be added, and where it was asked for, for messages."""

    text: str
    where: str


@dataclasses.dataclass(frozen=True)
class Addition:
    """A vocabulary with words added.

    `pieces`: the id of each new word -> the ids of the pieces that the old vocabulary splits it into.
    """

    vocabulary: Vocabulary
    pieces: Mapping[int, tuple[int, ...]]


def read_words(path: str) -> list[Wanted]:
    """The words of a file, one a line; blank lines are passed over. Raises InputError where there is none."""
    lines = enumerate(files.read_lines(path), start=1)
    words = [Wanted(line.strip(), f"{path}:{number}") for number, line in lines if line.strip()]
    if not words:
        raise InputError(f"`words_file`: {path} has no words, expected one a line")
    return words


class Judge:
    """Says which words can be one piece, as the tokenizer of a model normalises and splits text."""

    def __init__(self, vocabulary: Vocabulary, do_lower_case: bool) -> None:
        self.vocabulary, self.do_lower_case = vocabulary, do_lower_case
        self._splitter, self._tokenizer = WordSplitter(do_lower_case), Tokenizer(vocabulary, do_lower_case)

    def normalized(self, text: str) -> str:
        """The word as the tokenizer gives it. Raises InputError with the reason where it never is one piece."""
        words = self._splitter.words(text)
        if not words:
            raise InputError(f"{quoted(text)} is empty when the tokenizer has cleaned it")
        if len(words) > 1:
            raise InputError(
                f"{quoted(text)} is no single word to the tokenizer, which splits it into "
                f"{len(words)}: {shortened(' '.join(words))} ({_why_split(text)})"
            )
        word = words[0]
        if len(word) > MAX_WORD_CHARACTERS:
            raise InputError(f"{quoted(text)} has more than {MAX_WORD_CHARACTERS} characters, so it is always [UNK]")
        if len(word.encode()) > MAX_PIECE_BYTES:
            raise InputError(
                f"{quoted(text)} has {len(word.encode())} bytes in UTF-8, expected at most {MAX_PIECE_BYTES}"
            )
        if not layout.is_word(word, self.do_lower_case):
            raise InputError(f"{quoted(text)} has characters that Google's tokenizer changes or splits off")
        return word

    def pieces(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids that each of the words, normalised already, has now."""
        ids, splits = self._tokenizer.encode(words)
        return [tuple(ids[start:end].tolist()) for start, end in itertools.pairwise(splits)]


def plan(judge: Judge, wanted: Iterable[Wanted], append: bool = False) -> Addition:
    """Finds a place for each word: the unused entries in their order, or, to `append`, behind the last entry.

    A word that is one piece already, or was named before, is passed over.
    Raises InputError, with file and line, for the first word that cannot be one piece; where nothing is left to add;
    and where there are more words than unused entries.
    """
    texts = _checked(judge, list(wanted))
    old = judge.vocabulary
    new = [text for text in texts if text not in old.ids]
    if len(new) < len(texts):
        logger.info("In the vocabulary already: %s", _listed([text for text in texts if text in old.ids]))
    if not new:
        raise InputError(f"nothing to add: all {len(texts)} words are in {old.name} already")
    places = list(range(len(old), len(old) + len(new))) if append else free_places(old)[: len(new)]
    if len(places) < len(new):
        raise InputError(
            f"{len(new)} words, but {old.name} has {len(places)} unused entries; give fewer, or `append` the words"
        )
    tokens = [*old.tokens, *[""] * (len(new) if append else 0)]
    for place, text in zip(places, new, strict=True):
        tokens[place] = text
    vocabulary = Vocabulary(tokens, old.name)
    for text, ids, place in zip(new, Judge(vocabulary, judge.do_lower_case).pieces(new), places, strict=True):
        if ids != (place,):
            raise InputError(f"'{text}' would be split even with an entry of its own: {ids}")
    return Addition(vocabulary, dict(zip(places, judge.pieces(new), strict=True)))


def free_places(vocabulary: Vocabulary) -> list[int]:
    """The ids of the unused entries."""
    return sorted(index for token, index in vocabulary.ids.items() if layout.is_unused(token))


def _checked(judge: Judge, wanted: Sequence[Wanted]) -> list[str]:
    """The words normalised, each once. Raises InputError for the first that is refused, and says how many others."""
    texts: dict[str, None] = {}
    refused = []
    for word in wanted:
        try:
            text = judge.normalized(word.text)
        except InputError as error:
            refused.append(f"{word.where}: {error}")
            continue
        if text != word.text:
            logger.info("%s: %s is added as the tokenizer gives it: %s", word.where, shortened(word.text), text)
        texts[text] = None
    if refused:
        others = f"; {len(refused) - 1} other words are refused, too" if len(refused) > 1 else ""
        raise InputError(f"{refused[0]}{others}")
    return list(texts)


def _why_split(text: str) -> str:
    if any(character.isspace() for character in text):
        return "a space separates words"
    if any(map(is_chinese_character, text)):
        return "every Chinese character is a word by itself"
    return "punctuation is a word by itself"


def _listed(words: Sequence[str], most: int = 20) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
