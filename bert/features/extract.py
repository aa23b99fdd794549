"""The features of files of text, in this process."""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import tensorflow as tf

from bert import files
from bert.errors import InputError
from bert.features.extractor import Extractor
from bert.features.options import Options
from bert.features.texts import Block, read_blocks, survey
from bert.features.writing import Writer, open_writer
from bert.flags import TPUFlags
from bert.reporting import Progress
from bert.training import run

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Counts:
    """What was read: texts, those that were cut, and the WordPieces of the longest before that."""

    texts: int = 0
    truncated: int = 0
    longest: int = 0

    @classmethod
    def of(cls, lengths: Sequence[int], max_seq_length: int) -> "Counts":
        """The counts of texts that have so many WordPieces."""
        return cls(len(lengths), sum(length > max_seq_length for length in lengths), max(lengths, default=0))

    def __add__(self, other: "Counts") -> "Counts":
        longest = max(self.longest, other.longest)
        return Counts(self.texts + other.texts, self.truncated + other.truncated, longest)

    def log(self, max_seq_length: int) -> None:
        if not self.truncated:
            logger.info("No text was cut; the longest has %d WordPieces.", self.longest)
            return
        share = f"{self.truncated / self.texts:.1%}"
        logger.warning(
            "%d of %d texts (%s) were cut to `max_seq_length`=%d; the longest has %d WordPieces.",
            self.truncated,
            self.texts,
            share,
            max_seq_length,
            self.longest,
        )


def open_devices(settings: TPUFlags) -> tf.distribute.Strategy:
    """A TPU, several GPUs, or one device; not the workers of TF_CONFIG, who would all write the same file."""
    several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
    return run.open_devices(settings, "tpu" if settings.use_tpu else "mirrored" if several_gpus else "one_device")


def extract(
    input_paths: Sequence[str], output_path: str, options: Options, strategy: tf.distribute.Strategy | None = None
) -> Counts:
    """Writes the features of every line of the files, in their order. Nothing is left behind when something fails.

    Raises InputError for input that cannot be read, what `Extractor` refuses, and while another run writes the same.
    """
    with files.locked(f"{output_path}.lock", output_path):
        extractor = Extractor(options, strategy)
        parts, line_count, _ = survey(input_paths, options.batch_size)
        log_plan(extractor, line_count)
        progress = Progress("Extracting", line_count, unit="texts")
        counts = Counts()
        with open_writer(output_path, extractor, line_count) as writer:
            for part in parts:
                for block in read_blocks(part, options.batch_size):
                    counts += write_block(extractor, block, writer, progress.advance)
            if counts.texts != line_count:
                raise InputError(f"`input_file`: had {line_count} lines, and {counts.texts} when read again")
        progress.close()
    logger.info("Wrote %s", output_path)
    counts.log(options.max_seq_length)
    return counts


def write_block(
    extractor: Extractor, block: Block, writer: Writer, advance: Callable[[int], None] = lambda _: None
) -> Counts:
    """Writes the features of the block's lines; `advance` hears how many more are computed."""
    lengths = []
    for number, features in enumerate(extractor.extract(block.lines, advance), start=block.first):
        writer.write(number, features)
        lengths.append(features.full_length)
    return Counts.of(lengths, extractor.options.max_seq_length)


def log_plan(extractor: Extractor, line_count: int) -> None:
    """Tells what comes out."""
    options = extractor.options
    layers = ", ".join(map(str, options.layer_numbers))
    if options.is_pooled:
        joined = f", one after the other: {extractor.width} values" if len(options.layer_numbers) > 1 else ""
        logger.info("%d texts, a vector each: %s of layer %s%s.", line_count, options.pooling, layers, joined)
    else:
        logger.info("%d texts, a vector for each WordPiece: layers %s.", line_count, layers)
