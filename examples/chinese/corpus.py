"""Makes the text to pre-train on, train.txt, and held_out.txt to judge the model by, of the packages' texts.

    python -m examples.chinese.corpus --packages=FOLDER --output_dir=FOLDER \\
        --evaluation_files='examples/faq/*/dev.tsv,examples/faq/*/test.tsv'

Both hold a sentence a line and a blank line between documents. Markup goes, and lines that are hardly Chinese; of
sentences alike but for punctuation and numbers the first is kept. A sentence that occurs in the evaluation files, or
in dev and test of examples.chinese.names, is refused. report.json counts all this.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from bert import cli, files
from bert.errors import InputError
from bert.flags import check_positive
from bert.options import option, required
from examples.chinese import cleaning, texts
from examples.chinese.cleaning import EvaluationTexts

FEWEST_CHARACTERS = 8  # Chinese ones of a document
FATES = ("hardly Chinese", "duplicate", "in an evaluation set", "in a document too short", "trained on", "held out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    packages: str = required("Folder the packages were installed into.")
    output_dir: str = required("Folder for train.txt, held_out.txt and report.json.")
    evaluation_files: str = option(
        "", "Dev and test sets whose texts are refused: names and globs, comma-separated; TSV or JSON lines."
    )
    held_out_every: int = option(50, "One document in so many is held out.")

    def check(self) -> None:
        check_positive(self, "held_out_every")


class Corpus:
    """Takes documents, keeps what may be learned from, and counts the sentences and characters of each fate."""

    def __init__(self, evaluation: EvaluationTexts, held_out_every: int) -> None:
        self._evaluation, self._every = evaluation, held_out_every
        self._seen: set[str] = set()
        self.parts: dict[str, list[list[str]]] = {"trained on": [], "held out": []}
        self.sentences: dict[str, collections.Counter[str]] = {}  # source -> fate -> sentences
        self.characters: dict[str, collections.Counter[str]] = {}

    def add(self, source: str, documents: Iterable[texts.Document]) -> None:
        """Adds the documents of a source."""
        self.sentences[source], self.characters[source] = collections.Counter(), collections.Counter()
        for document in tqdm(documents, desc=source, unit=" documents", mininterval=1.0):
            kept = list(self._kept(source, document))
            if not kept:
                continue
            fate = "held out" if cleaning.is_kept_apart(kept, self._every) else "trained on"
            if sum(map(cleaning.chinese_count, kept)) < FEWEST_CHARACTERS:
                fate = "in a document too short"
            else:
                self.parts[fate].append(kept)
            for sentence in kept:
                self._count(source, fate, sentence)

    def _kept(self, source: str, document: texts.Document) -> Iterator[str]:
        for paragraph in document:
            for sentence in cleaning.sentences(paragraph):
                fate = self._refusal(sentence)
                if fate:
                    self._count(source, fate, sentence)
                else:
                    yield sentence

    def _refusal(self, sentence: str) -> str | None:
        """Why a sentence is not kept."""
        if not cleaning.is_chinese_sentence(sentence):
            return "hardly Chinese"
        letters = cleaning.letters(sentence)
        if len(letters) >= cleaning.SHORT:
            if letters in self._seen:
                return "duplicate"
            self._seen.add(letters)
        return "in an evaluation set" if self._evaluation.has(letters) else None

    def _count(self, source: str, fate: str, sentence: str) -> None:
        self.sentences[source][fate] += 1
        self.characters[source][fate] += len(sentence)

    def report(self) -> dict[str, object]:
        """All counts, for report.json."""
        return {
            "evaluation_texts": len(self._evaluation),
            "documents": {fate: len(documents) for fate, documents in self.parts.items()},
            "sentences": {source: dict(counts) for source, counts in self.sentences.items()},
            "characters": {source: dict(counts) for source, counts in self.characters.items()},
        }

    def table(self) -> Iterator[str]:
        """The sentences of each source by fate, and the characters of what is kept."""
        yield "".join([f"{'sentences':<26}", *(f"{source:>18}" for source in self.sentences)])
        for fate in FATES:
            counts = "".join(f"{counter[fate]:>18,}" for counter in self.sentences.values())
            yield f"{fate:<26}{counts}"
        counts = "".join(f"{counter['trained on']:>18,}" for counter in self.characters.values())
        yield f"{'characters trained on':<26}{counts}"


def evaluation_texts(patterns: str, daily: dict[str, list[texts.TaggedDocument]]) -> EvaluationTexts:
    """The texts of the files named, and of dev and test of the People's Daily, by paragraph and by sentence."""
    found = EvaluationTexts()
    for path in files.expand(patterns, "evaluation_files") if patterns else []:
        before = len(found)
        found.add(cleaning.texts_of_file(path))
        if len(found) == before:
            print(f"{path}: no text that the others do not have")
    for split in ("dev", "test"):
        for document in daily[split]:
            for paragraph in texts.untagged(document):
                found.add([paragraph])
                found.add(cleaning.sentences(paragraph))
    return found


def main(settings: Settings) -> None:
    files.check_folder(settings.output_dir, "output_dir")
    packages = pathlib.Path(settings.packages)
    daily = texts.peoples_daily(packages)
    corpus = Corpus(evaluation_texts(settings.evaluation_files, daily), settings.held_out_every)
    corpus.add("People's Daily", map(texts.untagged, daily["train"]))
    corpus.add("reviews", texts.reviews(packages))
    corpus.add("news", texts.news(packages))
    if not all(corpus.parts.values()):
        raise InputError(f"--packages={packages}: too little text is left to train on and to hold out")
    files.make_folder(settings.output_dir)
    for name, fate in (("train", "trained on"), ("held_out", "held out")):
        path = f"{settings.output_dir}/{name}.txt"
        files.write_text(path, "\n".join("".join(f"{line}\n" for line in document) for document in corpus.parts[fate]))
        print(f"{path}: {len(corpus.parts[fate])} documents")
    files.write_json(f"{settings.output_dir}/report.json", corpus.report())
    print(*corpus.table(), sep="\n")


if __name__ == "__main__":
    cli.run(Settings, main)
