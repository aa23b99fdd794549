"""Turns the People's Daily into train.txt, dev.txt and test.txt of run_tagger: the names of persons, places and
organisations, a character and its BIO tag a line.

    python -m examples.chinese.names --packages=FOLDER --output_dir=FOLDER

The texts of dev.txt and test.txt are not among those that examples.chinese.corpus makes the pre-training text of.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Sequence

from bert import cli, files
from bert.options import required
from examples.chinese import texts
from examples.chinese.texts import TaggedWord

TYPES = {"nr": "PER", "ns": "LOC", "nt": "ORG"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    packages: str = required("Folder the packages were installed into.")
    output_dir: str = required("Folder for train.txt, dev.txt and test.txt.")


def tagged_characters(words: Sequence[TaggedWord]) -> Iterator[tuple[str, str]]:
    """Each character of a paragraph with its tag. A family name and the given name behind it are one person."""
    follows_family_name = False
    for word in words:
        name = TYPES.get(word.kind)
        goes_on = word.kind == "nr" and follows_family_name
        for place, character in enumerate(word.text):
            yield character, "O" if not name else f"I-{name}" if place or goes_on else f"B-{name}"
        follows_family_name = word.kind == "nr" and not goes_on


def main(settings: Settings) -> None:
    files.make_folder(settings.output_dir)
    for split, documents in texts.peoples_daily(pathlib.Path(settings.packages)).items():
        paragraphs = list(itertools.chain.from_iterable(documents))
        path = f"{settings.output_dir}/{split}.txt"
        blocks = ("".join(f"{char}\t{tag}\n" for char, tag in tagged_characters(words)) for words in paragraphs)
        files.write_text(path, "\n".join(blocks))
        print(f"{path}: {len(paragraphs)} paragraphs of {len(documents)} articles")


if __name__ == "__main__":
    cli.run(Settings, main)
