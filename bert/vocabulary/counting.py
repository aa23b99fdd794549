"""How often each word occurs in a corpus of any size, read once, in memory that does not grow with it."""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence

from bert import reporting
from bert.errors import InputError
from bert.pretraining_data.options import TextOptions
from bert.pretraining_data.reading import read_sentences
from bert.tokenization import MAX_WORD_CHARACTERS, WordSplitter

logger = logging.getLogger(__name__)

_ENTRY_BYTES = 160  # an entry of the table beside the word's own bytes, measured on CPython 3.11
_BATCH_CHARACTERS, _BATCH_TEXTS = 1 << 20, 4096
_MOST_HELD_OUT = 1_000_000  # words: enough to judge a vocabulary by, and little to remember


class WordCounter:
    """Word -> count. When the table takes more than `max_bytes`, the rarest half of its words goes.

    A word that comes back later is counted from zero again, so on a large corpus a rare word may be counted too low or
    missing, a frequent one hardly. Words of one character are never forgotten: there are few.

    Attributes:
      total: occurrences of all words, those forgotten included.
      forgotten: occurrences of words that were dropped from the table.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._counts: dict[bytes, int] = {}
        self.total = self.forgotten = 0

    def add(self, counted: Iterable[tuple[bytes, int]]) -> None:
        """Counts further occurrences of words, each given in UTF-8."""
        counts = self._counts
        for word, count in counted:
            self.total += count
            if word in counts:
                counts[word] += count
            else:
                counts[word] = count
                self._bytes += len(word) + _ENTRY_BYTES
        if self._bytes > self._max_bytes:
            self._forget()

    def _forget(self) -> None:
        counts = sorted(self._counts.values())
        highest = counts[len(counts) // 2]
        kept = {word: count for word, count in self._counts.items() if count > highest or len(word.decode()) == 1}
        self.forgotten += sum(counts) - sum(kept.values())
        self._counts, self._bytes = kept, sum(map(len, kept)) + _ENTRY_BYTES * len(kept)

    def words(self) -> dict[str, int]:
        """The words of at most 200 characters, the most frequent first, equally frequent ones in alphabetical order.

        Longer ones are unknown under any vocabulary.
        """
        decoded = ((word.decode(), count) for word, count in self._counts.items())
        known = [(word, count) for word, count in decoded if len(word) <= MAX_WORD_CHARACTERS]
        return dict(sorted(known, key=lambda entry: (-entry[1], entry[0])))

    def all_words(self) -> dict[str, int]:
        """The words as they were met, those of over 200 characters among them."""
        return {word.decode(): count for word, count in self._counts.items()}


def count_words(
    paths: Sequence[str], options: TextOptions, splitter: WordSplitter, max_bytes: int, held_out_every: int = 0
) -> tuple[WordCounter, WordCounter]:
    """Counts the words of the files, and beside them those of the lines held out.

    Every `held_out_every`-th line, 0 for none, is held out, as long as these have fewer than a million words.
    Raises InputError for what cannot be read, and where there is no word in it.
    """
    counter, held_out = WordCounter(max_bytes), WordCounter(max_bytes)
    progress = reporting.Progress("Reading", None, unit="lines")
    lines = (line for line in read_sentences(paths, options) if line)
    number = 0
    for batch in _batches(lines):
        chosen = []
        if held_out_every and held_out.total < _MOST_HELD_OUT:
            chosen = [index for index in range(len(batch)) if (number + index + 1) % held_out_every == 0]
        number += len(batch)
        if chosen:
            held_out.add(splitter.count([batch[index] for index in chosen]))
            without = set(chosen)
            batch = [line for index, line in enumerate(batch) if index not in without]
        counter.add(splitter.count(batch))
        progress.advance(len(batch), {"words": counter.total})
    progress.close()
    if not counter.total:
        raise InputError(f"`input_file`: no words in {', '.join(paths[:3])}{'...' if len(paths) > 3 else ''}")
    if counter.forgotten:
        logger.warning(
            "`counting_memory_mb` is too small for all different words: %.2f %% of the text, rare words, was left out.",
            100 * counter.forgotten / counter.total,
        )
    return counter, held_out


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    """Lists of lines, of about a megabyte at most."""
    while first := next(lines, None):
        batch, size = [first], len(first)
        for line in itertools.islice(lines, _BATCH_TEXTS - 1):
            batch.append(line)
            size += len(line)
            if size > _BATCH_CHARACTERS:
                break
        yield batch
