"""The seam: what a kind of fine-tuning has to say, so that `fine_tune` can train, evaluate and predict with it."""

import abc
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Generic, SupportsFloat, TypeVar

from bert import checkpoint
from bert.config import BertConfig
from bert.flags import FineTuningFlags
from bert.heads import HeadedModel
from bert.input_pipeline import Rewrite
from bert.measures import Measure, Report
from bert.records.rows import Rows
from bert.tasks import labels_file
from bert.tokenization import Tokenizer
from bert.training.outputs import Outputs

AnyReport = TypeVar("AnyReport", bound=Report)  # what a kind judges with


class FineTuning(abc.ABC, Generic[AnyReport]):
    """One kind of fine-tuning, with the files and settings of one run.

    A split is "train", "dev" or "test", and only those of `settings.splits` are asked for. Constructing reads the
    splits' files and raises InputError for whatever can be refused before any work.

    Attributes:
      name: what is learned, for people.
      command: whose run it is, in run.json.
      unit: what an epoch consists of, for messages.
      record_files: split -> name of its record file.
      is_judged_at_the_end: the dev split is evaluated when training is over; False: the command has its own way.
    """

    name: str
    command: ClassVar[str]
    unit: str = "training examples"
    is_judged_at_the_end: ClassVar[bool] = True
    record_files: ClassVar[Mapping[str, str]] = {
        "train": "train.tf_record",
        "dev": "eval.tf_record",
        "test": "predict.tf_record",
    }

    def __init__(self, settings: FineTuningFlags, config: BertConfig, tokenizer: Tokenizer) -> None:
        self.settings, self.config, self.tokenizer = settings, config, tokenizer

    def model_folder(self) -> str:
        """Where the model's labels.json lies: beside `init_checkpoint`, if that is what is judged, not trained.

        Raises InputError for a model there that was trained with another vocabulary or casing; what lies in the output
        folder itself is compared by its owner.
        """
        settings = self.settings
        own = checkpoint.CheckpointFolder(settings.output_dir).latest()
        if settings.do_train or own or not settings.init_checkpoint:
            return settings.output_dir
        folder = os.path.dirname(checkpoint.resolve(settings.init_checkpoint))
        expected = {"vocab_sha256": self.tokenizer.vocabulary.sha256, "do_lower_case": settings.do_lower_case}
        labels_file.check_model(folder, expected, f"`vocab_file`={settings.vocab_file}")
        return folder

    def texts(self) -> Iterable[str]:
        """Texts of all splits, for advice about their language."""
        return ()

    def count(self, split: str) -> int:
        """What an epoch of a split has of `unit`."""
        return len(self.rows(split))

    def identity(self) -> dict[str, object]:
        """What, beside command, config, vocabulary and casing, makes two runs different ones."""
        return {}

    def labels(self) -> dict[str, object] | None:
        """What labels.json is to hold beside lengths and vocabulary; None: no such file."""
        return None

    @abc.abstractmethod
    def build_model(self) -> HeadedModel:
        """The model, made where its variables belong."""

    @abc.abstractmethod
    def rows(self, split: str) -> Rows:
        """The examples of a split as rows for the model."""

    def rewrite(self) -> Rewrite | None:
        """What changes training rows on their way to the model, as `input_pipeline.training_batches` says."""
        return None

    def sizes(self) -> dict[str, int]:
        """The letters of the record kind's declaration beside S: how many labels there are, say."""
        return {}

    @property
    @abc.abstractmethod
    def measures(self) -> Sequence[Measure]:
        """What a report of the dev set holds."""

    @abc.abstractmethod
    def judge(self, split: str, outputs: Outputs) -> AnyReport | None:
        """Compares the model's outputs for the rows of a split with what is right; None where the files do not say."""

    def results(
        self, name: str, report: AnyReport, means: Mapping[str, SupportsFloat], losses: Sequence[Measure]
    ) -> tuple[dict, dict]:
        """The lines of NAME_results.txt: two parts, sorted each. `means` are those of an evaluation, if there was one,
        and `global_step`; `losses` are the terms that training minimises."""
        measures = {f"{name}_{key}": value for key, value in report.measures.items()}
        return {"global_step": means["global_step"], **measures}, {}

    def headline(self, report: AnyReport) -> str:
        """The closing line of an evaluation."""
        return ", ".join(f"{name} {value:.4f}" for name, value in report.measures.items())

    @abc.abstractmethod
    def write_predictions(self, folder: str, outputs: Outputs) -> list[str]:
        """Writes what is predicted for the test split; returns the files' paths."""

    @property
    def test_name(self) -> str:
        """What the files of a judged test split begin with."""
        return "test"
