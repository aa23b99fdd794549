"""The model on rows of any number: a stand-in."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from bert.heads import Tensors
from bert.training.outputs import Outputs


class Forward:
    """Runs a model on rows, [R, S] each."""

    def __init__(self, model: Callable[[Tensors], Tensors], max_seq_length: int) -> None:
        row = tf.TensorSpec([None, max_seq_length], tf.int32)
        names = ("input_ids", "input_mask", "segment_ids")
        self._run = tf.function(lambda batch: model(batch), [dict.fromkeys(names, row)])

    def __call__(self, features: Mapping[str, np.ndarray]) -> Outputs:
        """Name -> what the model gives for each row, in order."""
        outputs = self._run({name: tf.constant(values) for name, values in features.items()})
        return {name: list(value.numpy()) for name, value in outputs.items()}
