"""The one loop: train, save, resume, evaluate, predict, for every model of `heads` and every tf.distribute strategy.

What runs on the devices is `steps`; here is what the program does between two calls of it. A run that is killed at any
moment and started again ends with the same bits: weights and slots come from the last checkpoint, the order of rows and
the dropout masks are functions of seed and step, and the logs are cut back to that checkpoint.
"""

import collections
import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import SupportsFloat, TypeVar

import keras
import numpy as np
import tensorflow as tf

from bert import checkpoint, distribution, reporting
from bert.errors import InputError, Stopped
from bert.heads import HeadedModel, Tensors
from bert.optimization import AdamWeightDecay
from bert.training.interruptions import stop_requests
from bert.training.log import TrainingLog
from bert.training.means import Means
from bert.training.outputs import OutputCollector, Outputs, check_outputs, losses_of_batches
from bert.training.run_folder import RunFolder
from bert.training.selection import Selection
from bert.training.steps import ROW_LOSS, Steps

logger = logging.getLogger(__name__)

SECONDS_PER_CALL = 1.0  # so many steps run in one call as fit into this, iterations_per_loop at most
BATCHES_AHEAD = 4  # are on the devices before the outputs of the first are fetched

Results = TypeVar("Results")


@dataclasses.dataclass(frozen=True)
class Plan:
    """How far to train and where to stop on the way; all numbers are steps."""

    total_steps: int
    save_every: int
    evaluate_every: int = 0  # 0: only at the end, by the command itself
    iterations_per_loop: int = 1000

    def next_stop(self, step: int) -> int:
        """The first step after `step` at which something is to be done between steps."""
        intervals = [every for every in (self.save_every, self.evaluate_every) if every]
        return min(self.total_steps, *(step // every * every + every for every in intervals))

    def evaluates_at(self, step: int) -> bool:
        return bool(self.evaluate_every) and (step % self.evaluate_every == 0 or step == self.total_steps)

    def saves_at(self, step: int) -> bool:
        return step % self.save_every == 0 or step == self.total_steps


class Trainer:
    """A model, where it computes, and its folder; with an optimizer it can train.

    Attributes:
      step: the training steps behind the weights.
      source: what the weights are, for people: a checkpoint's prefix, or the random start.
      after_save: called when a checkpoint was written.
    """

    def __init__(
        self,
        model: HeadedModel,
        strategy: tf.distribute.Strategy,
        folder: RunFolder,
        optimizer: AdamWeightDecay | None = None,
        seed: int = 0,
        accumulation: int = 1,
    ) -> None:
        self.model, self.strategy, self.folder, self.optimizer = model, strategy, folder, optimizer
        if optimizer:
            with strategy.scope():
                optimizer.build(model.trainable_variables)
        self.steps = Steps(model, strategy, optimizer, seed, accumulation)
        self.has_peers = distribution.has_peers(strategy)
        self.step = 0
        self.source = "the random start"
        self.after_save: Callable[[], None] | None = None
        self.evaluations_checksum: int | None = None  # that the restored checkpoint was saved with
        self._saved_step: int | None = None  # of the checkpoint that holds the present weights

    def variables(self) -> dict[str, keras.Variable]:
        """Checkpoint name -> model variable, those that are not trained included."""
        return {variable.path: variable for variable in self.model.weights}

    def restore(self, checkpoints: checkpoint.CheckpointFolder | None = None) -> str | None:
        """Takes up the newest whole checkpoint of the folder (weights, step, and slots where training goes on).

        Returns its prefix, None where there is none. A damaged one is logged and the one before it taken. Raises
        InputError where all are damaged, or the checkpoint is of another model.
        """
        checkpoints = checkpoints or self.folder.checkpoints
        damaged = None
        for prefix in checkpoints.candidates():
            try:
                self._restore(prefix)
            except checkpoint.Damaged as error:
                logger.warning("%s; trying the checkpoint before it.", error)
                damaged = error
            else:
                self.source, self._saved_step = prefix, self.step
                return prefix
        if damaged:
            raise InputError(f"no whole checkpoint left: {damaged}")
        return None

    def _restore(self, prefix: str) -> None:
        shapes = checkpoint.read_shapes(prefix)
        wanted = self.variables()
        missing = [name for name in wanted if name not in shapes]
        if missing:
            raise InputError(f"{prefix}: lacks '{missing[0]}' ({len(missing)} in all): the folder holds another run")
        checkpoint.check_shapes(wanted, shapes, prefix)
        if self.optimizer:
            wanted |= {name: slot for name, slot in self.optimizer.slots().items() if name in shapes}
        state = [name for name in (checkpoint.GLOBAL_STEP, checkpoint.EVALUATIONS_CHECKSUM) if name in shapes]
        values = checkpoint.read_values(prefix, state)
        for name, value in checkpoint.each_value(prefix, wanted):
            wanted[name].assign(value)
        self.step = int(values.get(checkpoint.GLOBAL_STEP, 0))
        checksum = values.get(checkpoint.EVALUATIONS_CHECKSUM)
        self.evaluations_checksum = None if checksum is None else int(checksum)
        if self.optimizer:
            self.optimizer.iterations.assign(self.step)

    def save(self, selection: Selection | None = None) -> None:
        """Writes a checkpoint of the current step, once; only the chief does."""
        if self.folder.is_chief and self._saved_step != self.step:
            values = self.saved_values()
            if selection:
                values[checkpoint.EVALUATIONS_CHECKSUM] = np.array(selection.checksum, np.int64)
            self.source = self.folder.checkpoints.save(self.step, values)
            self._saved_step = self.step
            if self.after_save:
                self.after_save()

    def saved_values(self) -> dict[str, object]:
        """Name -> value of what a checkpoint holds but the step: weights, and slots where there is an optimizer."""
        slots = self.optimizer.slots() if self.optimizer else {}
        return _tensors({**self.variables(), **slots})

    def train(
        self,
        batches: tf.data.Dataset,
        plan: Plan,
        evaluate: Callable[[], Mapping[str, SupportsFloat]] | None = None,
        selection: Selection | None = None,
        describe_records: Callable[[Iterable[int]], str] = str,
    ) -> None:
        """Trains from the current step to the plan's last, or until the selection has seen enough.

        `batches` begins with the batch of the current step. `evaluate` gives what `selection` chooses by. Raises
        Stopped, after saving, on SIGTERM and Ctrl-C, and InputError on a loss that is no number.
        """
        iterator = iter(distribution.distribute(self.strategy, batches))
        self.steps.optimizer.note_touched_rows()
        log = TrainingLog(self.folder, self.step, plan.total_steps, self.model.reported, describe_records)
        if selection and evaluate:
            self.catch_up(plan, evaluate, selection)
        with stop_requests() as requests, log:
            count = 1
            while self.step < plan.total_steps and not (selection and selection.has_seen_enough):
                count = min(count, plan.next_stop(self.step) - self.step)
                began = time.monotonic()
                rows = {name: value.numpy() for name, value in self.steps.train(iterator, tf.constant(count)).items()}
                seconds = time.monotonic() - began
                log.add(rows, seconds, last_good=self.source)
                self.step += count
                if requests:
                    self.save(selection)
                    raise Stopped(requests[0], f"saved step {self.step} of {plan.total_steps} as {self.source}")
                # Evaluation first: a run that goes on from this step's checkpoint has its evaluation already.
                if selection and evaluate and plan.evaluates_at(self.step):
                    self._select(evaluate(), selection)
                if plan.saves_at(self.step):
                    self.save(selection)
                if not self.has_peers:  # workers must make the same calls, and clocks differ
                    count = int(np.clip(SECONDS_PER_CALL * count / seconds, 1, plan.iterations_per_loop))
        if selection and selection.has_seen_enough:
            self.save(selection)
            logger.info("Stopping early at step %d: %s.", self.step, selection.reason)

    def catch_up(self, plan: Plan, evaluate: Callable[[], Mapping[str, SupportsFloat]], selection: Selection) -> None:
        """Evaluates at the step of the restored checkpoint, should that be missing: a request to stop saves at once,
        before an evaluation that may take long."""
        if self.step and plan.evaluates_at(self.step) and not selection.has(self.step):
            self._select(evaluate(), selection)
            self._saved_step = None  # its checkpoint does not know of the evaluation

    def _select(self, results: Mapping[str, SupportsFloat], selection: Selection) -> None:
        if selection.add(self.step, results) and self.folder.is_chief:
            self.folder.best.save(self.step, _tensors(self.variables()))

    def evaluate(
        self, batches: tf.data.Dataset, total: int | None = None, kept: int | None = None
    ) -> tuple[dict[str, np.float32], Outputs]:
        """Means over all rows of every loss term and measure, and `loss`, the plain mean of the batches' losses, where
        an evaluation of the model has one; and, where a batch size `kept` is given, the outputs for every record.

        Where rows have losses of their own, the batches of `loss` are then those of so many records, one after the
        other as they lie in the files, however they travelled.
        """
        means, losses, told, collector = Means(), [], 0.0, OutputCollector(self.folder.path)
        progress = reporting.Progress("Evaluating", total, unit="batches")
        evaluate = functools.partial(self.steps.evaluate, keep_outputs=kept is not None)
        for pairs, loss, outputs in self._results(evaluate, batches):
            means.add({name: (pair.sum.numpy(), pair.weight.numpy()) for name, pair in pairs.items()})
            values = [value.numpy() for value in loss]  # none or one
            losses += values
            told += float(sum(values))
            if kept:
                collector.add(outputs)
            progress.advance(1, {"loss": told / len(losses)} if losses else {})
        progress.close()
        check_outputs(self.folder.path, "losses", np.array(losses))
        ordered = collector.in_order()
        if kept and ROW_LOSS in ordered:
            losses = losses_of_batches(ordered.pop(ROW_LOSS), kept)
        mean = {"loss": np.float32(np.mean(losses))} if losses else {}
        return {**means.values(), **mean}, ordered

    def predict(self, batches: tf.data.Dataset, total: int | None = None) -> Outputs:
        """The model's outputs for every record, in the order of the files whatever the order of the batches."""
        collector = OutputCollector(self.folder.path)
        progress = reporting.Progress("Predicting", total, unit="batches")
        for outputs in self._results(self.steps.predict, batches):
            collector.add(outputs)
            progress.advance(1)
        progress.close()
        return collector.in_order()

    def _results(self, step: Callable[[Tensors], Results], batches: tf.data.Dataset) -> Iterator[Results]:
        """What a step gives for each batch, in their order, some batches later: a device that takes up work before the
        last is done need not wait for the host."""
        waiting: collections.deque[Results] = collections.deque()
        for batch in distribution.distribute(self.strategy, batches):
            waiting.append(step(batch))
            if len(waiting) > BATCHES_AHEAD:
                yield waiting.popleft()
        yield from waiting


def _tensors(variables: Mapping[str, keras.Variable]) -> dict[str, object]:
    """Name -> the variable's tensor, of which no copy is made."""
    return {name: variable.value for name, variable in variables.items()}
