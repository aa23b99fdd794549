"""A corpus as compact arrays: 4 bytes a token, 8 bytes a sentence and a document."""

import collections
import concurrent.futures
import dataclasses
import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from bert.pretraining_data.segmentation import SentenceEncoder

_BATCH_CHARACTERS = 1_000_000  # text tokenized in one go
_BATCHES_WAITING = 2  # to be encoded while another is read
_DUPLICATE_SLOTS = 1 << 21


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Documents of sentences of WordPiece ids; no sentence and no document is empty.

    Attributes:
      tokens: int32 [T], all ids in the order of the input; none of them when somebody else keeps them.
      sentences: sentence s is `tokens[sentences[s]:sentences[s + 1]]`.
      documents: document d is the sentences from `documents[d]` up to `documents[d + 1]`.
      continues: uint8 [T], 1 where a piece continues the word before it; None without whole-word masking.
    """

    tokens: np.ndarray
    sentences: array
    documents: array
    continues: np.ndarray | None

    @property
    def num_documents(self) -> int:
        return len(self.documents) - 1

    @property
    def num_sentences(self) -> int:
        return len(self.sentences) - 1

    @property
    def num_tokens(self) -> int:
        return self.sentences[-1]

    @classmethod
    def build(
        cls, sentences: Iterable[str], encoder: SentenceEncoder, take: Callable[[np.ndarray], None] | None = None
    ) -> "Corpus":
        """Tokenizes sentences; an empty one ends a document, one without pieces is dropped (docs/parity.md 6.2).

        `take` is handed the ids, batch after batch, to keep them instead.
        """
        # An array grows in place; joining numpy arrays would hold everything twice for a moment.
        tokens, continues = array("i"), array("B")
        ends, documents = array("q", [0]), array("q", [0])
        take = take or (lambda ids: tokens.frombytes(ids.tobytes()))
        for batch, (ids, splits, inside) in _encoded(sentences, encoder):
            sizes = iter(np.diff(splits).tolist())
            for sentence in batch:
                if not sentence:
                    _end_document(documents, ends)
                elif size := next(sizes):
                    ends.append(ends[-1] + size)
            take(ids.astype(np.int32, copy=False))
            if inside is not None:
                continues.frombytes(inside.tobytes())
        _end_document(documents, ends)
        whole_words = np.frombuffer(continues, np.uint8) if continues else None
        return cls(np.frombuffer(tokens, np.int32), ends, documents, whole_words)


def _end_document(documents: array, ends: array) -> None:
    if len(ends) - 1 > documents[-1]:
        documents.append(len(ends) - 1)


def _encoded(sentences: Iterable[str], encoder: SentenceEncoder) -> Iterator[tuple[list[str], tuple]]:
    """Batches of sentences with what the encoder makes of them; the next ones are read meanwhile."""
    waiting: collections.deque[tuple[list[str], concurrent.futures.Future]] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(_BATCHES_WAITING) as pool:
        for batch in _batches(sentences):
            if len(waiting) == _BATCHES_WAITING:
                before, encoded = waiting.popleft()
                yield before, encoded.result()
            waiting.append((batch, pool.submit(encoder.encode, [sentence for sentence in batch if sentence])))
        for before, encoded in waiting:
            yield before, encoded.result()


def _batches(sentences: Iterable[str]) -> Iterator[list[str]]:
    batch, size = [], 0
    for sentence in sentences:
        batch.append(sentence)
        size += len(sentence) + 1
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class DuplicateCounter:
    """Counts documents that were seen before, in a fixed 16 MB of memory.

    A table of hashes, each in one possible place and overwriting what was there: no document is counted wrongly, and
    none is missed before the table fills (millions of documents), after which the count is a lower bound.
    """

    def __init__(self, advance: Callable[[int], None] | None = None) -> None:
        """`advance` is told the bytes of each sentence that passes."""
        self.count = 0
        self._advance = advance
        self._table = np.zeros(_DUPLICATE_SLOTS, np.uint64)
        self._hash, self._is_empty = hashlib.blake2b(digest_size=8), True

    def watch(self, sentences: Iterable[str]) -> Iterator[str]:
        """Passes sentences on, an empty one ends a document."""
        for sentence in sentences:
            line = sentence.encode("utf-8", "surrogatepass") + b"\n"
            if sentence:
                self._hash.update(line)
                self._is_empty = False
            else:
                self._end()
            if self._advance:
                self._advance(len(line))
            yield sentence
        self._end()

    def _end(self) -> None:
        if self._is_empty:
            return
        value = int.from_bytes(self._hash.digest(), "little") | 1  # never 0, an empty place
        place = (value >> 1) % _DUPLICATE_SLOTS
        self.count += int(self._table[place]) == value
        self._table[place] = value
        self._hash, self._is_empty = hashlib.blake2b(digest_size=8), True
