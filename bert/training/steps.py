"""What one call on the devices computes: some training steps, an evaluated batch, a predicted batch.

A batch may be spread over replicas, each replica's part over micro-batches, each of these over halves. None of it
changes the mathematics: sums are divided by the weight of the batch, added over its parts, and clipped after that.
"""

from collections.abc import Iterator, Mapping

import tensorflow as tf

from bert import halves
from bert.activations import plain_operations
from bert.heads import HeadedModel, Mean, Tensors
from bert.optimization import AdamWeightDecay

REAL = "is_real_example"
RECORD = "record"
ROW_LOSS = "row_loss"  # beside the outputs of an evaluation, where the model has it
NOT_ON_PROGRESS_LINE = ("examples", "tokens", "gradient_norm")  # it has no room for these


class Steps:
    """Compiled steps of one model and its optimizer under a strategy."""

    def __init__(
        self,
        model: HeadedModel,
        strategy: tf.distribute.Strategy,
        optimizer: AdamWeightDecay | None = None,
        seed: int = 0,
        accumulation: int = 1,
    ) -> None:
        self.model, self.strategy, self._optimizer = model, strategy, optimizer
        self.seed, self.accumulation = seed, accumulation

    @property
    def optimizer(self) -> AdamWeightDecay:
        assert self._optimizer is not None, "only steps with an optimizer train"
        return self._optimizer

    @tf.function(reduce_retracing=True)
    def train(self, iterator: Iterator[Tensors], count: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs `count` steps; name -> float32 [count], and `record`, int64 [count, B]: which rows each step saw."""
        names = [
            "loss",
            *(measure.name for measure in self.model.reported),
            "learning_rate",
            *NOT_ON_PROGRESS_LINE,
            RECORD,
        ]
        types = {RECORD: tf.int64}
        rows = {name: tf.TensorArray(types.get(name, tf.float32), size=count) for name in names}
        for index in tf.range(count):
            values = self.strategy.run(self._train_replica, args=(next(iterator),))
            rows = {name: rows[name].write(index, self._local(values[name])) for name in names}
        return {name: row.stack() for name, row in rows.items()}

    @tf.function(reduce_retracing=True)
    def evaluate(
        self, batch: Tensors, keep_outputs: bool = False
    ) -> tuple[dict[str, Mean], list[tf.Tensor], dict[str, tf.Tensor]]:
        """The sums and weights of a batch, its loss, if an evaluation of the model has one, and, where they are kept,
        the outputs as `predict` gives them, with `row_loss` [B] where the model's rows have losses of their own."""

        def evaluate_replica(batch: Tensors) -> tuple[dict[str, Mean], list[tf.Tensor], Tensors]:
            outputs = self._outputs(batch)
            terms = self.model.evaluation_terms(batch, outputs)
            pairs = _summed({**terms, **self.model.measures(batch, outputs)})
            loss = [tf.add_n([pairs[name].value for name in terms])] if terms else []
            row_losses = self.model.row_losses(batch, outputs)
            kept = {**outputs, **({} if row_losses is None else {ROW_LOSS: row_losses})}
            return pairs, loss, kept if keep_outputs else {}

        pairs, loss, outputs = self.strategy.run(evaluate_replica, args=(batch,))
        if keep_outputs:
            outputs = self._gathered_rows(outputs, batch)
        return {name: Mean(*map(self._local, pair)) for name, pair in pairs.items()}, [*map(self._local, loss)], outputs

    @tf.function(reduce_retracing=True)
    def predict(self, batch: Tensors) -> dict[str, tf.Tensor]:
        """The outputs of a batch, rows of all replicas together, which record each row is, and whether it is one."""
        return self._gathered_rows(self.strategy.run(self._outputs, args=(batch,)), batch)

    def _outputs(self, batch: Tensors) -> Tensors:
        parts = halves.of(batch) if self.model.halved else [batch]
        with plain_operations():  # as fast without a gradient, and nothing is compiled for each length of a batch
            outputs = [self.model(part) for part in parts]
        if len(outputs) == 1:
            return outputs[0]
        return {name: tf.concat([output[name] for output in outputs], axis=0) for name in outputs[0]}

    def _train_replica(self, batch: Tensors) -> dict[str, tf.Tensor]:
        """One step of one replica; what it returns is of the whole batch, but for `record`."""
        step = tf.cast(self.optimizer.iterations.value, tf.int32)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.experimental.stateless_fold_in(tf.stack([self.seed, step]), replica)
        weights = {name: sum_over_replicas(weight) for name, weight in self.model.loss_weights(batch).items()}
        if self.accumulation == 1:
            gradients, pairs = self._gradients(batch, weights, seed)
        else:
            gradients, pairs = self._accumulated_gradients(batch, weights, seed)
        pairs = _summed(pairs)
        learning_rate = tf.convert_to_tensor(self.optimizer.learning_rate)
        gradients = [sum_over_replicas(gradient) for gradient in gradients]
        norm = self.optimizer.update(gradients)
        tokens = tf.cast(tf.reduce_sum(batch["input_mask"]), tf.float32)
        return {
            **{name: pair.value for name, pair in pairs.items()},
            "loss": tf.add_n([pairs[name].value for name in weights]),
            "learning_rate": learning_rate,
            "gradient_norm": norm,
            "examples": sum_over_replicas(tf.reduce_sum(batch["is_real_example"])),
            "tokens": sum_over_replicas(tokens),
            RECORD: batch[RECORD],
        }

    def _gradients(self, batch: Tensors, weights: Tensors, seed: tf.Tensor) -> tuple[list, dict[str, Mean]]:
        """Gradients of this micro-batch's part of the loss (its sums over the weight of all), times the loss scale."""
        if not (self.model.halved and self.model.rows_are_independent):
            return self._gradients_of_part(batch, weights, seed)
        parts = halves.of_like_lengths(batch)
        gradients, pairs = self._gradients_of_half(parts[0], weights, halves.seed(seed, 0))
        for part in parts[1:]:
            more_gradients, more_pairs = self._gradients_of_half(part, weights, halves.seed(seed, 1))
            gradients = list(map(_added, gradients, more_gradients))
            pairs = {name: pair.plus(more_pairs[name]) for name, pair in pairs.items()}
        return gradients, pairs

    @tf.function  # traced once for both halves, where they are of one size
    def _gradients_of_half(self, batch: Tensors, weights: Tensors, seed: tf.Tensor) -> tuple[list, dict[str, Mean]]:
        return self._gradients_of_part(batch, weights, seed)

    def _gradients_of_part(self, batch: Tensors, weights: Tensors, seed: tf.Tensor) -> tuple[list, dict[str, Mean]]:
        variables = [variable.value for variable in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            outputs = self.model(batch, seed=seed)
            terms = self.model.loss_terms(batch, outputs)
            parts = [Mean(term.sum, weights[name], term.epsilon).value for name, term in terms.items()]
            part = self.optimizer.scaled(tf.add_n(parts))
        return tape.gradient(part, variables), {**terms, **self.model.measures(batch, outputs)}

    def _accumulated_gradients(self, batch: Tensors, weights: Tensors, seed: tf.Tensor) -> tuple[list, dict[str, Mean]]:
        """The same for a batch that is run through the model in `accumulation` micro-batches, one after the other."""
        # That of REAL is not known to several replicas, whose data may end in a batch of 0 rows.
        size = batch["input_mask"].shape[0]
        rows = size // self.accumulation if size else -1  # a number where it is known: rows are packed only then
        micro_batches = {
            name: tf.reshape(value, tf.concat([[self.accumulation, rows], tf.shape(value)[1:]], axis=0))
            for name, value in batch.items()
        }

        def gradients_of(
            index: tf.Tensor,
        ) -> tuple[list[tf.Tensor], dict[str, tuple[tf.Tensor, tf.Tensor]], dict[str, float]]:
            micro_batch = {name: value[index] for name, value in micro_batches.items()}
            own_seed = tf.random.experimental.stateless_fold_in(seed, index)
            gradients, pairs = self._gradients(micro_batch, weights, own_seed)
            epsilons = {name: pair.epsilon for name, pair in pairs.items()}
            sums = {name: (pair.sum, pair.weight) for name, pair in pairs.items()}
            return [tf.convert_to_tensor(gradient) for gradient in gradients], sums, epsilons

        totals, sums, epsilons = gradients_of(tf.constant(0))
        for index in tf.range(1, self.accumulation):
            with tf.control_dependencies(totals):  # else they are computed side by side, and all is kept at once
                index = tf.identity(index)
            gradients, pairs, _ = gradients_of(index)
            totals = [total + gradient for total, gradient in zip(totals, gradients, strict=True)]
            sums = tf.nest.map_structure(tf.add, sums, pairs)
        return totals, {name: Mean(*pair, epsilons[name]) for name, pair in sums.items()}

    def _local(self, value: tf.Tensor) -> tf.Tensor:
        """The first of the replicas' values: of sums over replicas, the one as good as the other."""
        return self.strategy.experimental_local_results(value)[0]

    def _gathered_rows(self, outputs: Tensors, batch: Tensors) -> dict[str, tf.Tensor]:
        rows = {**outputs, REAL: batch[REAL], RECORD: batch[RECORD]}
        return {name: self._gathered(value) for name, value in rows.items()}

    def _gathered(self, value: tf.Tensor) -> tf.Tensor:
        return value if self.strategy.num_replicas_in_sync == 1 else self.strategy.gather(value, axis=0)


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return value
    # The gradient of a table, which is sparse, as the whole table: a collective has one shape in all steps, but the
    # rows that a batch reads are as many as its positions.
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.convert_to_tensor(value))


def _added(one: tf.Tensor | tf.IndexedSlices, other: tf.Tensor | tf.IndexedSlices) -> tf.Tensor | tf.IndexedSlices:
    """The sum of a variable's gradients; sparse ones, of a table, stay sparse."""
    if not isinstance(one, tf.IndexedSlices):
        return one + other
    pairs = zip((one.values, one.indices), (other.values, other.indices), strict=True)
    return tf.IndexedSlices(*(tf.concat(pair, axis=0) for pair in pairs), one.dense_shape)


def _summed(pairs: Mapping[str, Mean]) -> dict[str, Mean]:
    return {
        name: Mean(sum_over_replicas(pair.sum), sum_over_replicas(pair.weight), pair.epsilon)
        for name, pair in pairs.items()
    }
