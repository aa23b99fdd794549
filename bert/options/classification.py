"""What a classification is about."""

import dataclasses

from bert.options import option, required
from bert.options.tables import TableOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationOptions(TableOptions):
    """A task by its name, where its files lie, and what an example weighs."""

    task_name: str = required("What is learned: table for files of your own, or a GLUE or CLUE task such as MRPC.")
    data_dir: str = required("Folder with the task's files: train.tsv, dev.tsv, test.tsv in most tasks.")
    task_file: str | None = option(None, "Python file that registers a task of your own.")
    class_weights: str = option(
        "none",
        "What an example of each class weighs in training: none, balanced, or a file of `label TAB weight` lines.",
    )
