"""A model as a function of arrays, made for answers: rows of like length are run together, in one graph for every
length and number of rows.

The graph is TensorFlow's, traced once, or a file of ONNX, run by onnxruntime. Shapes: R rows, S their padded length, B
rows of a batch.
"""

import abc
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from bert.activations import plain_operations
from bert.errors import InputError, check_installed
from bert.heads import Tensors
from bert.training.outputs import Outputs, check_outputs

INPUTS = ("input_ids", "input_mask", "segment_ids")
# A batch of these many positions keeps both cores of a small machine busy and its tensors near the processor.
POSITIONS_PER_BATCH = 2048


class Forward(abc.ABC):
    """Runs rows through a network, those of like length together, and gives the outputs back in the order of the rows.

    Safe to call from several threads.

    Attributes:
      outputs: the names of what the network gives.
    """

    outputs: Sequence[str]
    at_once = 1  # batches

    @abc.abstractmethod
    def run(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        """What the network gives for one batch of `INPUTS`, int32 [3, B, S]: [B, ...] each, in the order of
        `outputs`."""

    def warm_up(self, max_seq_length: int, folder: str) -> None:
        """Runs short rows, so that the first question does not wait for what is prepared at the first call. Raises
        InputError where the model, which is that of a `folder`, gives no numbers."""
        length = min(16, max_seq_length)
        for rows in (1, 8):
            found = self({name: np.ones([rows, length], np.int32) * (name == "input_mask") for name in INPUTS})
            for name, values in found.items():
                check_outputs(folder, name, np.stack(values))

    def __call__(self, features: Mapping[str, np.ndarray]) -> Outputs:
        """Outputs for rows [R, S] each. What is per position in an output may be cut behind the row's last token."""
        rows = np.stack([features[name] for name in INPUTS])  # [3, R, S]
        lengths = rows[INPUTS.index("input_mask")].sum(axis=1)  # [R]
        order = np.argsort(-lengths, kind="stable")
        outputs: Outputs = {name: [np.zeros(0, np.float32)] * len(lengths) for name in self.outputs}
        batches = list(_batches(order, lengths))

        def run(chosen: np.ndarray) -> Sequence[np.ndarray]:
            return self.run(rows[:, chosen, : lengths[chosen[0]]])

        for chosen, batch_outputs in zip(batches, self._each(run, batches), strict=True):
            for name, values in zip(self.outputs, batch_outputs, strict=True):
                for row, value in zip(chosen.tolist(), values, strict=True):
                    outputs[name][row] = value
        return outputs

    def _each(
        self, run: Callable[[np.ndarray], Sequence[np.ndarray]], batches: Sequence[np.ndarray]
    ) -> Iterable[Sequence[np.ndarray]]:
        """What `run` gives for each batch, in their order, `at_once` of them at a time."""
        if self.at_once == 1:
            return map(run, batches)
        with concurrent.futures.ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(run, batches))


def _batches(order: np.ndarray, lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Parts [B] of the rows in `order`, which is from the longest to the shortest."""
    begin = 0
    while begin < len(order):
        end = begin + max(1, POSITIONS_PER_BATCH // int(lengths[order[begin]]))
        yield order[begin:end]
        begin = end


class TensorFlowForward(Forward):
    """A network of TensorFlow as one graph of plain operations, traced once.

    Args:
      network: a model, or a function of one; from `INPUTS`, int32 [B, S] each, it makes outputs [B, ...].
    """

    def __init__(self, network: Callable[[Tensors], Tensors]) -> None:
        @tf.function(input_signature=[tf.TensorSpec([len(INPUTS), None, None], tf.int32)], autograph=False)
        def forward(batch: tf.Tensor) -> list[tf.Tensor]:
            with plain_operations():
                found = network(dict(zip(INPUTS, tf.unstack(batch), strict=True)))
            self.outputs = sorted(found)
            return [found[name] for name in self.outputs]

        self._graph = forward.get_concrete_function()
        self._network = network  # the graph does not keep the weights
        # Operations follow one another; each uses all cores by itself, and none waits in a queue. That executor knows
        # no loops, which recurrent encoders have.
        has_loops = any(operation.type.endswith("While") for operation in self._graph.graph.get_operations())
        self._executor = "" if has_loops else "SINGLE_THREADED_EXECUTOR"
        if tf.config.threading.get_intra_op_parallelism_threads() == 1:  # after a training (`halves.use_own_cores`)
            self.at_once = 2

    def run(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        with context.function_executor_type(self._executor):
            return [values.numpy() for values in self._graph(tf.constant(batch))]


class OnnxForward(Forward):
    """A network that `bert export_model --format=onnx` has written, run by onnxruntime.

    Args:
      path: of a graph that takes `INPUTS`, int32 [B, S] each.

    Raises InputError where onnxruntime is not installed or cannot read the file.
    """

    def __init__(self, path: str) -> None:
        check_installed(path, "onnx", "onnxruntime")
        import onnxruntime  # of the extra `onnx`

        try:
            self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:  # the exceptions of onnxruntime have no class in common
            raise InputError(f"{path}: onnxruntime cannot read it: {error}") from error
        inputs = [value.name for value in self._session.get_inputs()]
        if sorted(inputs) != sorted(INPUTS):
            raise InputError(f"{path}: takes {', '.join(inputs)}, expected {', '.join(INPUTS)}")
        self.outputs = [value.name for value in self._session.get_outputs()]

    def run(self, batch: np.ndarray) -> Sequence[np.ndarray]:
        return self._session.run(self.outputs, dict(zip(INPUTS, batch, strict=True)))
