"""A corpus in blocks of a few megabytes, each a little corpus of its own.

A block is a run of whole documents. Its records depend on nothing but its text, its number and the options: random next
sentences and the order of the records come from the block alone. So blocks can be worked on anywhere and in any order.
"""

import dataclasses
import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bert import files
from bert.pretraining_data.block_masks import BlockMasks
from bert.pretraining_data.block_pairs import draw_pairs
from bert.pretraining_data.corpus import Corpus
from bert.pretraining_data.options import Options
from bert.pretraining_data.plan_reader import PlanReader
from bert.pretraining_data.report import Counts
from bert.pretraining_data.segmentation import SentenceEncoder
from bert.records import PRETRAINING, PRETRAINING_WORDS
from bert.records.serialization import serialize
from bert.tokenization import Tokenizer, Vocabulary

INSTANCES_PER_BATCH = 512  # their arrays stay in the processor's caches
_DOCUMENTS_PER_BLOCK = 8  # at least, by cutting longer documents: enough for random next sentences


@dataclasses.dataclass(frozen=True)
class Block:
    """A run of documents.

    Attributes:
      group, number: which group of files the text comes from, and which of the group's blocks it is.
      text: a sentence a line, a blank line after each document.
    """

    group: int
    number: int
    text: str


def group_files(paths: Sequence[str], options: Options) -> list[list[str]]:
    """Files that are read one after the other: large ones alone, small ones together up to a block's size.

    A block lies within one group, so groups can be read on different machines.
    """
    groups: list[list[str]] = []
    size = options.block_bytes
    for path in paths:
        if size >= options.block_bytes:
            groups.append([])
            size = 0
        groups[-1].append(path)
        size += files.size(path)
    return groups


def read_blocks(group: int, sentences: Iterable[str], options: Options) -> Iterator[Block]:
    """Cuts the sentences of a group of files (`read_sentences`) into blocks of `options.block_bytes` or a little more.

    Less than half a block at the end goes into the block before it. A document of more than an eighth of a block is
    cut, so that a block always has several.
    """
    held = None  # a block is handed on when its successor is known to be large enough
    number = 0
    for text, size in _runs_of_documents(sentences, options.block_bytes):
        if held is not None and 2 * size >= options.block_bytes:
            yield Block(group, number, held)
            number += 1
            held = None
        held = (held or "") + text
    if held is not None:
        yield Block(group, number, held)


def _runs_of_documents(sentences: Iterable[str], block_bytes: int) -> Iterator[tuple[str, int]]:
    """Whole documents up to a block's size: their lines, a blank one after each document, and the bytes of it."""
    lines: list[str] = []
    block_size = document_size = 0
    for sentence in sentences:
        if sentence:
            size = len(sentence.encode("utf-8", "surrogatepass")) + 1
            lines.append(sentence)
            block_size += size
            document_size += size
        if document_size and (not sentence or document_size * _DOCUMENTS_PER_BLOCK >= block_bytes):
            lines.append("")
            document_size = 0
            if block_size >= block_bytes:
                yield "\n".join([*lines, ""]), block_size
                lines, block_size = [], 0
    if lines:
        yield "\n".join([*lines, ""]), block_size


class BlockMaker:
    """Makes the records of one block after the other; the vocabulary and the tokenizer are loaded once."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.vocabulary = Vocabulary.from_file(options.vocab_file)
        tokenizer = Tokenizer(self.vocabulary, options.do_lower_case)
        self._encoder = SentenceEncoder(tokenizer, options.do_whole_word_mask, options.segmenter)
        self._masks = BlockMasks(self.vocabulary, options)
        self._record_kind = PRETRAINING_WORDS if options.write_word_starts else PRETRAINING

    def features(self, block: Block) -> Iterator[tuple[dict[str, np.ndarray], Counts]]:
        """Yields batches of the block's instances, shuffled, all repetitions together, with their counts.

        The first batch's counts hold the text's too. A block without text yields nothing.
        """
        corpus = Corpus.build(block.text.split("\n"), self._encoder)
        if not corpus.num_documents:
            return
        # A string seeds through SHA-512, the same in every process and Python version.
        seed = random.Random(f"{self.options.random_seed}/{block.group}/{block.number}").getrandbits(128)
        rng = np.random.default_rng(seed)
        pairs = draw_pairs(corpus, self.options, rng)
        continues = corpus.continues if self.options.write_word_starts else None
        reader = PlanReader(
            corpus.tokens, self.vocabulary.cls_id, self.vocabulary.sep_id, self.options.max_seq_length, continues
        )
        counts = Counts.of_corpus(corpus, self.vocabulary)
        for start in range(0, len(pairs), INSTANCES_PER_BATCH):
            batch = pairs[start : start + INSTANCES_PER_BATCH]
            masked = self._masks.draw(batch, corpus.continues, rng)
            features = reader.features(np.hstack([batch.astype(np.uint64), masked]))
            yield features, counts + Counts.of_instances(features)
            counts = Counts()

    def records(self, block: Block) -> Iterator[tuple[list[bytes], Counts]]:
        """The serialized records of `features`."""
        for features, counts in self.features(block):
            yield serialize(self._record_kind, features), counts
