"""How a model's vocabulary splits the words of a text, before and after words were added.

    python -m examples.chinese.field_words --input_file=field/train.txt --models=before=model,after=with_words

A Chinese character is a word to the tokenizer, and always one piece. So what is told is of the other words, those with
a letter that is not Chinese, as brands and abbreviations have: which share of their occurrences is one piece, and into
how many pieces one is split.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from bert import cli, files
from bert.errors import InputError
from bert.options import option, required
from examples.chinese.cleaning import chinese_count


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    input_file: str = required("The text: names and globs, comma-separated.")
    models: str = required("Whose vocabularies: NAME=FOLDER, comma-separated; vocab.txt lies in the folder.")
    do_lower_case: bool = option(True, "Whether the models are lower-cased.")

    def folders(self) -> dict[str, str]:
        """Name -> folder."""
        pairs = [item.partition("=") for item in self.models.split(",")]
        if not all(name and folder for name, _, folder in pairs):
            raise InputError(f"--models is '{self.models}', expected NAME=FOLDER, several separated by commas")
        return {name: folder for name, _, folder in pairs}


def field_words(counts: Mapping[str, int]) -> dict[str, int]:
    """Those that have a letter and are not Chinese."""
    return {word: count for word, count in counts.items() if any(map(str.isalpha, word)) and not chinese_count(word)}


def shares(lengths: Sequence[int], unknown: Sequence[bool], times: Sequence[int]) -> tuple[float, float, float]:
    """Of words, by their pieces, whether they are [UNK], and their occurrences: the share that is one piece, the share
    that is unknown, and pieces a word."""
    pieces, is_unknown, weights = np.array(lengths), np.array(unknown, bool), np.array(times, np.float64)
    whole = weights[(pieces == 1) & ~is_unknown].sum()
    total = weights.sum()
    return float(whole / total), float(weights[is_unknown].sum() / total), float((weights * pieces).sum() / total)


def main(settings: Settings) -> None:
    from bert.tokenization import Tokenizer, Vocabulary, WordSplitter
    from bert.vocabulary.counting import count_words
    from bert.vocabulary.options import CorpusOptions

    options = CorpusOptions()
    paths = files.expand(settings.input_file, "input_file")
    counter, _ = count_words(paths, options, WordSplitter(settings.do_lower_case), options.counting_bytes)
    counts = field_words(counter.words())
    if not counts:
        raise InputError(
            f"--input_file={settings.input_file}: all its words are Chinese characters, which are one piece"
        )
    print(f"{sum(counts.values()):,} words that are not Chinese, {len(counts):,} different ones\n")
    print("| vocabulary | one piece | unknown | pieces a word |\n|---|---:|---:|---:|")
    for name, folder in settings.folders().items():
        vocabulary = Vocabulary.from_file(f"{folder}/vocab.txt")
        ids, splits = Tokenizer(vocabulary, settings.do_lower_case).encode(list(counts))
        unknown = [vocabulary.unk_id in ids[start:end] for start, end in itertools.pairwise(splits)]
        whole, missing, pieces = shares(list(np.diff(splits)), unknown, list(counts.values()))
        print(f"| {name} | {whole:.3f} | {missing:.3f} | {pieces:.2f} |")


if __name__ == "__main__":
    cli.run(Settings, main)
