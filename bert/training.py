"""The one loop: train, save, resume, evaluate, predict, for every model of `heads` and every tf.distribute strategy.

Gradients are those of the whole batch: sums are divided by the weight over all replicas, added over all replicas, and
clipped after that.
"""

import logging
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from bert import checkpoint, reporting
from bert.errors import InputError
from bert.heads import Mean, Model
from bert.metrics import Means
from bert.optimization import AdamWeightDecay

logger = logging.getLogger(__name__)

SECONDS_PER_CALL = 1.0  # so many steps run in one call as fit into this, iterations_per_loop at most


class Trainer:
    """A model, where it computes, and the folder of its checkpoints."""

    def __init__(self, model: Model, strategy: tf.distribute.Strategy, folder: str, seed: int = 0):
        self.model, self.strategy, self.seed = model, strategy, seed
        self.folder = folder
        self.checkpoints = checkpoint.CheckpointFolder(folder)
        self.optimizer: AdamWeightDecay | None = None
        self.step = 0

    def variables(self) -> dict[str, object]:
        """Checkpoint name -> model variable, those that are not trained included."""
        return {variable.path: variable for variable in self.model.weights}

    def restore(self) -> str | None:
        """Takes up the folder's newest checkpoint (weights, step, slots where training goes on); returns its prefix.

        Raises InputError where the checkpoint is of another model.
        """
        prefix = self.checkpoints.latest()
        if prefix is None:
            return None
        shapes = checkpoint.read_shapes(prefix)
        wanted = self.variables()
        missing = [name for name in wanted if name not in shapes]
        if missing:
            raise InputError(f"{prefix}: lacks '{missing[0]}' ({len(missing)} in all): the folder holds another run")
        checkpoint.check_shapes(wanted, shapes, prefix)
        if self.optimizer:
            slots = {name: slot for name, slot in self.optimizer.slots().items() if name in shapes}
            wanted = {**wanted, **slots}
        has_step = checkpoint.GLOBAL_STEP in shapes
        values = checkpoint.read_values(prefix, [*wanted, *([checkpoint.GLOBAL_STEP] if has_step else [])])
        for name, variable in wanted.items():
            variable.assign(values[name])
        self.step = int(values[checkpoint.GLOBAL_STEP]) if has_step else 0
        if self.optimizer:
            self.optimizer.iterations.assign(self.step)
        return prefix

    def save(self) -> str:
        values = {**self.variables(), **self.optimizer.slots()}
        return self.checkpoints.save(self.step, {name: variable.numpy() for name, variable in values.items()})

    def build_optimizer(self, optimizer: AdamWeightDecay) -> None:
        with self.strategy.scope():
            optimizer.build(self.model.trainable_variables)
        self.optimizer = optimizer

    def train(self, batches: tf.data.Dataset, total_steps: int, save_every: int, iterations_per_loop: int) -> None:
        """Trains from the current step to `total_steps`, saving every `save_every` steps and at the end.

        `batches` begins with the batch of the current step.
        """
        iterator = iter(self._distributed(batches))
        log = reporting.StepLog(self.folder, self.step)
        progress = reporting.Progress("Training", total_steps, start=self.step)
        count = 1
        while self.step < total_steps:
            next_stop = min(total_steps, self.step // save_every * save_every + save_every)
            count = min(count, next_stop - self.step)
            began = time.monotonic()
            rows = self._train_steps(iterator, tf.constant(count))
            rows = {name: values.numpy() for name, values in rows.items()}
            seconds = time.monotonic() - began
            self._report(log, progress, rows, seconds)
            self.step += count
            if self.step == next_stop:
                self.save()
            count = int(np.clip(SECONDS_PER_CALL / (seconds / count), 1, iterations_per_loop))
        progress.close()

    def _report(self, log, progress, rows: dict[str, np.ndarray], seconds: float) -> None:
        count = len(rows["loss"])
        for index in range(count):
            step = self.step + index + 1
            values = {name: float(rows[name][index]) for name in rows}
            if not np.isfinite(values["loss"]):
                raise InputError(
                    f"step {step}: the loss is {values['loss']} (learning rate {values['learning_rate']:.3g}, "
                    f"gradient norm {values['gradient_norm']:.3g}); a lower --learning_rate or more warmup may help"
                )
            log.write(step, values)
        shown = {
            name: float(np.mean(rows[name])) for name in rows if name not in ("examples", "tokens", "gradient_norm")
        }
        shown["examples/s"] = float(rows["examples"].sum() / seconds)
        shown["tokens/s"] = float(rows["tokens"].sum() / seconds)
        progress.advance(count, shown)

    def evaluate(self, batches: tf.data.Dataset, total: int | None = None) -> dict[str, np.float32]:
        """Means over all rows of every loss term and measure, and `loss`, the plain mean of the batches' losses."""
        means, losses = Means(), []
        progress = reporting.Progress("Evaluating", total, unit="batches")
        for batch in self._distributed(batches):
            pairs, loss = self._evaluate_batch(batch)
            means.add({name: (pair.sum.numpy(), pair.weight.numpy()) for name, pair in pairs.items()})
            losses.append(loss.numpy())
            progress.advance(1, {"loss": float(np.mean(losses))})
        progress.close()
        return {**means.values(), "loss": np.float32(np.mean(losses))}

    def predict(self, batches: tf.data.Dataset, total: int | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yields the model's outputs, a dict of rows a batch; rows that only fill a batch are left out."""
        progress = reporting.Progress("Predicting", total, unit="batches")
        for batch in self._distributed(batches):
            outputs, real = self._predict_batch(batch)
            real = real.numpy() > 0
            yield {name: value.numpy()[real] for name, value in outputs.items()}
            progress.advance(1)
        progress.close()

    def _distributed(self, batches: tf.data.Dataset):
        if self.strategy.num_replicas_in_sync == 1:
            return batches
        return self.strategy.experimental_distribute_dataset(batches)

    @tf.function(reduce_retracing=True)
    def _train_steps(self, iterator, count):
        """Runs `count` steps; returns name -> float32 [count]."""
        names = [*self._step_names()]
        rows = {name: tf.TensorArray(tf.float32, size=count) for name in names}
        for index in tf.range(count):
            values = self.strategy.run(self._train_step, args=(next(iterator),))
            values = {name: self.strategy.experimental_local_results(value)[0] for name, value in values.items()}
            rows = {name: rows[name].write(index, values[name]) for name in names}
        return {name: row.stack() for name, row in rows.items()}

    def _step_names(self) -> list[str]:
        return ["loss", *self.model.reported, "learning_rate", "gradient_norm", "examples", "tokens"]

    def _train_step(self, batch) -> dict[str, tf.Tensor]:
        """One step of one replica; what it returns is of the whole batch."""
        variables = [variable.value for variable in self.model.trainable_variables]
        step = tf.cast(self.optimizer.iterations.value, tf.int32)
        seed = tf.random.experimental.stateless_fold_in(tf.stack([self.seed, step]), _replica())
        with tf.GradientTape() as tape:
            outputs = self.model(batch, seed=seed)
            terms = self.model.loss_terms(batch, outputs)
            weights = {name: _sum_over_replicas(term.weight) for name, term in terms.items()}
            # This replica's part of the loss: its sums over the weight of all.
            part = tf.add_n([Mean(term.sum, weights[name], term.epsilon).value for name, term in terms.items()])
        gradients = tape.gradient(part, variables)
        pairs = {**terms, **self.model.measures(batch, outputs)}
        pairs = {
            name: Mean(_sum_over_replicas(pair.sum), _sum_over_replicas(pair.weight)) for name, pair in pairs.items()
        }
        learning_rate = tf.convert_to_tensor(self.optimizer.learning_rate)
        gradients, norm = self.optimizer.clip([_sum_over_replicas(gradient) for gradient in gradients])
        self.optimizer.apply_summed(gradients)
        return {
            **{name: pair.value for name, pair in pairs.items()},
            "loss": _sum_over_replicas(part),
            "learning_rate": learning_rate,
            "gradient_norm": norm,
            "examples": _sum_over_replicas(tf.reduce_sum(batch["is_real_example"])),
            "tokens": _sum_over_replicas(tf.cast(tf.reduce_sum(batch["input_mask"]), tf.float32)),
        }

    @tf.function(reduce_retracing=True)
    def _evaluate_batch(self, batch):
        def evaluate(batch):
            outputs = self.model(batch)
            terms = self.model.loss_terms(batch, outputs)
            pairs = {**terms, **self.model.measures(batch, outputs)}
            pairs = {name: Mean(_sum_over_replicas(p.sum), _sum_over_replicas(p.weight)) for name, p in pairs.items()}
            means = [Mean(pairs[name].sum, pairs[name].weight, term.epsilon).value for name, term in terms.items()]
            return pairs, tf.add_n(means)

        pairs, loss = self.strategy.run(evaluate, args=(batch,))
        return tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], (pairs, loss))

    @tf.function(reduce_retracing=True)
    def _predict_batch(self, batch):
        outputs = self.strategy.run(self.model, args=(batch,))
        gathered = {name: self._concatenated(value) for name, value in outputs.items()}
        return gathered, self._concatenated(batch["is_real_example"])

    def _concatenated(self, value) -> tf.Tensor:
        return tf.concat(self.strategy.experimental_local_results(value), axis=0)


def _replica() -> tf.Tensor:
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def _sum_over_replicas(value):
    context = tf.distribute.get_replica_context()
    return value if context.num_replicas_in_sync == 1 else context.all_reduce(tf.distribute.ReduceOp.SUM, value)
