"""Turns text into pre-training records: sentence pairs with hidden pieces, as TFRecord files.

    bert create_pretraining_data --input_file=sample_text.txt --output_file=sample.tfrecord \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt

The input holds a sentence a line and a blank line between documents. The same flags make the same records in the
same order as Google's script of this name; --num_workers and --beam_runner are for corpora that do not fit into
memory. docs/pretraining-data.md tells more.
"""

import dataclasses
import logging

from bert import files, formats, sidecar
from bert.errors import InputError
from bert.formats import tokenizers
from bert.options import option, part, required
from bert.pretraining_data import fork_server
from bert.pretraining_data.options import Options

logger = logging.getLogger("bert.create_pretraining_data")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """The flags of create_pretraining_data.py."""

    input_file: str = required("Text to read: file names and globs, comma-separated. Files ending in .gz are unpacked.")
    output_file: str = required(
        "TFRecord file to write; several, comma-separated, take the instances in turn. With --num_workers or "
        "--beam_runner one name, NAME.tfrecord, becomes numbered shards, NAME-00000.tfrecord and so on."
    )
    num_workers: int = option(
        0,
        "Not 0: stream the corpus through this many processes instead of holding it in memory. The records are the "
        "same for any number of workers, but others than without.",
    )
    shard_size_mb: float = option(256.0, "With --num_workers: a new output shard begins after about this size.")
    beam_runner: str | None = option(
        None, "Stream on an Apache Beam runner: DirectRunner, SparkRunner, FlinkRunner, DataflowRunner..."
    )
    beam_options: str = option("", "With --beam_runner: Beam's own options, as on a command line.")

    def check(self) -> None:
        if self.num_workers < 0:
            raise InputError(f"--num_workers is {self.num_workers}, expected 0 or more")
        if not self.shard_size_mb > 0:
            raise InputError(f"--shard_size_mb is {self.shard_size_mb}, expected more than 0")
        if self.num_workers and self.beam_runner:
            raise InputError(
                f"--num_workers={self.num_workers} and --beam_runner={self.beam_runner}: expected one of them"
            )
        if self.beam_options and not self.beam_runner:
            raise InputError(f"--beam_options='{self.beam_options}' is given without --beam_runner")
        self.output_paths(self.input_paths())
        files.check_readable(formats.vocab_file(self.vocab_file), "--vocab_file")
        tokenizers.check_lower_case(self.do_lower_case, self.vocab_file)

    def prepare(self) -> None:
        if self.num_workers:
            fork_server.start()

    def input_paths(self) -> list[str]:
        """The files to read, in this order; without streaming it is the original's (docs/parity.md 6.2)."""
        return files.expand(self.input_file, "input_file", in_folder_order=not self.is_streaming)

    def output_paths(self, input_paths: list[str]) -> list[str]:
        """The files to write. Raises InputError for what could not be written at the end of a long run."""
        paths = [path.strip() for path in self.output_file.split(",")]
        if self.is_streaming and len(paths) > 1:
            raise InputError(f"--output_file names {len(paths)} files, expected one: --shard_size_mb makes the shards")
        read = [*input_paths, formats.vocab_file(self.vocab_file)]
        written = [*paths, *map(sidecar.path_of, paths)]
        for number, path in enumerate(written):
            files.check_output(path, "output_file", read)
            if any(files.same_file(path, before) for before in written[:number]):
                raise InputError(f"--output_file names {path} twice")
        return paths

    @property
    def is_streaming(self) -> bool:
        return bool(self.num_workers or self.beam_runner)


def main(settings: Settings) -> None:
    options, input_paths = part(settings, Options), settings.input_paths()
    outputs = settings.output_paths(input_paths)
    logger.info("*** Reading from input files ***")
    for path in input_paths:
        logger.info("  %s", path)
    # Each mode imports what it needs: TensorFlow, for which --help does not wait, or Beam, which may not be there.
    if settings.beam_runner:
        from bert.pretraining_data import beam

        beam.create(input_paths, outputs[0], options, settings.beam_runner, settings.beam_options)
    elif settings.num_workers:
        from bert.pretraining_data import streaming

        streaming.create(input_paths, outputs[0], options, settings.num_workers, settings.shard_size_mb)
    else:
        from bert.pretraining_data import exact

        exact.create(input_paths, outputs, options)
