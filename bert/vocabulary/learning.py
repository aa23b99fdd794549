"""WordPieces from word counts, with the trainer of the package tokenizers.

It joins the most frequent pairs of pieces, as byte pair encoding does. Some of what it makes on the way is of no use
afterwards, when words are cut by the longest match. So it makes half as many again as are wanted, and those that the
longest match uses least go.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bert.errors import check_installed
from bert.tokenization import MAX_PIECE_BYTES, SPECIAL_TOKENS, Tokenizer, Vocabulary

logger = logging.getLogger(__name__)

_MOST_WORDS = 1_000_000  # different words; the trainer's memory grows with them
_MOST_OCCURRENCES = 50_000_000  # the trainer counts for itself, at about a million words a second
_SURPLUS = 1.5
_LEAST_COUNT = 2  # of a piece; what occurs once is no pattern
_REPEATED = 1000


def check_tokenizers() -> None:
    """Raises InputError where the package tokenizers, which learns the pieces, is not installed."""
    check_installed("a new vocabulary", "vocabulary", "tokenizers")


def learn(counts: Mapping[str, int], characters: Sequence[str], room: int) -> list[str]:
    """The pieces of several characters that words are best cut into, at most `room`, in the order learned.

    `counts`: word -> count, the most frequent word first; `characters`: all that occur in these words, as they are
    and, those behind the first one of a word, with `##`. The same arguments give the same pieces.
    Raises InputError where the package tokenizers is not installed.
    """
    words = dict(list(counts.items())[:_MOST_WORDS])
    if not room or not words:
        return []
    pieces = _train(words, characters, int(room * _SURPLUS))
    return _most_used(pieces, words, characters, room)


def _train(words: Mapping[str, int], characters: Sequence[str], room: int) -> list[str]:
    check_tokenizers()
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # the extra `vocabulary`

    divisor = -(-sum(words.values()) // _MOST_OCCURRENCES)
    program = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    program.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=len(characters) + room,
        min_frequency=_LEAST_COUNT if divisor == 1 else 1,
        show_progress=False,
        limit_alphabet=len(characters),
        # Numbers the characters in our order. Its own is that of a hash table, another in every process, and by these
        # numbers it decides between pairs of equal counts.
        special_tokens=list(characters),
    )
    program.train_from_iterator(_repeated(words, divisor), trainer)
    ids = program.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    return [token for token in tokens[len(characters) :] if len(token.removeprefix("##").encode()) <= MAX_PIECE_BYTES]


def _repeated(words: Mapping[str, int], divisor: int) -> Iterator[str]:
    """Texts with every word as often as it was counted, or a `divisor`-th of that, rounded: the trainer takes texts."""
    for word, count in words.items():
        times = (count + divisor // 2) // divisor
        for start in range(0, times, _REPEATED):
            yield f"{word} " * min(_REPEATED, times - start)


def _most_used(pieces: list[str], words: Mapping[str, int], characters: Sequence[str], room: int) -> list[str]:
    """The pieces without those that the longest match uses least, until no more than `room` are left.

    Half of the surplus goes at a time, since without one piece others are used more.
    """
    first = len(SPECIAL_TOKENS) + len(characters)
    while len(pieces) > room:
        tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *characters, *pieces]), do_lower_case=False)
        ids, splits = tokenizer.encode(list(words))
        weights = np.repeat(np.fromiter(words.values(), np.int64, len(words)), np.diff(splits))
        uses = np.bincount(ids, weights, minlength=first + len(pieces))[first:]
        surplus = len(pieces) - room
        leaving = surplus if surplus < room / 50 else (surplus + 1) // 2
        order = np.lexsort((-np.arange(len(pieces)), uses))  # the least used first, of equals the last learned
        gone = set(order[:leaving].tolist())
        pieces = [piece for index, piece in enumerate(pieces) if index not in gone]
    return pieces
