"""What a tagging is about."""

import dataclasses

from bert.options import BEST, option, required


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """How scores become tags."""

    constrained_decoding: bool = option(False, "Predict only sequences of tags that the scheme allows.", decides=BEST)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaggingOptions(DecodingOptions):
    """The files, their columns, and what their tags mean."""

    data_dir: str = required("Folder with train.txt, dev.txt and test.txt, or those of them that are asked for.")
    token_column: int = option(1, "Column of the words, counted from 1; -1 is the last.")
    tag_column: int = option(-1, "Column of the tags, counted from 1; -1 is the last; 0: test.txt has none.")
    scheme: str = option(
        "auto",
        "What the tags mean: bio, bioes (spans), plain (each word for itself); auto, the first that all tags fit.",
        ("auto", "bio", "bioes", "plain"),
    )
