"""Words of a corpus that a vocabulary splits badly."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bert.errors import InputError
from bert.tokenization import MAX_PIECE_BYTES, Tokenizer, Vocabulary, WordSplitter
from bert.vocabulary import layout
from bert.vocabulary.counting import count_words
from bert.vocabulary.options import CorpusOptions

logger = logging.getLogger(__name__)


class Candidate(NamedTuple):
    """A word, how often it occurs, and how many pieces each occurrence would save as one."""

    word: str
    count: int
    saved: int


def find(
    paths: Sequence[str],
    options: CorpusOptions,
    vocabulary: Vocabulary,
    do_lower_case: bool,
    most: int,
    min_count: int,
) -> list[Candidate]:
    """The `most` words that would save the most pieces: occurrences times pieces less one. Of equals the first in
    alphabetical order.

    An unknown word counts as split into its characters, of one character as saving one piece. Numbers, and whatever
    has no letter, are left out, as is what cannot be one piece.
    Raises InputError for what cannot be read, and where no word occurs `min_count` times and is split.
    """
    counter, _ = count_words(paths, options, WordSplitter(do_lower_case), options.counting_bytes)
    counts = {
        word: count
        for word, count in counter.words().items()
        if count >= min_count and _is_eligible(word, do_lower_case)
    }
    words = list(counts)
    ids, splits = Tokenizer(vocabulary, do_lower_case).encode(words)
    lengths = np.diff(splits)
    unknown = set(np.repeat(np.arange(len(words)), lengths)[ids == vocabulary.unk_id].tolist())
    found = []
    for index, (word, count) in enumerate(counts.items()):
        saved = max(1, len(word) - 1) if index in unknown else int(lengths[index]) - 1
        if saved:
            found.append(Candidate(word, count, saved))
    if not found:
        raise InputError(f"`input_file`: no word is split that occurs at least `min_word_count`={min_count} times")
    found.sort(key=lambda candidate: (-candidate.count * candidate.saved, candidate.word))
    _log(found[:most], counter.total)
    return found[:most]


def _is_eligible(word: str, do_lower_case: bool) -> bool:
    has_letter = any(map(str.isalpha, word))
    return has_letter and len(word.encode()) <= MAX_PIECE_BYTES and layout.is_word(word, do_lower_case)


def _log(found: Sequence[Candidate], total: int) -> None:
    pieces = sum(candidate.count * candidate.saved for candidate in found)
    logger.info("%d words that are split save %.2f pieces in 100 words. The first:", len(found), 100 * pieces / total)
    for candidate in found[:20]:
        logger.info("  %s: %d times, %d pieces saved each", candidate.word, candidate.count, candidate.saved)
