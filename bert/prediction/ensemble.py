"""Several trained classifiers as one: the mean of their probabilities, judged and written as those of one are.

Shapes: W rows, E examples (of which one may have several rows), C classes.
"""

import dataclasses
import logging
from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np

from bert import checkpoint, files, stored_model
from bert.errors import InputError
from bert.finetuning.classification import Classification
from bert.finetuning.fine_tune import write_report
from bert.flags import FineTuningFlags
from bert.measures import Measure
from bert.options.classification import ClassificationOptions
from bert.prediction.forward import Forward, TensorFlowForward
from bert.reporting import Progress
from bert.stored_model import StoredModel
from bert.tokenization import Tokenizer
from bert.training.run_folder import RunFolder

logger = logging.getLogger(__name__)

LOSS = Measure("loss", higher_is_better=False)  # that of the mean probabilities
ROWS_AT_ONCE = 1024  # so that memory does not grow with the number of rows


@dataclasses.dataclass(frozen=True)
class Member:
    """One of the models, and the task as it reads it."""

    stored: StoredModel
    task: Classification

    @property
    def step(self) -> int:
        """The training steps behind its weights, 0 where its checkpoint does not say."""
        name, weights = checkpoint.GLOBAL_STEP, self.stored.weights
        return int(checkpoint.read_values(weights, [name])[name]) if name in checkpoint.read_shapes(weights) else 0

    def probabilities(self) -> dict[str, np.ndarray]:
        """Split -> what is predicted for each of its examples, float32 [E, C]."""
        forward = TensorFlowForward(self.stored.build())
        return {split: self._probabilities(forward, split) for split in self.task.settings.splits}

    def _probabilities(self, forward: Forward, split: str) -> np.ndarray:
        rows = self.task.rows(split)
        progress = Progress(f"{self.stored.folder}: {split}", len(rows), unit="rows")
        logits = []  # [C] each
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            end = min(begin + ROWS_AT_ONCE, len(rows))
            logits += forward(rows.features(begin, end))["logits"]
            progress.advance(end - begin)
        progress.close()
        return self.task.probabilities(split, {"logits": logits})


def run(options: ClassificationOptions, settings: FineTuningFlags, folders: Sequence[str]) -> None:
    """Evaluates and predicts, as the settings ask for, with the models of all folders; the files go to `output_dir`.

    Raises InputError for a folder without a classifier, for models whose labels are not the same in the same order, and
    for an `output_dir` in which a run lies.
    """
    files.check_folder(settings.output_dir, "output_dir")
    if RunFolder(settings.output_dir).content():
        raise InputError(f"`output_dir`={settings.output_dir} holds a run, expected a folder for the ensemble alone")
    members = [open_member(folder, options, settings) for folder in folders]
    for member in members[1:]:
        _check_labels(members[0], member)
    logger.info("The mean of %d models: %s", len(members), ", ".join(folders))
    parts = [member.probabilities() for member in members]
    mean = {split: np.stack([part[split] for part in parts]).mean(axis=0) for split in settings.splits}  # [E, C]
    files.make_folder(settings.output_dir)
    with files.locked_folder(settings.output_dir):
        _write(settings, members, mean)


def open_member(folder: str, options: ClassificationOptions, settings: FineTuningFlags) -> Member:
    """Reads a model, and the task's examples as that model does. Raises InputError as `run` says."""
    stored = stored_model.read(folder, flag="ensemble")
    if stored.kind != stored_model.CLASSIFICATION:
        raise InputError(f"`ensemble`: {folder} holds a model for {stored.kind}, expected one for classification")
    _check_run(stored, options, settings.do_eval)
    labels = stored.labels or {}
    reading = {name: labels[name] for name in ("truncation", "long_text") if name in labels}
    own = dataclasses.replace(
        settings, output_dir=folder, max_seq_length=stored.max_seq_length, do_lower_case=stored.do_lower_case
    )
    tokenizer = Tokenizer(stored.vocabulary, stored.do_lower_case)
    return Member(stored, Classification(dataclasses.replace(options, **reading), own, stored.config, tokenizer))


def _check_run(stored: StoredModel, options: ClassificationOptions, do_eval: bool) -> None:
    """Raises InputError where the model learned another task, or some of the rows to evaluate."""
    for name in ("task_name", *(("dev_fraction", "dev_seed") if do_eval else ())):
        ours = getattr(options, name)
        if str(stored.settings.get(name, ours)).lower() != str(ours).lower():
            raise InputError(
                f"`ensemble`: {stored.folder} was trained with `{name}`={stored.settings[name]}, this run has {ours}"
            )


def _check_labels(first: Member, other: Member) -> None:
    named = [(member.task.label_kind.name, member.task.labels_in_order) for member in (first, other)]
    if named[0] != named[1]:
        told = [member.task.label_kind.described(member.task.labels_in_order) for member in (first, other)]
        raise InputError(
            f"`ensemble`: {other.stored.folder} has labels {told[1]}, {first.stored.folder} has labels {told[0]}; "
            "expected the same in the same order"
        )


def _write(settings: FineTuningFlags, members: Sequence[Member], probabilities: dict[str, np.ndarray]) -> None:
    task, kind = members[0].task, members[0].task.label_kind
    if settings.do_eval:
        loss = np.float32(kind.loss(task.label_ids("dev"), probabilities["dev"]))
        means: dict[str, SupportsFloat] = {"global_step": max(member.step for member in members), "loss": loss}
        report = task.report("dev", probabilities["dev"])
        folders = [member.stored.folder for member in members]
        write_report(settings.output_dir, task, "eval", report, means, (LOSS,), ensemble=folders)
    if settings.do_predict:
        paths = task.write_probabilities(settings.output_dir, probabilities["test"])
        logger.info("Wrote the predictions to %s", " and ".join(paths))
