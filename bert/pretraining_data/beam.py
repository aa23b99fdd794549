"""The streaming mode on an Apache Beam runner: the same blocks, the same records, on as many machines as there are.

The package `apache-beam` is optional (the extra `beam`); only this module needs it.
"""

import contextlib
import dataclasses
import glob
import json
import logging
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from bert import files, sidecar
from bert.errors import InputError
from bert.pretraining_data.blocks import Block, BlockMaker, group_files, read_blocks
from bert.pretraining_data.corpus import DuplicateCounter
from bert.pretraining_data.describe import side_car_values
from bert.pretraining_data.options import Options
from bert.pretraining_data.reading import read_sentences
from bert.pretraining_data.report import Counts
from bert.tokenization import Vocabulary

try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
except ImportError:
    raise InputError(
        "`beam_runner`: apache-beam is not installed "
        "(pip install 'bert[beam]', or in a checkout pip install -r requirements-beam.txt)"
    ) from None

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
    escaped = stem if files.is_remote(stem) else glob.escape(stem)
    pattern = f"{escaped}-*-of-*{extension}"
    if present := files.matching(pattern):
        raise InputError(f"`output_file`: {present[0]} is there already: remove the shards or name another output")
    vocabulary = Vocabulary.from_file(options.vocab_file)  # a bad one is an error here, not by a worker
    groups = list(enumerate(group_files(input_paths, options)))
    counts_path = f"{stem}.counts.json"
    with _errors_in_one_line(), beam.Pipeline(options=_pipeline_options(runner, beam_options)) as pipeline:
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
        _ = (
            (blocks[_COUNTS], records[_COUNTS])
            | beam.Flatten()
            | beam.CombineGlobally(_sum)
            | beam.Map(lambda counts: json.dumps(dataclasses.asdict(counts)))
            | beam.io.WriteToText(counts_path, shard_name_template="")
        )
    counts = Counts(**files.read_json(counts_path))
    files.remove(counts_path)
    return _describe(files.matching(pattern), counts, side_car_values(options, vocabulary, input_paths, None, counts))


@contextlib.contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Beam wraps a worker's error into a RuntimeError with traceback and all; this finds bad input in it."""
    try:
        yield
    except RuntimeError as error:
        found = re.search(r"InputError: (.*?)(?: \[while running|$)", str(error), re.MULTILINE)
        if found is None:
            raise
        raise InputError(found[1]) from None


def _pipeline_options(runner: str, beam_options: str) -> PipelineOptions:
    options = PipelineOptions([f"--runner={runner}", *shlex.split(beam_options)])
    options.view_as(SetupOptions).save_main_session = False  # the command's module is not needed by the workers
    return options


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
