"""Fine-tuning on the place of an answer in a document (SQuAD 1.1 and 2.0, CMRC 2018)."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, SupportsFloat

from bert.config import BertConfig
from bert.errors import InputError
from bert.finetuning.base import FineTuning
from bert.flags import FineTuningFlags
from bert.heads import HeadedModel, SpanModel
from bert.measures import Measure
from bert.options.questions import QuestionOptions
from bert.tasks.squad import answers, evaluation, examples, windows
from bert.tokenization import Tokenizer
from bert.training.outputs import Outputs

logger = logging.getLogger(__name__)


class QuestionAnswering(FineTuning[evaluation.Report]):
    """Questions about documents, in SQuAD's files."""

    command = "run_squad"
    unit = "training questions"
    name = "question answering"
    # The original calls the records of the file to predict eval.tf_record (docs/parity.md 3).
    record_files: ClassVar = {"train": "train.tf_record", "dev": "dev.tf_record", "test": "eval.tf_record"}

    def __init__(
        self, options: QuestionOptions, settings: FineTuningFlags, config: BertConfig, tokenizer: Tokenizer
    ) -> None:
        super().__init__(settings, config, tokenizer)
        self.options = options
        if config.type_vocab_size < 2:
            raise InputError(
                f"`bert_config_file`={settings.bert_config_file}: type_vocab_size is {config.type_vocab_size}, "
                "expected at least 2: question and document are two segments"
            )
        self.examples = {split: self._read(split) for split in settings.splits}
        self._windows: dict[str, windows.QuestionWindows] = {}
        self._answered: tuple[Outputs, dict[str, answers.Answers]] | None = None

    def texts(self) -> Iterator[str]:
        return (example.question for part in self.examples.values() for example in part)

    def count(self, split: str) -> int:
        return len(self.examples[split])

    def build_model(self) -> HeadedModel:
        return SpanModel(self.config)

    def rows(self, split: str) -> windows.QuestionWindows:
        if split not in self._windows:
            self._windows[split] = windows.build(
                self.examples[split],
                self.tokenizer,
                self.settings.max_seq_length,
                self.options.doc_stride,
                self.options.max_query_length,
                with_answers=split != "test",
            )
        return self._windows[split]

    @property
    def measures(self) -> Sequence[Measure]:
        return evaluation.MEASURES

    def judge(self, split: str, outputs: Outputs) -> evaluation.Report | None:
        if not examples.has_references(self.examples[split]):
            logger.info("%s has no answers: nothing to evaluate.", self._file(split))
            return None
        found = self._answers(split, outputs)
        texts = {name: given.text for name, given in found.items()}
        odds = {name: given.null_odds for name, given in found.items() if given.null_odds is not None}
        best_texts = {name: given.best for name, given in found.items()}
        return evaluation.report(self.examples[split], texts, self.options.metric, odds, best_texts)

    def results(
        self, name: str, report: evaluation.Report, means: Mapping[str, SupportsFloat], losses: Sequence[Measure]
    ) -> tuple[dict, dict]:
        """The names of the official evaluation scripts."""
        loss = {"loss": means["loss"]} if "loss" in means else {}
        return {**report.official, **loss, "global_step": means["global_step"]}, {}

    def write_predictions(self, folder: str, outputs: Outputs) -> list[str]:
        """Writes predictions.json, nbest_predictions.json and, for SQuAD 2.0, null_odds.json."""
        return answers.write(folder, self._answers("test", outputs))

    @property
    def test_name(self) -> str:
        """eval, unless the dev split's files have that name."""
        return "test" if self.settings.do_eval else "eval"

    def _read(self, split: str) -> list[examples.Example]:
        path = self._file(split)
        if split == "train":
            return examples.read_training(path, self.options.version_2_with_negative)
        found = examples.read_prediction(path, locate_answers=split == "dev")
        if split == "dev" and not examples.has_references(found):
            raise InputError(f"`dev_file`={path} has no answers: nothing to evaluate")
        return found

    def _file(self, split: str) -> str:
        files = {"train": self.options.train_file, "dev": self.options.dev_file, "test": self.options.predict_file}
        return files[split] or ""

    def _answers(self, split: str, outputs: Outputs) -> dict[str, answers.Answers]:
        """Answers by question id; the last are kept, since predictions are written and then judged."""
        if self._answered is None or self._answered[0] is not outputs:
            self._answered = outputs, self._find_answers(split, outputs)
        return self._answered[1]

    def _find_answers(self, split: str, outputs: Outputs) -> dict[str, answers.Answers]:
        rows = self.rows(split)
        found = answers.answer_all(
            rows, outputs["start_logits"], outputs["end_logits"], self.options, self.settings.verbose_logging
        )
        return {example.id: given for example, given in zip(rows.examples, found, strict=True)}
