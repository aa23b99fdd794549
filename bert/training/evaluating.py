"""Evaluations and predictions of a run: what it is judged on and by, from the records to the measures."""

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from typing import SupportsFloat

import numpy as np
import tensorflow as tf

from bert import distribution, measures
from bert.errors import InputError
from bert.flags import EvaluationFlags
from bert.input_pipeline import RecordSet, evaluation_batches
from bert.measures import Measure, Report
from bert.training.loop import Trainer
from bert.training.outputs import Outputs

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a run is evaluated on: every record once, or the first `max_batches` batches of them.

    `judge` makes a report of the model's outputs for the records, in their order; `judged` are its measures. With
    `length_grouping` records of like length share a batch, and `loss`, the mean over batches, is that of those; but
    where there is a `judge` and the model's rows have losses of their own, it is that of the batches of the file.
    """

    record_set: RecordSet
    batch_size: int
    max_batches: int | None = None
    judge: Callable[[Outputs], Report | None] | None = None
    judged: Sequence[Measure] = ()
    length_grouping: bool = False

    @property
    def batch_count(self) -> int:
        whole = math.ceil(self.record_set.count / self.batch_size)
        return whole if self.max_batches is None else min(whole, self.max_batches)

    def batches(self, strategy: tf.distribute.Strategy) -> tf.data.Dataset:
        """The batches to evaluate."""
        cut = not distribution.is_tpu(strategy)
        batches = evaluation_batches(self.record_set, self.batch_size, cut=cut, length_grouping=self.length_grouping)
        return batches.take(self.batch_count)


def evaluated_measures(trainer: Trainer, evaluation: Evaluation) -> dict[str, Measure]:
    """What an evaluation tells, by name: the losses, the measures of the model, and those of the report."""
    losses = trainer.model.declared_losses
    known = [measures.total(losses), *losses, *trainer.model.declared_measures, *evaluation.judged]
    return {measure.name: measure for measure in known}


def deciding_measure(trainer: Trainer, settings: EvaluationFlags, evaluation: Evaluation) -> Measure:
    """That of `best_metric`. Raises InputError for one that the evaluations will not have."""
    by_name = evaluated_measures(trainer, evaluation)
    if settings.best_metric not in by_name:
        raise InputError(f"`best_metric` is '{settings.best_metric}', expected one of {', '.join(sorted(by_name))}")
    return by_name[settings.best_metric]


def _evaluated(trainer: Trainer, evaluation: Evaluation) -> tuple[dict[str, np.float32], Report | None]:
    batches, judge = evaluation.batches(trainer.strategy), evaluation.judge
    with evaluation.record_set.faults_named():
        kept = evaluation.batch_size if judge else None
        means, outputs = trainer.evaluate(batches, evaluation.batch_count, kept)
    return means, judge(outputs) if judge else None


def values(trainer: Trainer, evaluation: Evaluation) -> dict[str, SupportsFloat]:
    """What a checkpoint can be chosen by: means and the measures of the report."""
    means, report = _evaluated(trainer, evaluation)
    return {**means, **(report.measures if report else {})}


def evaluate(trainer: Trainer, evaluation: Evaluation) -> tuple[dict[str, SupportsFloat], Report | None]:
    """For the checkpoint the trainer stands at: means by name, with `loss` and `global_step`, and the report."""
    count, total = evaluation.record_set.count, evaluation.batch_count
    evaluated = min(count, total * evaluation.batch_size)
    if evaluated < count:
        logger.info("  Only %d of %d records are evaluated (`max_eval_steps`).", evaluated, count)
    logger.info("***** Running evaluation *****")
    logger.info("  Num examples = %d", evaluated)
    logger.info("  Batch size = %d", evaluation.batch_size)
    logger.info("  Checkpoint = %s", trainer.source)
    means, report = _evaluated(trainer, evaluation)
    return {**means, "global_step": trainer.step}, report


def predict(trainer: Trainer, record_set: RecordSet, batch_size: int) -> Outputs:
    """The model's outputs for every record, in the order of the files, however they shared batches."""
    logger.info("***** Running prediction *****")
    logger.info("  Num examples = %d", record_set.count)
    logger.info("  Batch size = %d", batch_size)
    cut = not distribution.is_tpu(trainer.strategy)
    batches = evaluation_batches(record_set, batch_size, cut=cut, length_grouping=True)
    with record_set.faults_named():
        return trainer.predict(batches, math.ceil(record_set.count / batch_size))
