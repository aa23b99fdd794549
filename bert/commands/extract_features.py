"""Gives the vectors that BERT has for texts: one for every WordPiece, or for each text.

    bert extract_features --input_file=texts.txt --output_file=vectors.jsonl \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --layers=-1,-2,-3,-4 --max_seq_length=128

The input holds a text a line, or a pair, its texts parted by ' ||| '. The output has a line for each, in the same
order. For one vector a text in an array that numpy reads: --pooling=mean --layers=-1 --output_format=npz.
docs/sentence-vectors.md tells which layer is good for what.
"""

import dataclasses
import logging

from bert import files, flags, formats
from bert.errors import InputError
from bert.features.options import NPZ, Options
from bert.formats import tokenizers
from bert.options import option, part, required

logger = logging.getLogger("bert.extract_features")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(Options, flags.TPUFlags):
    """The flags of extract_features.py."""

    input_file: str = required(
        "Text to read, one a line: file names and globs, comma-separated. Files ending in .gz are unpacked."
    )
    output_file: str = required(
        "File to write; JSON lines are packed where its name ends in .gz. With --beam_runner NAME.jsonl becomes "
        "numbered shards, NAME-00000-of-00004.jsonl and so on."
    )
    use_tpu: bool = option(False, "Compute on a TPU; it is an error if there is none.")
    use_one_hot_embeddings: bool = option(
        False, "Accepted, and without effect: embeddings are looked up on every device, with the same numbers."
    )
    beam_runner: str | None = option(
        None, "Run on an Apache Beam runner: DirectRunner, SparkRunner, FlinkRunner, DataflowRunner..."
    )
    beam_options: str = option("", "With --beam_runner: Beam's own options, as on a command line.")

    def check(self) -> None:
        flags.check_positive(self, "num_tpu_cores")
        if self.beam_options and not self.beam_runner:
            raise InputError(f"--beam_options='{self.beam_options}' is given without --beam_runner")
        if self.beam_runner and self.use_tpu:
            raise InputError(f"--beam_runner={self.beam_runner} and --use_tpu={self.use_tpu}: expected one of them")
        self.check_output(self.input_paths())
        files.check_readable(formats.config_file(self.bert_config_file), "--bert_config_file")
        files.check_readable(formats.vocab_file(self.vocab_file), "--vocab_file")
        flags.check_case_matches_checkpoint(self.do_lower_case, self.init_checkpoint)
        tokenizers.check_lower_case(self.do_lower_case, self.vocab_file)

    def input_paths(self) -> list[str]:
        return files.expand(self.input_file, "input_file")

    def check_output(self, input_paths: list[str]) -> None:
        """Raises InputError for an output that could not be written at the end of a long run."""
        read = [*input_paths, formats.vocab_file(self.vocab_file), formats.config_file(self.bert_config_file)]
        files.check_output(self.output_file, "output_file", read)
        if self.output_format == NPZ and not self.output_file.endswith(".npz"):
            raise InputError(f"--output_file is {self.output_file}, expected NAME.npz with --output_format=npz")


def main(settings: Settings) -> None:
    options, input_paths = part(settings, Options), settings.input_paths()
    # Imported here: TensorFlow, for which --help does not wait, and Beam, which may not be there.
    if settings.beam_runner:
        from bert.features import beam

        beam.extract(input_paths, settings.output_file, options, settings.beam_runner, settings.beam_options)
        return
    from bert.features.extract import extract, open_devices

    extract(input_paths, settings.output_file, options, open_devices(settings))
