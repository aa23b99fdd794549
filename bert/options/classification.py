"""What a classification is about."""

import dataclasses

from bert.options import option, required
from bert.options.tables import TableOptions

TRUNCATIONS = ("head", "tail", "head_tail")
LONG_TEXTS = ("truncate", "windows")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LongTextOptions:
    """What is read of a text that is too long for a row."""

    truncation: str = option(
        "head",
        "Which WordPieces of a text longer than `max_seq_length` are read: the first, the last, or a quarter of the "
        "first and the rest of the last.",
        TRUNCATIONS,
    )
    long_text: str = option(
        "truncate",
        "What is done with a text longer than `max_seq_length`: a part of it is read (see `truncation`), or all of it, "
        "through several windows, whose logits are averaged.",
        LONG_TEXTS,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationOptions(LongTextOptions, TableOptions):
    """A task by its name, where its files lie, what an example weighs, and what is read of one that is too long."""

    task_name: str = required("What is learned: table for files of your own, or a GLUE or CLUE task such as MRPC.")
    data_dir: str = required("Folder with the task's files: train.tsv, dev.tsv, test.tsv in most tasks.")
    task_file: str | None = option(None, "Python file that registers a task of your own.")
    class_weights: str = option(
        "none",
        "What an example of each class weighs in training: none, balanced, or a file of `label TAB weight` lines.",
    )
