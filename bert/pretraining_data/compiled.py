"""`InstanceSampler` compiled by numba (the extra `fast`): the same plans from the same stream.

bert/pretraining_data/instances.py and bert/masking.py say what is drawn and why; the tests compare plans and states.
All compiled code is in this file: what numba keeps for later processes is renewed when the file itself changes. The
constants of other files are kept too (bert/masking.py, plans.py, instances.py): who changes one has to touch this file.

A stream is the state of a Mersenne Twister as `random.Random.getstate` gives it, 624 words and how many of them are
used up, and behind it the 624 numbers that are drawn from the words: uint32 [1249].
"""

import functools
import random
from array import array
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numba
import numpy as np

from bert import garbage
from bert.masking import KEEP, KEEP_SHARE, MASK_SHARE, wanted_count
from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.instances import RANDOM_DOCUMENT_TRIES
from bert.pretraining_data.options import Options
from bert.pretraining_data.plans import A_START, A_STOP, B_START, B_STOP, IS_RANDOM_NEXT, MASKED, NOTHING, plan_width
from bert.tokenization import Vocabulary

_INDEX, _START, _TARGET = range(3)  # of a place
_NOTHING = np.uint64(NOTHING).astype(np.int64)  # compiled code counts in int64: beside uint64 it would make floats

# Of the generator MT19937 (Matsumoto and Nishimura 1998).
_WORDS, _MIDDLE = 624, 397
_USED, _NUMBERS = _WORDS, _WORDS + 1  # where they stand in a stream
_HIGH, _LOW, _TWIST, _ONE = map(np.uint32, (0x80000000, 0x7FFFFFFF, 0x9908B0DF, 1))


def _compiled(function: Callable, **options: Any) -> Any:
    """The function compiled when it is first called, and kept for later processes where there is a place to keep it."""
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written
        return numba.njit(**options)(function)


_inlined = functools.partial(_compiled, forceinline=True)


class _Task(NamedTuple):
    """What stays the same from draw to draw.

    Attributes:
      sentences, documents: int64, where they end in the corpus.
      continues: uint8 [T], 1 where a piece continues a word; empty without whole-word masking.
      order: int64, the documents in the order in which they are sampled.
      replacements: int64, the ids a random word is drawn from.
      wanted: int64, how many of 0, 1, 2... pieces to hide.
      mask_id: id of [MASK].
      room: S - 3, the pieces of A and B together.
      short_seq_prob: share of the documents that aim at fewer.
    """

    sentences: np.ndarray
    documents: np.ndarray
    continues: np.ndarray
    order: np.ndarray
    replacements: np.ndarray
    wanted: np.ndarray
    mask_id: int
    room: int
    short_seq_prob: float


class CompiledSampler:
    """Draws the instances of all documents as `InstanceSampler` does, which says what the arguments are. `rng` stays
    where it is."""

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary, options: Options, rng: random.Random) -> None:
        self._stream = np.zeros(_NUMBERS + _WORDS, np.uint32)
        self._stream[:_NUMBERS] = rng.getstate()[1]
        room = options.max_seq_length - 3
        probability, most = options.masked_lm_prob, options.max_predictions_per_seq
        self._task = _Task(
            np.asarray(corpus.sentences, np.int64),
            np.asarray(corpus.documents, np.int64),
            np.zeros(0, np.uint8) if corpus.continues is None else np.asarray(corpus.continues),
            np.arange(corpus.num_documents),
            np.array([*vocabulary.ids.values()]),
            np.array([wanted_count(count + 3, probability, most) for count in range(room + 1)]),
            vocabulary.mask_id,
            room,
            options.short_seq_prob,
        )
        self._width = plan_width(options)
        self._work = np.zeros((3, room + 1), np.int64)
        # Loading compiled code makes so many objects that Python looks for garbage again and again, and with TensorFlow
        # in the process that takes three quarters of the time.
        with garbage.not_searched():
            _temper(self._stream)
            self.shuffle(self._task.order)

    @property
    def state(self) -> tuple:
        """Where the stream is, as `random.Random.setstate` takes it."""
        return 3, tuple(self._stream[:_NUMBERS].tolist()), None

    def shuffle(self, items: np.ndarray | array) -> None:
        """Shuffles whole numbers in place with the stream."""
        values = np.asarray(items)
        _shuffle(self._stream, values, len(values))

    def batches(self, size: int) -> Iterator[tuple[np.ndarray, int]]:
        """Goes through the corpus once: up to `size` plans at a time, and how many documents end with them."""
        place, documents = np.zeros(3, np.int64), 0
        while place[_INDEX] < len(self._task.order):
            plans = np.full((size, self._width), _NOTHING)
            count = _draw(self._stream, self._task, place, self._work, plans)
            yield plans[:count].view(np.uint64), int(place[_INDEX]) - documents
            documents = int(place[_INDEX])


