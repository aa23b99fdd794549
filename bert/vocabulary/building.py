"""A vocabulary of a corpus: special tokens, characters, WordPieces; exactly the size asked for."""

import collections
import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bert import files
from bert.errors import InputError
from bert.tokenization import Tokenizer, Vocabulary, WordSplitter
from bert.unicode_ranges import is_chinese_character
from bert.vocabulary import layout
from bert.vocabulary.counting import WordCounter, count_words
from bert.vocabulary.learning import check_tokenizers, learn
from bert.vocabulary.options import BuildOptions

logger = logging.getLogger(__name__)


def build(paths: Sequence[str], output_path: str, options: BuildOptions) -> dict[str, object]:
    """Reads the files once, writes the vocabulary, and returns its report: name -> number, as `judge` gives it.

    Raises InputError for what cannot be read, where the characters alone are more than `vocab_size`, and, before
    anything is read, where the package tokenizers is not installed.
    """
    check_tokenizers()
    with files.locked(f"{output_path}.lock", output_path):
        splitter = WordSplitter(options.do_lower_case)
        counter, held_out = count_words(paths, options, splitter, options.counting_bytes, options.held_out_every)
        counts = counter.words()
        logger.info("%s words, %s different ones", f"{counter.total:,}", f"{len(counts):,}")
        tokens = vocabulary_of(counts, options)
        vocabulary = Vocabulary(tokens, output_path)
        report = {"size": len(tokens), **_parts(tokens), **judge(vocabulary, options, counter, held_out)}
        files.write_lines(output_path, tokens)
    return report


def vocabulary_of(counts: Mapping[str, int], options: BuildOptions) -> list[str]:
    """The `vocab_size` entries, in id order, for words counted so often, the most frequent first.

    A word that Google's tokenizer would not give, such as one with a letter that only newer Unicode tables know,
    counts for nothing. Raises InputError where the characters alone are too many, and where none is frequent enough.
    """
    counts = {word: count for word, count in counts.items() if layout.is_word(word, options.do_lower_case)}
    special = layout.special_tokens(options.unused_slots)
    frequent = _frequent_characters(counts, options.min_character_count)
    if not frequent:
        raise InputError(f"`input_file`: no character occurs `min_character_count`={options.min_character_count} times")
    words = {word: count for word, count in counts.items() if len(word) > 1 and frequent.issuperset(word)}
    within = layout.inner(sorted(set().union(*(word[1:] for word in words))))
    base = [*sorted(frequent), *within]
    room = options.vocab_size - len(special) - len(base)
    if room < 0:
        raise InputError(
            f"`vocab_size` is {options.vocab_size}, but there are {len(special)} special tokens, {len(frequent)} "
            f"characters that occur {options.min_character_count} times or more, and {len(within)} of these inside "
            f"words: expected at least {options.vocab_size - room}, or a higher `min_character_count`"
        )
    pieces = learn(words, [*sorted(set().union(*words)), *within], room)
    tokens = [*special, *base, *pieces]
    if len(pieces) < room:
        logger.warning("The corpus makes no more than %d entries; the rest are unused ones.", len(tokens))
    return layout.filled(tokens, options.vocab_size)


def _frequent_characters(counts: Mapping[str, int], least: int) -> set[str]:
    found: collections.Counter[str] = collections.Counter()
    for word, count in counts.items():
        for character in word:
            found[character] += count
    return {character for character, count in found.items() if count >= least}


def _parts(tokens: Iterable[str]) -> dict[str, object]:
    """How many entries are what."""
    plain = [token for token in tokens if not token.startswith("[") or len(token) == 1]
    return {
        "unused": sum(map(layout.is_unused, tokens)),
        "characters": sum(len(token) == 1 for token in plain),
        "chinese_characters": sum(len(token) == 1 and is_chinese_character(token) for token in plain),
        "pieces_that_begin_words": sum(len(token) > 1 and not token.startswith("##") for token in plain),
        "pieces_within_words": sum(len(token) > 1 and token.startswith("##") for token in plain),
    }


def judge(
    vocabulary: Vocabulary, options: BuildOptions, counter: WordCounter, held_out: WordCounter
) -> dict[str, object]:
    """How a vocabulary splits the text it was made of, and the lines held out: name -> number.

    Shares are of the occurrences of words; of `..._whole_words` those that are one piece, of `..._unknown` those that
    are [UNK]. An unknown word counts as one piece.
    """
    tokenizer = Tokenizer(vocabulary, options.do_lower_case)
    report: dict[str, object] = {}
    for name, counts in (("text", counter.all_words()), ("held_out", held_out.all_words())):
        total = sum(counts.values())
        report[f"{name}_words"] = total
        if not total:
            continue
        times = np.fromiter(counts.values(), np.int64, len(counts))
        ids, splits = tokenizer.encode(list(counts))
        lengths = np.diff(splits)
        unknown = np.zeros(len(counts), bool)
        unknown[np.repeat(np.arange(len(counts)), lengths)[ids == vocabulary.unk_id]] = True
        report[f"{name}_unknown"] = round(float(times[unknown].sum() / total), 6)
        report[f"{name}_whole_words"] = round(float(times[(lengths == 1) & ~unknown].sum() / total), 6)
        report[f"{name}_pieces_a_word"] = round(float((times * lengths).sum() / total), 4)
    return report
