"""The tasks of GLUE and XNLI, as their distributions lie. Columns, labels and guids of the original's four, MRPC, CoLA,
MNLI and XNLI, are those of docs/parity.md 8; the others go by the names in their headers."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from bert.tasks import label_kinds, rows
from bert.tasks.base import InputExample, Task, register
from bert.tasks.rows import Row

logger = logging.getLogger(__name__)

ENTAILMENT_LABELS = ("contradiction", "entailment", "neutral")
TWO_WAY_LABELS = ("entailment", "not_entailment")


@register
class MRPC(Task):
    """Microsoft Research Paraphrase Corpus: do two sentences say the same (Dolan and Brockett 2005)?"""

    name = "mrpc"
    labels = ("0", "1")
    measures = ("accuracy", "f1")
    submission = "MRPC.tsv"

    def example(self, row: Row, split: str) -> InputExample:
        label = None if split == "test" else row[0]
        return InputExample(f"{split}-{row.number}", row[3], row[4], label)


@register
class CoLA(Task):
    """Corpus of Linguistic Acceptability: is a sentence good English (Warstadt et al. 2018)?"""

    name = "cola"
    labels = ("0", "1")
    headers = ("test",)
    measures = ("matthews",)
    submission = "CoLA.tsv"

    def example(self, row: Row, split: str) -> InputExample:
        if split == "test":
            return InputExample(f"test-{row.number}", row[1])
        return InputExample(f"{split}-{row.number}", row[3], label=row[1])


@register
class MNLI(Task):
    """Multi-Genre Natural Language Inference, matched genres (Williams et al. 2018)."""

    name = "mnli"
    labels = ENTAILMENT_LABELS
    file_names: ClassVar[Mapping[str, str]] = {
        "train": "train.tsv",
        "dev": "dev_matched.tsv",
        "test": "test_matched.tsv",
    }
    measures = ("accuracy",)
    submission = "MNLI-m.tsv"

    def example(self, row: Row, split: str) -> InputExample:
        set_name = self.file_names["dev"].removesuffix(".tsv") if split == "dev" else split
        label = None if split == "test" else row[-1]
        return InputExample(f"{set_name}-{row[0]}", row[8], row[9], label)


@register
class MNLIMismatched(MNLI):
    """MNLI judged on genres that its training file has not."""

    name = "mnli-mm"
    file_names: ClassVar = {"train": "train.tsv", "dev": "dev_mismatched.tsv", "test": "test_mismatched.tsv"}
    submission = "MNLI-mm.tsv"


@register
class XNLI(Task):
    """Cross-lingual Natural Language Inference, the Chinese part (Conneau et al. 2018); it has no test set here."""

    name = "xnli"
    labels = ENTAILMENT_LABELS
    file_names: ClassVar = {"train": "multinli/multinli.train.zh.tsv", "dev": "xnli.dev.tsv"}
    measures = ("accuracy",)

    def example(self, row: Row, split: str) -> InputExample | None:
        if split == "train":
            label = "contradiction" if row[2] == "contradictory" else row[2]
            return InputExample(f"train-{row.number}", row[0], row[1], label)
        if row[0] != "zh":
            return None
        return InputExample(f"dev-{row.number}", row[6], row[7], row[1])


class NamedColumns(Task):
    """A task whose header names the columns of its texts and, except in a test file, of its label."""

    texts: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    label_column: ClassVar[str] = "label"
    measures: ClassVar[Sequence[str]] = ("accuracy",)

    def example(self, row: Row, split: str) -> InputExample:
        label = None if split == "test" else row[self.label_column]
        first, *second = (row[name] for name in self.texts)
        return InputExample(f"{split}-{row.number}", first, second[0] if second else None, label)


@register
class SST2(NamedColumns):
    """Stanford Sentiment Treebank in two classes: is a film review good (Socher et al. 2013)?"""

    name = "sst-2"
    labels = ("0", "1")
    texts = ("sentence",)
    submission = "SST-2.tsv"


@register
class STSB(NamedColumns):
    """Semantic Textual Similarity Benchmark: how alike are two sentences, from 0 to 5 (Cer et al. 2017)?"""

    name = "sts-b"
    label_kind = label_kinds.REGRESSION
    label_column = "score"
    measures = ("pearson", "spearman")
    submission = "STS-B.tsv"


@register
class QQP(NamedColumns):
    """Quora Question Pairs: do two questions ask the same (Iyer, Dandekar and Csernai 2017)?"""

    name = "qqp"
    labels = ("0", "1")
    texts = ("question1", "question2")
    label_column = "is_duplicate"
    measures = ("accuracy", "f1")
    submission = "QQP.tsv"

    def rows(self, data_dir: str, split: str) -> Iterator[Row]:
        """The rows of a split; in the training file without those that line ends in a question have broken.

        As distributed it has a few of them, in pieces that are blank or short of columns. One warning tells how many
        lines were left out. In the other files they are errors: of a test set the server wants every row.
        """
        if split != "train":
            yield from super().rows(data_dir, split)
            return
        broken = []
        for row in rows.read(self.path(data_dir, split), has_header=True, keep_empty=True):
            if len(row.columns) >= len(row.header):
                yield row
            else:
                broken.append(row)
        if broken:
            logger.warning(
                "%s: the first of %d lines that are left out, blank or with fewer columns than the %d of the header",
                broken[0].where,
                len(broken),
                len(broken[0].header),
            )


@register
class QNLI(NamedColumns):
    """Question Natural Language Inference: is the answer in the sentence (Rajpurkar et al. 2016, Wang et al. 2018)?"""

    name = "qnli"
    labels = TWO_WAY_LABELS
    texts = ("question", "sentence")
    submission = "QNLI.tsv"


@register
class RTE(NamedColumns):
    """Recognizing Textual Entailment, four yearly challenges together (Dagan et al. 2006, Bentivogli et al. 2009)."""

    name = "rte"
    labels = TWO_WAY_LABELS
    submission = "RTE.tsv"


@register
class WNLI(NamedColumns):
    """Winograd Natural Language Inference: whom does a pronoun mean (Levesque et al. 2012)?"""

    name = "wnli"
    labels = ("0", "1")
    submission = "WNLI.tsv"


@register
class AX(NamedColumns):
    """GLUE's diagnostic set, to be predicted by a model trained on MNLI: it has no training and no dev set."""

    name = "ax"
    labels = ENTAILMENT_LABELS
    file_names: ClassVar = {"test": ("diagnostic.tsv", "AX.tsv", "test.tsv")}
    submission = "AX.tsv"