@_compiled
def _draw(stream: np.ndarray, task: _Task, place: np.ndarray, work: np.ndarray, plans: np.ndarray) -> int:
    """Fills plans from `place` on, which moves behind them: the document's index, the sentences of it that are used up
    and its target length, 0 before it is drawn. Returns the number of plans, fewer than there is room for at the end.
    """
    sentences, count = task.sentences, 0
    while count < len(plans) and place[_INDEX] < len(task.order):
        document = task.order[place[_INDEX]]
        if place[_TARGET] == 0:
            place[_START] = task.documents[document]
            place[_TARGET] = task.room
            if _uniform(stream) < task.short_seq_prob:
                place[_TARGET] = 2 + _below(stream, task.room - 1)
        start, last, target = place[_START], task.documents[document + 1], place[_TARGET]
        stop = _reach(sentences, start, last, target)
        a_stop = start + 1
        if stop - start >= 2:
            a_stop += _below(stream, stop - start - 1)
        plan = plans[count]
        count += 1
        plan[A_START], plan[A_STOP] = sentences[start], sentences[a_stop]
        is_random_next = stop - start == 1 or _uniform(stream) < 0.5
        plan[IS_RANDOM_NEXT] = is_random_next
        if is_random_next:
            _random_next(stream, task, place[_INDEX], target - (sentences[a_stop] - sentences[start]), plan)
            place[_START] = a_stop
        else:
            plan[B_START], plan[B_STOP] = sentences[a_stop], sentences[stop]
            place[_START] = stop
        _truncate(stream, task.room, plan)
        _mask(stream, task, work, plan)
        if place[_START] >= last:
            place[_INDEX] += 1
            place[_TARGET] = 0
    return count


@_compiled
def _reach(sentences: np.ndarray, start: int, last: int, target: int) -> int:
    """Behind as many sentences from `start` on as it takes to reach the target, at least one, or `last`."""
    stop = start + 1
    while stop < last and sentences[stop] < sentences[start] + target:
        stop += 1
    return stop


@_compiled
def _random_next(stream: np.ndarray, task: _Task, index: int, target: int, plan: np.ndarray) -> None:
    other = index
    for _ in range(RANDOM_DOCUMENT_TRIES):
        other = _below(stream, len(task.order))
        if other != index:
            break
    first, last = task.documents[task.order[other]], task.documents[task.order[other] + 1]
    start = first + _below(stream, last - first)
    plan[B_START] = task.sentences[start]
    plan[B_STOP] = task.sentences[_reach(task.sentences, start, last, target)]


@_compiled
def _truncate(stream: np.ndarray, room: int, plan: np.ndarray) -> None:
    a_length, b_length = plan[A_STOP] - plan[A_START], plan[B_STOP] - plan[B_START]
    for _ in range(a_length + b_length - room):
        at_front = _uniform(stream) < 0.5
        if a_length > b_length:
            a_length -= 1
            plan[A_START] += at_front
        else:
            b_length -= 1
            plan[B_START] += at_front
    plan[A_STOP], plan[B_STOP] = plan[A_START] + a_length, plan[B_START] + b_length


