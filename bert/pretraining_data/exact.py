"""The exact mode: the original's records in the original's order, whole corpus in memory (docs/parity.md 6).

All randomness is one stream, `random.Random(random_seed)`, so documents are sampled one after the other. A second
process keeps the tokens and makes the records meanwhile; they wait in a temporary file for the final shuffle. So
memory holds the tokens once and 16 bytes an instance.
"""

import contextlib
import logging
import random
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bert import files, sidecar
from bert.errors import InputError, how_to_install
from bert.pretraining_data.background import RecordMaker, record_maker
from bert.pretraining_data.corpus import Corpus, DuplicateCounter
from bert.pretraining_data.describe import side_car_values
from bert.pretraining_data.instances import InstanceSampler
from bert.pretraining_data.options import Options
from bert.pretraining_data.reading import read_sentences
from bert.pretraining_data.report import Counts, Progress, log_example, total_bytes
from bert.pretraining_data.segmentation import SentenceEncoder
from bert.records.frames import unframe
from bert.records.parsing import values_of
from bert.tokenization import Tokenizer, Vocabulary

if TYPE_CHECKING:
    from bert.pretraining_data.compiled import CompiledSampler

logger = logging.getLogger(__name__)

_INSTANCES_PER_BATCH = 2048
_EXAMPLES_LOGGED = 3
_TOKENS_TO_COMPILE_FOR = 3_000_000  # those of all repetitions: 0.4 s of sampling in Python, twice what loading takes


def create(input_paths: Sequence[str], output_paths: Sequence[str], options: Options) -> Counts:
    """Makes the records of a corpus and writes instance i to file i mod the number of files (docs/parity.md 4).

    A side-car is written beside each file. Nothing is left behind when something fails.
    Raises InputError for a file that cannot be read, for a corpus without text, and while another run writes the same.
    """
    with contextlib.ExitStack() as locks:
        for path in output_paths:
            locks.enter_context(files.locked(f"{path}.lock", path))
        return _create(input_paths, output_paths, options)


def _create(input_paths: Sequence[str], output_paths: Sequence[str], options: Options) -> Counts:
    vocabulary = Vocabulary.from_file(options.vocab_file)
    with record_maker(output_paths[0], vocabulary.cls_id, vocabulary.sep_id, options.max_seq_length) as maker:
        corpus, counts = _read_corpus(input_paths, vocabulary, options, maker)
        counts.warn(options.do_whole_word_mask)
        sampler = _sampler(corpus, vocabulary, options)
        counts += _sample(sampler, corpus, options, maker)
        count = counts.instances
        if count < len(output_paths):
            raise InputError(
                f"`output_file` names {len(output_paths)} files for {count} instances, expected no empty file"
            )
        order = array("Q", range(count))
        sampler.shuffle(order)
        maker.end_plans(count)
        _write(maker, order, vocabulary, output_paths)
    for number, path in enumerate(output_paths):
        written = len(range(number, count, len(output_paths)))
        sidecar.write(path, side_car_values(options, vocabulary, input_paths, written, counts))
    logger.info("Wrote %d total instances", count)
    counts.log()
    return counts


def _read_corpus(
    paths: Sequence[str], vocabulary: Vocabulary, options: Options, maker: RecordMaker
) -> tuple[Corpus, Counts]:
    """Tokenizes the text; the maker gets the tokens, the corpus says where sentences and documents end."""
    encoder = SentenceEncoder(
        Tokenizer(vocabulary, options.do_lower_case), options.do_whole_word_mask, options.segmenter
    )
    total = total_bytes(paths, [files.size(path) for path in paths])
    counts = Counts()

    def take(ids: np.ndarray) -> None:
        counts.unknown_tokens += int(np.count_nonzero(ids == vocabulary.unk_id))
        maker.add_tokens(ids)

    with Progress("Tokenizing", total) as progress:
        duplicates = DuplicateCounter(progress.advance)
        corpus = Corpus.build(duplicates.watch(read_sentences(paths, options)), encoder, take)
    if not corpus.num_documents:
        raise InputError(f"`input_file`: found no text in {', '.join(paths)}")
    maker.end_tokens(corpus.continues if options.write_word_starts else None)
    counts.duplicate_documents = duplicates.count
    return corpus, counts + Counts.of_corpus(corpus, vocabulary)


def _sampler(corpus: Corpus, vocabulary: Vocabulary, options: Options) -> "InstanceSampler | CompiledSampler":
    """The sampler of the stream `random_seed`, compiled where that saves more time than it takes."""
    rng = random.Random(options.random_seed)
    if options.dupe_factor * corpus.num_tokens >= _TOKENS_TO_COMPILE_FOR:
        try:
            from bert.pretraining_data import compiled  # the extra `fast`: numba
        except ImportError:
            logger.info("Sampling takes a tenth of the time with numba %s", how_to_install("fast"))
        else:
            return compiled.CompiledSampler(corpus, vocabulary, options, rng)
    return InstanceSampler(corpus, vocabulary, options, rng)


def _sample(
    sampler: "InstanceSampler | CompiledSampler", corpus: Corpus, options: Options, maker: RecordMaker
) -> Counts:
    """Draws all instances, in the order of the original, for the maker to make."""
    counts = Counts()
    with Progress("Sampling", options.dupe_factor * corpus.num_documents, "documents") as progress:
        for _ in range(options.dupe_factor):
            for plans, documents in sampler.batches(_INSTANCES_PER_BATCH):
                maker.add_plans(plans)
                counts += Counts.of_plans(plans)
                progress.advance(documents, len(plans))
    return counts


def _write(maker: RecordMaker, order: array, vocabulary: Vocabulary, output_paths: Sequence[str]) -> None:
    """Puts the records into the files in the order given, one after the other in turn."""
    logger.info("*** Writing to output files ***")
    for path in output_paths:
        logger.info("  %s", path)
    for record in maker.framed(order[:_EXAMPLES_LOGGED]):
        log_example(values_of(unframe(record)), vocabulary)
    with contextlib.ExitStack() as stack, Progress("Writing", len(order), "instances") as progress:
        temporary = [stack.enter_context(files.replaced(path)) for path in output_paths]
        for number, path in enumerate(temporary):
            numbers = order[number :: len(temporary)]
            with files.named(output_paths[number]), files.open_binary(path, "wb") as file:
                for start in range(0, len(numbers), _INSTANCES_PER_BATCH):
                    batch = maker.framed(numbers[start : start + _INSTANCES_PER_BATCH])
                    file.write(b"".join(batch))
                    progress.advance(len(batch))
        for path in output_paths:  # killed from here on, a run leaves no records beside a side-car that is of others
            sidecar.remove(path)
