"""Adds words of a field to the vocabulary of a model, and vectors for them to its weights.

    bert add_words --model_dir=$BERT_BASE_DIR --output_dir=with_words --words_file=words.txt
    bert add_words --model_dir=$BERT_BASE_DIR --output_dir=with_words --input_file='field/*.txt' --max_words=50

The words take the entries [unused1], [unused2]... or, with --append, new ones at the end. A word's vector is the mean
of those of the pieces that it was split into; it learns its own when the model is trained on. docs/vocabulary.md tells
more.
"""

import dataclasses
import logging
from typing import TYPE_CHECKING

from bert import files
from bert.errors import InputError
from bert.flags import check_positive
from bert.options import option, part, required
from bert.vocabulary.options import CorpusOptions

if TYPE_CHECKING:  # TensorFlow is imported by the command that runs, not for --help
    from bert.vocabulary.adding import Judge, Wanted

logger = logging.getLogger("bert.add_words")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(CorpusOptions):
    model_dir: str = required("Folder of the model: a Google download, a Hugging Face folder, or an --output_dir.")
    output_dir: str = required("Folder to make; it must not be there yet, or be empty.")
    words_file: str | None = option(None, "The words to add, one a line. One that can be no piece is an error.")
    input_file: str | None = option(
        None, "Text to find words in that are often and badly split, instead of --words_file: names and globs."
    )
    max_words: int = option(100, "With --input_file: add at most so many words.")
    min_word_count: int = option(5, "With --input_file: only words that occur at least so often.")
    append: bool = option(False, "Put the words behind the last entry, and leave the unused ones alone.")
    vocab_file: str | None = option(None, "The vocabulary, where the folder of the model does not tell where it is.")
    do_lower_case: bool | None = option(
        None, "Whether the model is lower-cased, where its folder does not tell; else its vocabulary is asked."
    )

    def check(self) -> None:
        if bool(self.words_file) == bool(self.input_file):
            raise InputError("expected either --words_file or --input_file")
        if self.words_file:
            files.check_readable(self.words_file, "--words_file")
        self.input_paths()
        check_positive(self, "max_words", "min_word_count")

    def input_paths(self) -> list[str]:
        """The files to find words in, in this order."""
        return files.expand(self.input_file, "input_file") if self.input_file else []


def main(settings: Settings) -> None:
    from bert import stored_model
    from bert.vocabulary import adding, growing

    with files.new_folder(settings.output_dir, "output_dir") as folder:
        model = stored_model.read(settings.model_dir, settings.vocab_file, settings.do_lower_case)
        if settings.do_lower_case not in (None, model.do_lower_case):
            raise InputError(
                f"--do_lower_case is {settings.do_lower_case}, but by its folder {settings.model_dir} the model has "
                f"{model.do_lower_case}"
            )
        judge = adding.Judge(model.vocabulary, model.do_lower_case)
        wanted = adding.read_words(settings.words_file) if settings.words_file else found_words(settings, judge)
        addition = adding.plan(judge, wanted, settings.append)
        growing.grow(model, addition, folder)
    count, size = len(addition.pieces), len(addition.vocabulary)
    logger.info("Added %d words; the vocabulary has %d entries. Wrote %s", count, size, settings.output_dir)


def found_words(settings: Settings, judge: "Judge") -> "list[Wanted]":
    """The words of --input_file that are worth adding, no more than there are places for."""
    from bert.vocabulary import adding, candidates

    places = settings.max_words if settings.append else len(adding.free_places(judge.vocabulary))
    if not places:
        raise InputError(f"{judge.vocabulary.name} has no unused entries; --append adds new ones")
    options = part(settings, CorpusOptions)
    most = min(settings.max_words, places)
    found = candidates.find(settings.input_paths(), options, judge, most, settings.min_word_count)
    return [adding.Wanted(candidate.word, "--input_file") for candidate in found]
