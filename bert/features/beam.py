"""The features of files of text on an Apache Beam runner: the same vectors, on as many machines as there are.

Each block of lines becomes an output file of its own, numbered as the blocks are: read one after the other, the files
hold what a single process writes.
"""

import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from bert import pipelines
from bert.features.extract import Counts, log_plan, write_block
from bert.features.extractor import Extractor
from bert.features.options import Options
from bert.features.texts import Block, Part, read_blocks, survey
from bert.features.writing import open_writer
from bert.pipelines import Shared, beam

logger = logging.getLogger(__name__)


def extract(
    input_paths: Sequence[str], output_path: str, options: Options, runner: str, beam_options: str = ""
) -> Counts:
    """Runs the pipeline and waits for it; `NAME.npz` becomes `NAME-00000-of-00004.npz` and so on.

    Every machine must see the input, the model and the output under the same names. A shard appears when it is
    complete. Raises InputError for shards that are there already, and for what `extract.extract` refuses.
    """
    stem, extension = _split_name(output_path)
    pipelines.refuse_shards(stem, extension)
    shared = Shared()
    extractor = shared.acquire(lambda: Extractor(options))  # what it refuses is an error here, not by a worker
    parts, line_count, block_count = survey(input_paths, options.batch_size)
    log_plan(extractor, line_count)
    counts_path = f"{stem}.counts.json"
    with pipelines.opened(runner, beam_options) as pipeline:
        counts = (
            pipeline
            | "Files" >> beam.Create([tuple(part) for part in parts])
            | "SpreadFiles" >> beam.Reshuffle()
            | "Read" >> beam.FlatMap(_read, options.batch_size)
            | "SpreadBlocks" >> beam.Reshuffle()
            | "Extract" >> beam.ParDo(_WriteShard(options, shared, stem, f"-of-{block_count:05d}{extension}"))
        )
        pipelines.write_total(counts, _sum, _as_json, counts_path)
    total = Counts(**pipelines.total(counts_path))
    logger.info("Wrote %d files, %s-00000-of-%05d%s and so on", block_count, stem, block_count, extension)
    total.log(options.max_seq_length)
    return total


def _split_name(path: str) -> tuple[str, str]:
    """`a.npz` -> `a`, `.npz`; `a.jsonl.gz` -> `a`, `.jsonl.gz`."""
    stem, extension = os.path.splitext(path)
    if extension == ".gz":
        stem, inner = os.path.splitext(stem)
        extension = inner + extension
    return stem, extension


def _read(part: Any, batch_size: int) -> Iterator[Any]:  # Beam takes annotations for its own types
    for block in read_blocks(Part(*part), batch_size):
        yield tuple(block)


class _WriteShard(beam.DoFn):
    """Block -> its shard on the disk, and its counts. The model is loaded once in a process."""

    def __init__(self, options: Options, shared: Shared, stem: str, ending: str) -> None:
        self._options, self._shared, self._stem, self._ending = options, shared, stem, ending

    def setup(self) -> None:
        self._extractor = self._shared.acquire(lambda: Extractor(self._options))

    def process(self, element: Any) -> Iterator[Any]:
        block = Block(*element)
        path = f"{self._stem}-{block.number:05d}{self._ending}"
        with open_writer(path, self._extractor, len(block.lines)) as writer:
            counts = write_block(self._extractor, block, writer)
        yield counts


def _sum(counts: Sequence[Counts]) -> Counts:
    return sum(counts, Counts())


def _as_json(counts: Counts) -> str:
    return json.dumps(dataclasses.asdict(counts))
