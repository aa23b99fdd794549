"""The encoder alone, with the weights of a checkpoint, and the vectors that are asked of it.

Shapes: B rows, S positions, K layers asked for, H hidden size.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from bert import checkpoint, distribution
from bert.config import BertConfig
from bert.errors import InputError
from bert.features.options import Options
from bert.modeling import BertModel
from bert.pooling import pool

_INPUTS = ("input_ids", "input_mask", "segment_ids")


class Encoder:
    """The compiled encoder of a checkpoint under a strategy.

    Raises InputError where the checkpoint lacks a part of it; heads, the pooler and the optimizer's state are not read.
    """

    def __init__(self, options: Options, config: BertConfig, strategy: tf.distribute.Strategy) -> None:
        self._strategy, self._layers = strategy, options.layer_numbers
        self._pooling, self._is_pooled = options.pooling, options.is_pooled
        with strategy.scope():
            self._model = BertModel(config)
            self._model.build()
        _load(self._model, options.init_checkpoint)
        # A TPU compiles for each shape and has to know it; elsewhere one graph serves all shapes.
        any_shape = None if distribution.is_tpu(strategy) else [tf.TensorSpec([None, None], tf.int32)] * len(_INPUTS)
        self._compiled = tf.function(self._run, any_shape, autograph=False)

    @property
    def replicas(self) -> int:
        return self._strategy.num_replicas_in_sync

    def __call__(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 [B, K, S, H], or with a pooling [B, K * H], of the int32 rows [B, S] that `lay_out` makes."""
        return self._compiled(*(tf.constant(rows[name]) for name in _INPUTS)).numpy()

    def _run(self, *inputs: tf.Tensor) -> tf.Tensor:
        if self.replicas == 1:
            return self._forward(*inputs)
        parts = [tf.split(value, self.replicas) for value in inputs]
        own = self._strategy.experimental_distribute_values_from_function(
            lambda context: tuple(part[context.replica_id_in_sync_group] for part in parts)
        )
        return self._strategy.gather(self._strategy.run(self._forward, args=own), axis=0)

    def _forward(self, input_ids: tf.Tensor, input_mask: tf.Tensor, segment_ids: tf.Tensor) -> tf.Tensor:
        outputs = self._model(input_ids, input_mask, segment_ids)["layer_outputs"]
        layers = [outputs[layer] for layer in self._layers]
        if not self._is_pooled:
            return tf.stack(layers, axis=1)  # [B, K, S, H]
        return tf.concat([pool(layer, input_mask, self._pooling) for layer in layers], axis=1)  # [B, K * H]


def _load(model: BertModel, init_checkpoint: str) -> None:
    prefix = checkpoint.resolve(init_checkpoint)
    # The pooler is behind the last layer, which is the last that can be asked for.
    variables = {one.path: one for one in model.weights if not one.path.startswith("bert/pooler/")}
    report = checkpoint.warm_start(variables, prefix)
    report.log()
    if report.missing:
        raise InputError(f"`init_checkpoint`={prefix} lacks {report.missing_encoder}")
