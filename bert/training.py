"""The one loop: train, save, resume, evaluate, predict, for every model of `heads` and every tf.distribute strategy.

What runs on the devices is `steps`; here is what the program does between two calls of it. A run that is killed at any
moment and started again ends with the same bits: weights and slots come from the last checkpoint, the order of rows and
the dropout masks are functions of seed and step, and the logs are cut back to that checkpoint.
"""

import contextlib
import dataclasses
import logging
import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from bert import checkpoint, distribution, reporting
from bert.errors import InputError, Stopped
from bert.heads import Model
from bert.metrics import Means
from bert.optimization import AdamWeightDecay
from bert.selection import Selection
from bert.steps import REAL, UNSEEN, Steps
from bert.tensorboard import EventFile

logger = logging.getLogger(__name__)

SECONDS_PER_CALL = 1.0  # so many steps run in one call as fit into this, iterations_per_loop at most


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


class Trainer:
    """A model, where it computes, and the folder of its checkpoints.

    `output_dir` is where this process may write: the folder itself for the chief, a folder to forget for other workers.
    """

    def __init__(self, model: Model, strategy: tf.distribute.Strategy, folder: str, seed: int = 0):
        self.model, self.strategy, self.seed = model, strategy, seed
        self.is_chief, self.has_peers = distribution.is_chief(strategy), distribution.has_peers(strategy)
        self.output_dir = folder if self.is_chief else distribution.folder_to_forget()
        self.checkpoints = checkpoint.CheckpointFolder(folder)
        self.optimizer: AdamWeightDecay | None = None
        self.steps = Steps(model, strategy)
        self.step = 0
        self.source = "the random start"  # what the weights are, for the closing line

    def variables(self) -> dict[str, object]:
        """Checkpoint name -> model variable, those that are not trained included."""
        return {variable.path: variable for variable in self.model.weights}

    def build_optimizer(self, optimizer: AdamWeightDecay, accumulation: int = 1) -> None:
        with self.strategy.scope():
            optimizer.build(self.model.trainable_variables)
        self.optimizer = optimizer
        self.steps = Steps(self.model, self.strategy, optimizer, self.seed, accumulation)

    def restore(self, checkpoints: checkpoint.CheckpointFolder | None = None) -> str | None:
        """Takes up the newest whole checkpoint of the folder (weights, step, and slots where training goes on).

        Returns its prefix, None where there is none. A damaged one is told and the one before it taken. Raises
        InputError where all are damaged, or the checkpoint is of another model.
        """
        checkpoints = checkpoints or self.checkpoints
        damaged = None
        for prefix in checkpoints.candidates():
            try:
                self._restore(prefix)
            except checkpoint.Damaged as error:
                logger.warning("%s; trying the checkpoint before it.", error)
                damaged = error
            else:
                self.source = prefix
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
        step = [checkpoint.GLOBAL_STEP] if checkpoint.GLOBAL_STEP in shapes else []
        values = checkpoint.read_values(prefix, [*wanted, *step])
        for name, variable in wanted.items():
            variable.assign(values[name])
        self.step = int(values.get(checkpoint.GLOBAL_STEP, 0))
        if self.optimizer:
            self.optimizer.iterations.assign(self.step)

    def save(self) -> None:
        """Writes a checkpoint of the current step, once; only the chief does."""
        if self.is_chief and self.source != self.checkpoints.prefix(self.step):
            self.source = self.checkpoints.save(self.step, _values({**self.variables(), **self.optimizer.slots()}))

    def train(
        self,
        batches: tf.data.Dataset,
        plan: Plan,
        evaluate: Callable[[], Mapping[str, float]] | None = None,
        selection: Selection | None = None,
        describe_records: Callable[[Iterable[int]], str] = str,
    ) -> None:
        """Trains from the current step to the plan's last, or until the selection has seen enough.

        `batches` begins with the batch of the current step. `evaluate` gives what `selection` chooses by. Raises
        Stopped, after saving, on SIGTERM and Ctrl-C, and InputError on a loss that is no number.
        """
        iterator = iter(self._distributed(batches))
        told = _Told(self, plan, describe_records)
        with stop_requests() as requests, told:
            count = 1
            while self.step < plan.total_steps and not (selection and selection.has_seen_enough):
                stop = plan.next_stop(self.step)
                count = min(count, stop - self.step)
                began = time.monotonic()
                rows = {name: value.numpy() for name, value in self.steps.train(iterator, tf.constant(count)).items()}
                seconds = time.monotonic() - began
                told.tell(rows, seconds)
                self.step += count
                if requests:
                    self.save()
                    raise Stopped(requests[0], f"saved step {self.step} of {plan.total_steps} as {self.source}")
                # Evaluation first: a run that goes on from this step's checkpoint has its evaluation already.
                if plan.evaluate_every and (self.step % plan.evaluate_every == 0 or self.step == plan.total_steps):
                    self._select(evaluate(), selection)
                if self.step % plan.save_every == 0 or self.step == plan.total_steps:
                    self.save()
                if not self.has_peers:  # workers must make the same calls, and clocks differ
                    count = int(np.clip(SECONDS_PER_CALL * count / seconds, 1, plan.iterations_per_loop))
        if selection and selection.has_seen_enough:
            self.save()
            logger.info("Stopping early at step %d: %s.", self.step, selection.reason)

    def _select(self, results: Mapping[str, float], selection: Selection) -> None:
        if selection.add(self.step, results) and self.is_chief:
            selection.checkpoints.save(self.step, _values(self.variables()))

    def evaluate(
        self,
        batches: tf.data.Dataset,
        total: int | None = None,
        score: Callable[[Sequence[dict[str, np.ndarray]]], Mapping[str, float]] | None = None,
    ) -> dict[str, float]:
        """Means over all rows of every loss term and measure, and `loss`, the plain mean of the batches' losses.

        `score` is given the model's outputs, a dict of rows a batch, in order; what it returns is added.
        """
        means, losses, kept = Means(), [], []
        progress = reporting.Progress("Evaluating", total, unit="batches")
        for batch in self._distributed(batches):
            pairs, loss, outputs = self.steps.evaluate(batch, keep_outputs=score is not None)
            means.add({name: (pair.sum.numpy(), pair.weight.numpy()) for name, pair in pairs.items()})
            losses.append(loss.numpy())
            if score:
                kept.append(_real_rows(outputs))
            progress.advance(1, {"loss": float(np.mean(losses))})
        progress.close()
        results = {**means.values(), "loss": np.float32(np.mean(losses))}
        if score:
            results |= score(kept)
        return results

    def predict(self, batches: tf.data.Dataset, total: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yields the model's outputs, a dict of rows a batch; rows that only fill a batch are left out."""
        progress = reporting.Progress("Predicting", total, unit="batches")
        for batch in self._distributed(batches):
            yield _real_rows(self.steps.predict(batch))
            progress.advance(1)
        progress.close()

    def _distributed(self, batches: tf.data.Dataset):
        return distribution.distribute(self.strategy, batches)


class _Told:
    """What a training run tells step by step: the progress line, metrics.jsonl, TensorBoard's event file."""

    def __init__(self, trainer: Trainer, plan: Plan, describe_records: Callable[[Iterable[int]], str]):
        self.trainer, self.describe_records = trainer, describe_records
        self.log = reporting.StepLog(trainer.output_dir, trainer.step)
        self.events = EventFile(trainer.output_dir, trainer.step)
        self.progress = reporting.Progress("Training", plan.total_steps, start=trainer.step)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.progress.close()
        self.events.close()

    def tell(self, rows: dict[str, np.ndarray], seconds: float) -> None:
        records = rows.pop("record")  # [count, B]
        for index, loss in enumerate(rows["loss"]):
            step = self.trainer.step + index + 1
            values = {name: float(values[index]) for name, values in rows.items()}
            if not math.isfinite(loss):
                raise InputError(
                    f"step {step}: the loss is {loss} (learning rate {values['learning_rate']:.3g}, gradient norm "
                    f"{values['gradient_norm']:.3g}); a lower --learning_rate may help; last good: "
                    f"{self.trainer.source}; the batch: {self.describe_records(records[index])}"
                )
            self.log.write(step, values)
        self.log.flush()
        speeds = {f"{name}/s": float(rows[name].sum() / seconds) for name in ("examples", "tokens")}
        self.events.write(step, {**values, **speeds})
        shown = {name: float(np.mean(values)) for name, values in rows.items() if name not in UNSEEN}
        shown["learning_rate"] = values["learning_rate"]
        self.progress.advance(len(rows["loss"]), {**shown, **speeds, **distribution.peak_memory()})


def _real_rows(outputs: Mapping[str, tf.Tensor]) -> dict[str, np.ndarray]:
    """Without the rows that only fill a batch."""
    real = outputs[REAL].numpy() > 0
    return {name: value.numpy()[real] for name, value in outputs.items() if name != REAL}


def _values(variables: Mapping[str, object]) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in variables.items()}


@contextlib.contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collects SIGTERM and SIGINT in the list it gives, instead of dying of them; a second one is fatal as ever."""
    requests: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def request(number, _):
        requests.append(number)
        signal.signal(number, before[number])

    try:
        for number in before:
            signal.signal(number, request)
    except ValueError:  # not in the main thread, where Python takes no handlers
        yield requests
        return
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
