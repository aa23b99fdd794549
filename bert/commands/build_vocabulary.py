"""Makes a WordPiece vocabulary, vocab.txt, of a corpus.

    bert build_vocabulary --input_file='corpus/*.txt.gz' --output_file=vocab.txt --vocab_size=8000

The corpus is read once, in memory that does not grow with it. The vocabulary begins as Google's do; then come all
characters that are not too rare, and the pieces that the words are best cut into. It needs the package tokenizers, the
extra `vocabulary`. docs/vocabulary.md tells more.
"""

import dataclasses
import logging

from bert import files
from bert.errors import InputError
from bert.options import option, part, required
from bert.vocabulary.options import BuildOptions

logger = logging.getLogger("bert.build_vocabulary")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(BuildOptions):
    input_file: str = required("Text to read: file names and globs, comma-separated. Files ending in .gz are unpacked.")
    output_file: str = required("The vocabulary to write, an entry a line.")
    report_file: str | None = option(None, "JSON file for the numbers that are printed at the end.")

    def check(self) -> None:
        inputs = self.input_paths()
        files.check_output(self.output_file, "output_file", inputs)
        if self.report_file:
            files.check_output(self.report_file, "report_file", inputs)
            if files.same_file(self.report_file, self.output_file):
                raise InputError(f"--report_file and --output_file are both {self.output_file}, expected two files")

    def input_paths(self) -> list[str]:
        """The files to read, in this order; those of a glob sorted."""
        return files.expand(self.input_file, "input_file")


def main(settings: Settings) -> None:
    from bert.vocabulary import building

    report = building.build(settings.input_paths(), settings.output_file, part(settings, BuildOptions))
    for name, value in report.items():
        logger.info("  %s = %s", name, value)
    if settings.report_file:
        files.write_json(settings.report_file, report)
    logger.info("Wrote %s", settings.output_file)
