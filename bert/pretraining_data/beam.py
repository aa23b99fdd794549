"""The streaming mode on an Apache Beam runner: the same blocks, the same records, on as many machines as there are.

The package `apache-beam` is optional (the extra `beam`); only `pipelines` and what imports it need it.
"""

import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from bert import pipelines, sidecar
from bert.errors import InputError
from bert.pipelines import beam
from bert.pretraining_data.blocks import Block, BlockMaker, group_files, read_blocks
from bert.pretraining_data.corpus import DuplicateCounter
from bert.pretraining_data.describe import side_car_values
from bert.pretraining_data.options import Options
from bert.pretraining_data.reading import read_sentences
from bert.pretraining_data.report import Counts
from bert.tokenization import Vocabulary

logger = logging.getLogger(__name__)

_COUNTS = "counts"  # the side output of the steps


def create(
    input_paths: Sequence[str], output_path: str, options: Options, runner: str, beam_options: str = ""
) -> Counts:
    """Runs the pipeline and waits for it; `NAME.tfrecord` becomes `NAME-00000-of-00004.tfrecord` and so on.

    How many shards there are, and which record lies in which, is the runner's choice; the records are those of the
    streaming mode. Every machine must see the input, the vocabulary and the output under the same names.
    Raises InputError for input that cannot be read and for shards that are there already.
    """
    stem, extension = os.path.splitext(output_path)
    pipelines.refuse_shards(stem, extension)
    vocabulary = Vocabulary.from_file(options.vocab_file)  # a bad one is an error here, not by a worker
    groups = list(enumerate(group_files(input_paths, options)))
    counts_path = f"{stem}.counts.json"
    with pipelines.opened(runner, beam_options) as pipeline:
        blocks = (
            pipeline
            | "Files" >> beam.Create(groups)
            | "SpreadFiles" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_ReadBlocks(options)).with_outputs(_COUNTS, main="blocks")
        )
        records = (
            blocks.blocks
            | "SpreadBlocks" >> beam.Reshuffle()
            | "Make" >> beam.ParDo(_MakeRecords(options)).with_outputs(_COUNTS, main="records")
        )
        _ = records.records | beam.io.WriteToTFRecord(stem, file_name_suffix=extension)
        counted = (blocks[_COUNTS], records[_COUNTS]) | beam.Flatten()
        pipelines.write_total(counted, _sum, _as_json, counts_path)
    counts = Counts(**pipelines.total(counts_path))
    values = side_car_values(options, vocabulary, input_paths, None, counts)
    return _describe(pipelines.shards(stem, extension), counts, values)


def _describe(paths: Sequence[str], counts: Counts, values: dict) -> Counts:
    if not counts.instances:
        raise InputError("`input_file`: found no text in the input")
    logger.info("*** Writing to output files ***")
    for path in paths:
        logger.info("  %s", path)
        sidecar.write(path, values)
    counts.warn(values["flags"]["do_whole_word_mask"])
    logger.info("Wrote %d total instances", counts.instances)
    counts.log()
    return counts


class _ReadBlocks(beam.DoFn):
    """(group number, file names) -> blocks, and the documents seen before in the group."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def process(self, element: tuple[int, list[str]]) -> Iterator[Any]:  # Beam takes annotations for its own types
        group, paths = element
        duplicates = DuplicateCounter()
        yield from read_blocks(group, duplicates.watch(read_sentences(paths, self._options)), self._options)
        yield beam.pvalue.TaggedOutput(_COUNTS, Counts(duplicate_documents=duplicates.count))


class _MakeRecords(beam.DoFn):
    """Block -> serialized records and their counts."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def setup(self) -> None:
        self._maker = BlockMaker(self._options)

    def process(self, block: Block) -> Iterator[Any]:
        for records, counts in self._maker.records(block):
            yield from records
            yield beam.pvalue.TaggedOutput(_COUNTS, counts)


def _sum(counts: Sequence[Counts]) -> Counts:
    return sum(counts, Counts())


def _as_json(counts: Counts) -> str:
    return json.dumps(dataclasses.asdict(counts))
