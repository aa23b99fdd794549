"""Where in the files of a table what stands."""

import dataclasses

from bert.options import BEST, NOTHING, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Files and columns. A column is a name of the header, or a number counted from 1."""

    train_file: str | None = option(None, "Table: the training file in `data_dir`, if not train.tsv, .csv...")
    dev_file: str | None = option(
        None, "Table: the dev file in `data_dir`, if not dev.tsv, .csv, .txt, .jsonl.", decides=BEST
    )
    test_file: str | None = option(
        None, "Table: the test file in `data_dir`, if not test.tsv, .csv, .txt, .jsonl.", decides=NOTHING
    )
    header: bool = option(True, "Table: the first line of a TSV or CSV file names the columns.")
    text_column: str = option("text", "Table: column of the text; a name, or a number counted from 1.")
    text_b_column: str | None = option(None, "Table: column of the second text; text_b where the header has it.")
    label_column: str = option("label", "Table: column of the label.")
    id_column: str | None = option(
        None, "Table: column of an id for predictions; id where the header has it.", decides=NOTHING
    )
    label_kind: str = option(
        "auto",
        "Table: one class, several classes, or a number; auto reads it from the training file.",
        ("auto", "class", "multilabel", "regression"),
    )
    label_separator: str = option("|", "Table: stands between several classes in one field.")
    dev_fraction: float = option(0.0, "Table: take this part of the training file as the dev set, class by class.")
    dev_seed: int = option(0, "Table: fixes which rows `dev_fraction` takes.")

    def file(self, split: str) -> str | None:
        """The name given for the file of a split."""
        return {"train": self.train_file, "dev": self.dev_file, "test": self.test_file}.get(split)