@_compiled
def _mask(stream: np.ndarray, task: _Task, work: np.ndarray, plan: np.ndarray) -> None:
    count = plan[A_STOP] - plan[A_START] + plan[B_STOP] - plan[B_START]
    wanted, hidden = min(task.wanted[count], count), work[0]
    if len(task.continues):
        wanted = _whole_words(stream, task.continues, wanted, work, plan)
    else:
        for piece in range(count):
            hidden[piece] = piece
        _shuffle(stream, hidden, count)
    for number in range(wanted):
        shown = task.mask_id
        if _uniform(stream) >= MASK_SHARE:
            shown = KEEP
            if _uniform(stream) >= KEEP_SHARE:
                shown = task.replacements[_below(stream, len(task.replacements))]
        plan[MASKED + number] = hidden[number] << 32 | shown


@_compiled
def _whole_words(stream: np.ndarray, continues: np.ndarray, wanted: int, work: np.ndarray, plan: np.ndarray) -> int:
    """Puts the pieces of random words in front of the first row of `work`; returns how many they are."""
    hidden, words, starts = work
    count = words_found = 0
    for first, last in ((plan[A_START], plan[A_STOP]), (plan[B_START], plan[B_STOP])):
        for token in range(first, last):
            if count == 0 or not continues[token]:
                words[words_found], starts[words_found] = words_found, count
                words_found += 1
            count += 1
    starts[words_found] = count
    _shuffle(stream, words, words_found)
    taken = 0
    for word in words[:words_found]:
        if taken >= wanted:
            break
        if taken + starts[word + 1] - starts[word] <= wanted:
            for piece in range(starts[word], starts[word + 1]):
                hidden[taken] = piece
                taken += 1
    return taken


@_compiled
def _renew(stream: np.ndarray) -> None:
    """The next 624 words and their numbers."""
    for word in range(_WORDS - _MIDDLE):
        stream[word] = _mixed(stream[word], stream[word + 1], stream[word + _MIDDLE])
    for word in range(_WORDS - _MIDDLE, _WORDS - 1):
        stream[word] = _mixed(stream[word], stream[word + 1], stream[word + _MIDDLE - _WORDS])
    stream[_WORDS - 1] = _mixed(stream[_WORDS - 1], stream[0], stream[_MIDDLE - 1])
    _temper(stream)
    stream[_USED] = 0


@_compiled
def _mixed(word: np.uint32, after: np.uint32, other: np.uint32) -> np.uint32:
    mixed = (word & _HIGH) | (after & _LOW)
    return other ^ (mixed >> _ONE) ^ (_TWIST & -(mixed & _ONE))


@_compiled
def _temper(stream: np.ndarray) -> None:
    for word in range(_WORDS):
        number = stream[word]
        number ^= number >> np.uint32(11)
        number ^= (number << np.uint32(7)) & np.uint32(0x9D2C5680)
        number ^= (number << np.uint32(15)) & np.uint32(0xEFC60000)
        stream[_NUMBERS + word] = number ^ (number >> np.uint32(18))


@_inlined  # a call takes ten times as long as what it does
def _bits(stream: np.ndarray, count: int) -> Any:
    """A number of 1 to 32 bits, as `getrandbits` draws it."""
    if stream[_USED] == _WORDS:
        _renew(stream)
    used = np.int64(stream[_USED])
    stream[_USED] = used + 1
    return np.int64(stream[_NUMBERS + used]) >> (32 - count)


@_compiled
def _uniform(stream: np.ndarray) -> float:
    """A number from 0 up to 1, as `random` draws it."""
    high = _bits(stream, 27)
    return (high * 67108864.0 + _bits(stream, 26)) * (1.0 / 9007199254740992.0)


@_compiled
def _below(stream: np.ndarray, count: int) -> int:
    """A number from 0 to `count` - 1, as `randrange` draws it; `count` is less than 2**32."""
    size = 1
    while count >> size:
        size += 1
    value = _bits(stream, size)
    while value >= count:
        value = _bits(stream, size)
    return value


@_compiled
def _shuffle(stream: np.ndarray, items: np.ndarray, count: int) -> None:
    """Shuffles the first `count` items, fewer than 2**32, in place, as `random.shuffle` does."""
    size = 1
    while count >> size:
        size += 1
    for index in range(count - 1, 0, -1):
        if not (index + 1) >> (size - 1):  # a bit less can count up to it
            size -= 1
        other = _bits(stream, size)
        while other > index:
            other = _bits(stream, size)
        items[index], items[other] = items[other], items[index]
