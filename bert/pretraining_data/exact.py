"""The exact mode: the original's records in the original's order, whole corpus in memory (PARITY 6).

All randomness is one stream, `random.Random(random_seed)`, so documents are sampled one after the other; the work
around the draws is done in bulk. The plans of the instances wait in a temporary file for the final shuffle, so memory
holds the tokens and 8 bytes an instance.
"""

import contextlib
import logging
import os
import random
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
import tensorflow as tf

from bert import files, sidecar
from bert.errors import InputError
from bert.masking import shuffle
from bert.pretraining_data.corpus import Corpus, DuplicateCounter
from bert.pretraining_data.describe import side_car_values
from bert.pretraining_data.instances import InstanceSampler, plan_width
from bert.pretraining_data.options import Options
from bert.pretraining_data.reading import read_sentences
from bert.pretraining_data.report import Counts, Progress, log_examples, total_bytes
from bert.pretraining_data.segmentation import SentenceEncoder
from bert.pretraining_data.serialization import PlanReader, serialize
from bert.tokenization import Tokenizer, Vocabulary

logger = logging.getLogger(__name__)

_INSTANCES_PER_BATCH = 1024
_NUMBERS_HELD = 1 << 20  # of plans, before they are put into the temporary file
_EXAMPLES_SHOWN = 3


def create(input_paths: Sequence[str], output_paths: Sequence[str], options: Options) -> Counts:
    """Makes the records of a corpus and writes instance i to file i mod the number of files (PARITY 4).

    A side-car is written beside each file. Nothing is left behind when something fails.
    Raises InputError for a file that cannot be read and for a corpus without text.
    """
    vocabulary = Vocabulary.from_file(options.vocab_file)
    corpus, counts = _read_corpus(input_paths, vocabulary, options)
    counts.warn(options.do_whole_word_mask)
    rng = random.Random(options.random_seed)
    with _temporary_file(output_paths[0]) as plans:
        count = _sample(corpus, vocabulary, options, rng, plans)
        if count < len(output_paths):
            raise InputError(
                f"--output_file names {len(output_paths)} files for {count} instances, expected no empty file"
            )
        order = array("Q", range(count))
        shuffle(order, rng.getrandbits)
        reader = PlanReader(corpus.tokens, vocabulary, options.max_seq_length)
        counts += _write(_shuffled(plans, order, options), reader, vocabulary, output_paths, count)
    for number, path in enumerate(output_paths):
        records = len(range(number, count, len(output_paths)))
        sidecar.write(path, side_car_values(options, vocabulary, input_paths, records, counts))
    logger.info("Wrote %d total instances", count)
    counts.log()
    return counts


def _read_corpus(paths: Sequence[str], vocabulary: Vocabulary, options: Options) -> tuple[Corpus, Counts]:
    encoder = SentenceEncoder(
        Tokenizer(vocabulary, options.do_lower_case), options.do_whole_word_mask, options.segmenter
    )
    total = total_bytes(paths, [files.size(path) for path in paths])
    with Progress("Tokenizing", total) as progress:
        duplicates = DuplicateCounter(progress.advance)
        corpus = Corpus.build(duplicates.watch(read_sentences(paths, options)), encoder)
    if not corpus.num_documents:
        raise InputError(f"--input_file: found no text in {', '.join(paths)}")
    return corpus, Counts.of_corpus(corpus, vocabulary) + Counts(duplicate_documents=duplicates.count)


def _temporary_file(output_path: str) -> IO[bytes]:
    """A nameless file beside the output, where there is room for large files; it vanishes with the process."""
    folder = None if files.is_remote(output_path) else os.path.dirname(output_path) or "."
    return tempfile.TemporaryFile(dir=folder, buffering=0)


def _sample(corpus: Corpus, vocabulary: Vocabulary, options: Options, rng: random.Random, file: IO[bytes]) -> int:
    """Writes the plans of all instances to the file, in the order of their making; returns how many."""
    sampler = InstanceSampler(corpus, vocabulary, options, rng)
    width, total = plan_width(options), 0
    plans = array("Q")
    with Progress("Sampling", options.dupe_factor * corpus.num_documents, "documents") as progress:
        for _ in range(options.dupe_factor):
            for index in range(corpus.num_documents):
                held = len(plans)
                sampler.sample(index, plans)
                progress.advance(1, (len(plans) - held) // width)
                if len(plans) >= _NUMBERS_HELD:
                    total += len(plans)
                    plans.tofile(file)
                    del plans[:]
        total += len(plans)
        plans.tofile(file)
    return total // width


def _shuffled(file: IO[bytes], order: array, options: Options) -> Iterator[np.ndarray]:
    """Batches of plans, uint64 [B, 5 + P], in the order given."""
    size = 8 * plan_width(options)
    for start in range(0, len(order), _INSTANCES_PER_BATCH):
        rows = [os.pread(file.fileno(), size, index * size) for index in order[start : start + _INSTANCES_PER_BATCH]]
        yield np.frombuffer(b"".join(rows), np.uint64).reshape(len(rows), -1)


def _write(
    batches: Iterator[np.ndarray], reader: PlanReader, vocabulary: Vocabulary, output_paths: Sequence[str], total: int
) -> Counts:
    logger.info("*** Writing to output files ***")
    for path in output_paths:
        logger.info("  %s", path)
    counts = Counts()
    with contextlib.ExitStack() as stack, Progress("Writing", total, "instances") as progress:
        temporary = [stack.enter_context(files.replaced(path)) for path in output_paths]
        writers = [stack.enter_context(tf.io.TFRecordWriter(path)) for path in temporary]
        for plans in batches:
            features = reader.features(plans)
            if not counts.instances:
                log_examples(features, vocabulary, _EXAMPLES_SHOWN)
            for number, record in enumerate(serialize(features), start=counts.instances):
                writers[number % len(writers)].write(record)
            counts += Counts.of_instances(features)
            progress.advance(len(plans))
    return counts
