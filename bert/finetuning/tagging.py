"""Fine-tuning on a tag for every word of a sentence."""

import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import SupportsFloat

import numpy as np

from bert import files
from bert.config import BertConfig
from bert.errors import InputError
from bert.finetuning.base import FineTuning
from bert.flags import FineTuningFlags
from bert.heads import HeadedModel, TokenClassifier
from bert.measures import Measure
from bert.options.tagging import TaggingOptions
from bert.tasks import labels_file
from bert.tasks.tagging import decoding, evaluation, schemes, windows
from bert.tasks.tagging.conll import Tagging as TaggingTask
from bert.tasks.tagging.schemes import Order
from bert.tokenization import Tokenizer
from bert.training.outputs import Outputs

logger = logging.getLogger(__name__)


class Tagging(FineTuning[evaluation.Report]):
    """Sentences of CoNLL-style files."""

    command = "run_tagger"
    unit = "training rows"
    name = "tagging"

    def __init__(
        self, options: TaggingOptions, settings: FineTuningFlags, config: BertConfig, tokenizer: Tokenizer
    ) -> None:
        super().__init__(settings, config, tokenizer)
        self.task = TaggingTask(options.token_column, options.tag_column, options.scheme)
        folder = self.model_folder()
        self.task.prepare(options.data_dir, folder, settings.splits)
        if folder != settings.output_dir:  # what lies in the output folder itself is compared by its owner
            labels_file.check_model(folder, {"scheme": self.task.scheme}, f"`scheme`={options.scheme}")
        texts = {split: self.task.sentences(options.data_dir, split) for split in settings.splits}
        self.order = self._order() if options.constrained_decoding else None
        self.windows = {
            split: windows.build(text, self.task.labels, tokenizer, settings.max_seq_length)
            for split, text in texts.items()
        }
        self._log_scheme()

    def texts(self) -> Iterator[str]:
        return (word for rows in self.windows.values() for word in rows.text.words)

    def count(self, split: str) -> int:
        return len(self.windows[split])

    def identity(self) -> dict[str, object]:
        return {"labels": list(self.task.labels), "scheme": self.task.scheme}

    def labels(self) -> dict[str, object]:
        return {**self.task.labels_content(), "scheme": self.task.scheme}

    def sizes(self) -> dict[str, int]:
        return {"C": len(self.task.labels)}

    def build_model(self) -> HeadedModel:
        return TokenClassifier(self.config, len(self.task.labels))

    def rows(self, split: str) -> windows.SentenceWindows:
        return self.windows[split]

    @property
    def measures(self) -> Sequence[Measure]:
        return evaluation.measures(self.task.scheme)

    def judge(self, split: str, outputs: Outputs) -> evaluation.Report | None:
        rows = self.windows[split]
        tags, label_ids = rows.text.tags, rows.label_ids
        if tags is None or label_ids is None:
            logger.info("%s has no tags: nothing to evaluate.", rows.text.path)
            return None
        scores = rows.scores(outputs["logits"])
        report = evaluation.evaluate(tags, self._tags(split, scores), rows.text.splits, self.task.scheme)
        return dataclasses.replace(report, loss=evaluation.cross_entropy(scores, label_ids))

    def results(
        self, name: str, report: evaluation.Report, means: Mapping[str, SupportsFloat], losses: Sequence[Measure]
    ) -> tuple[dict, dict]:
        """The loss is the mean over words, not over batches."""
        results, _ = super().results(name, report, means, losses)
        return {**results, f"{name}_loss": report.loss}, {}

    def write_predictions(self, folder: str, outputs: Outputs) -> list[str]:
        """Writes test_predictions.txt: test.txt with one column more."""
        rows = self.windows["test"]
        path = os.path.join(folder, "test_predictions.txt")
        files.write_text(path, rows.text.with_column(self._tags("test", rows.scores(outputs["logits"]))))
        return [path]

    def _tags(self, split: str, scores: np.ndarray) -> list[str]:
        """The tag of every word, from scores [T, C]."""
        found = decoding.decode(scores, self.windows[split].text.splits, self.order)
        return [self.task.labels[label] for label in found]

    def _order(self) -> Order:
        """The order that constrained decoding keeps to. Raises InputError where there is none."""
        if self.task.scheme == "plain":
            raise InputError(
                "`constrained_decoding` needs tags of BIO or BIOES, but these are plain: any may follow any"
            )
        order = Order.of(self.task.labels, self.task.scheme)
        order.check(self.task.labels)
        unused = [self.task.labels[label] for label in order.out_of_reach()]
        if unused:
            logger.warning("With `constrained_decoding` no sentence can have the tags %s.", ", ".join(unused))
        return order

    def _log_scheme(self) -> None:
        """Logs the scheme, and what in the training file, if there is one, is against it."""
        labels, scheme = self.task.labels, self.task.scheme
        logger.info("%d labels, scheme %s.", len(labels), scheme)
        odd = [label for label in labels if not schemes.fits(label, "bioes")]
        if scheme == "plain" and 0 < len(odd) <= len(labels) / 2:
            logger.warning("The tags are taken as plain, each for itself: %s is none of BIO or BIOES.", odd[0])
        if "train" not in self.windows:
            return
        train = self.windows["train"]
        splits = train.text.splits
        assert train.label_ids is not None  # only a test file may have no tags
        wrong = np.flatnonzero(~Order.of(labels, scheme).is_well_formed(train.label_ids, splits))
        if len(wrong):
            logger.warning(
                "The tags of %d of %d sentences are not well-formed %s; the first begins at %s.",
                len(wrong),
                len(splits) - 1,
                scheme.upper(),
                train.text.where(splits[wrong[0]]),
            )
