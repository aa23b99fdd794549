"""Words of a corpus that a vocabulary splits badly."""

import itertools
import logging
from collections.abc import Sequence
from typing import NamedTuple

from bert.errors import InputError
from bert.tokenization import WordSplitter
from bert.vocabulary.adding import Judge
from bert.vocabulary.counting import count_words
from bert.vocabulary.options import CorpusOptions

logger = logging.getLogger(__name__)


class Candidate(NamedTuple):
    """A word, how often it occurs, and how many pieces each occurrence would save as one."""

    word: str
    occurrences: int
    saved: int


def find(paths: Sequence[str], options: CorpusOptions, judge: Judge, most: int, min_count: int) -> list[Candidate]:
    """The `most` words that would save the most pieces: occurrences times pieces less one. Of equals the first in
    alphabetical order.

    An unknown word counts as split into its characters, of one character as saving one piece. Numbers, and whatever
    has no letter, are left out, as is what cannot be one piece.
    Raises InputError for what cannot be read, and where no word occurs `min_count` times and is split.
    """
    counter, _ = count_words(paths, options, WordSplitter(judge.do_lower_case), options.counting_bytes)
    frequent = {word: count for word, count in counter.words().items() if count >= min_count}
    counts = {word: count for word, count in frequent.items() if any(map(str.isalpha, word))}
    found = []
    for (word, count), pieces in zip(counts.items(), judge.pieces(list(counts)), strict=True):
        is_unknown = judge.vocabulary.unk_id in pieces
        saved = max(1, len(word) - 1) if is_unknown else len(pieces) - 1
        if saved:
            found.append(Candidate(word, count, saved))
    found.sort(key=lambda candidate: (-candidate.occurrences * candidate.saved, candidate.word))
    accepted = (candidate for candidate in found if _is_accepted(candidate.word, judge))
    chosen = list(itertools.islice(accepted, most))
    if not chosen:
        raise InputError(f"`input_file`: no word is split that occurs at least `min_word_count`={min_count} times")
    _log(chosen, counter.total)
    return chosen


def _is_accepted(word: str, judge: Judge) -> bool:
    try:
        return judge.normalized(word) == word
    except InputError:
        return False


def _log(found: Sequence[Candidate], total: int) -> None:
    pieces = sum(candidate.occurrences * candidate.saved for candidate in found)
    logger.info("%d words that are split save %.2f pieces in 100 words. The first:", len(found), 100 * pieces / total)
    for candidate in found[:20]:
        logger.info("  %s: %d times, %d pieces saved each", candidate.word, candidate.occurrences, candidate.saved)
