"""A model as a function of arrays, made for answers: one graph of plain operations for every length and number of rows.

The graph is traced once, and never again; its weights are constants, so TensorFlow folds and fuses what it can. Shapes:
R rows, S their padded length, B rows of a batch.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.eager.polymorphic_function.concrete_function import ConcreteFunction
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from bert.activations import plain_operations
from bert.heads import Tensors
from bert.training.outputs import Outputs

INPUTS = ("input_ids", "input_mask", "segment_ids")
# A batch of these many positions keeps both cores of a small machine busy and its tensors near the processor.
POSITIONS_PER_BATCH = 2048
_LARGEST_CONSTANTS = 2**30  # bytes; a graph with its constants must stay below the 2 GB of a protocol buffer


class Forward:
    """Runs rows through a network, those of like length together, and gives the outputs back in the order of the rows.

    Safe to call from several threads.

    Args:
      network: a model, or a function of one; from `INPUTS`, int32 [B, S] each, it makes outputs [B, ...]. The graph has
        a copy of its weights, so that the model can be forgotten.
      max_seq_length: the longest S.
    """

    def __init__(self, network: Callable[[Tensors], Tensors], max_seq_length: int) -> None:
        signature = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUTS}

        @tf.function(input_signature=[signature], autograph=False)
        def forward(batch: Tensors) -> Tensors:
            with plain_operations():
                return network(batch)

        traced = forward.get_concrete_function()
        self._outputs = sorted(traced.structured_outputs)
        size = sum(4 * variable.shape.num_elements() for variable in traced.variables)
        self._graph = _folded(traced, signature) if size < _LARGEST_CONSTANTS else forward
        self._warm_up(max_seq_length)

    def _warm_up(self, max_seq_length: int) -> None:
        """Runs short rows, so that the first question does not wait for what TensorFlow prepares."""
        length = min(16, max_seq_length)
        for rows in (1, 8):
            self({name: np.ones([rows, length], np.int32) * (name == "input_mask") for name in INPUTS})

    def __call__(self, features: Mapping[str, np.ndarray]) -> Outputs:
        """Outputs for rows [R, S] each. What is per position in an output may be cut behind the row's last token."""
        lengths = features["input_mask"].sum(axis=1)  # [R]
        order = np.argsort(-lengths, kind="stable")
        rows: Outputs = {name: [np.zeros(0, np.float32)] * len(lengths) for name in self._outputs}
        begin = 0
        while begin < len(order):
            longest = int(lengths[order[begin]])
            chosen = order[begin : begin + max(1, POSITIONS_PER_BATCH // longest)]  # [B]
            outputs = self._run({name: features[name][chosen, :longest] for name in INPUTS})
            for name in self._outputs:
                for row, value in zip(chosen.tolist(), outputs[name].numpy(), strict=True):
                    rows[name][row] = value
            begin += len(chosen)
        return rows

    def _run(self, batch: Mapping[str, np.ndarray]) -> Tensors:
        # Operations follow one another here; each uses all cores by itself, and none waits in a queue.
        with context.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            return self._graph({name: tf.constant(values, tf.int32) for name, values in batch.items()})


def _folded(traced: ConcreteFunction, signature: Mapping[str, tf.TensorSpec]) -> Callable[[Tensors], Tensors]:
    """The function with its weights as constants. What the conversion gives can be called only through a second try of
    TensorFlow's, for which it first writes an error message; so a function stands around it."""
    # Loops stay operations of their own: the executor of `_run` knows no others.
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    outputs = sorted(traced.structured_outputs)

    @tf.function(input_signature=[signature], autograph=False)
    def folded(batch: Tensors) -> Tensors:
        return dict(zip(outputs, frozen(*(batch[name] for name in sorted(signature))), strict=True))

    return folded
