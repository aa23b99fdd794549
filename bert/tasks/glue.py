"""The four tasks of the original: MRPC, CoLA, MNLI and XNLI, with columns, labels and guids of PARITY 8."""

from typing import ClassVar

from bert.tasks.base import InputExample, Row, Task, register

ENTAILMENT_LABELS = ("contradiction", "entailment", "neutral")


@register
class MRPC(Task):
    """Microsoft Research Paraphrase Corpus: do two sentences say the same (Dolan and Brockett 2005)?"""

    name = "mrpc"
    labels = ("0", "1")

    def example(self, row: Row, split: str) -> InputExample:
        label = None if split == "test" else row[0]
        return InputExample(f"{split}-{row.number}", row[3], row[4], label)


@register
class CoLA(Task):
    """Corpus of Linguistic Acceptability: is a sentence good English (Warstadt et al. 2018)?"""

    name = "cola"
    labels = ("0", "1")
    headers = ("test",)

    def example(self, row: Row, split: str) -> InputExample:
        if split == "test":
            return InputExample(f"test-{row.number}", row[1])
        return InputExample(f"{split}-{row.number}", row[3], label=row[1])


@register
class MNLI(Task):
    """Multi-Genre Natural Language Inference, matched genres (Williams et al. 2018)."""

    name = "mnli"
    labels = ENTAILMENT_LABELS
    file_names: ClassVar = {"train": "train.tsv", "dev": "dev_matched.tsv", "test": "test_matched.tsv"}

    def example(self, row: Row, split: str) -> InputExample:
        set_name = "dev_matched" if split == "dev" else split
        label = None if split == "test" else row[-1]
        return InputExample(f"{set_name}-{row[0]}", row[8], row[9], label)


@register
class XNLI(Task):
    """Cross-lingual Natural Language Inference, the Chinese part (Conneau et al. 2018); it has no test set here."""

    name = "xnli"
    labels = ENTAILMENT_LABELS
    file_names: ClassVar = {"train": "multinli/multinli.train.zh.tsv", "dev": "xnli.dev.tsv"}

    def example(self, row: Row, split: str) -> InputExample | None:
        if split == "train":
            label = "contradiction" if row[2] == "contradictory" else row[2]
            return InputExample(f"train-{row.number}", row[0], row[1], label)
        if row[0] != "zh":
            return None
        return InputExample(f"dev-{row.number}", row[6], row[7], row[1])
