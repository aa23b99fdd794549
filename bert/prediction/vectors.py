"""A vector for a text or a pair of texts."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert import stored_model
from bert.config import BertConfig
from bert.errors import InputError
from bert.heads import HeadedModel, Tensors
from bert.options.pooling import PoolingOptions
from bert.pooling import pool
from bert.prediction.base import Prediction, TextPredictor
from bert.tasks.base import InputExample
from bert.tasks.encoding import ClassificationRows


@dataclasses.dataclass(frozen=True, eq=False)
class VectorPrediction(Prediction):
    """The vector of a text, float32 [H]."""

    vector: np.ndarray
    truncated: int

    def as_dict(self) -> dict[str, Any]:
        return {"vector": self.vector.tolist(), "truncated": self.truncated}


class VectorPredictor(TextPredictor[VectorPrediction]):
    """Gives a vector for each row."""

    kind = stored_model.ENCODER
    options_class = PoolingOptions

    def encode(self, rows: Iterable[object]) -> np.ndarray:
        """The vectors of all rows, float32 [R, H]. Raises InputError as `predict` does."""
        vectors = [result.vector for result in self.answer(self.read(rows))]
        return np.stack(vectors) if vectors else np.zeros([0, self.stored.config.hidden_size], np.float32)

    def check_options(self) -> None:
        check_layer(self.options, self.stored.config)
        for name, value in dataclasses.asdict(self.options).items():
            if self.stored.is_onnx and value != self.stored.settings.get(name, value):
                exported = self.stored.settings[name]
                raise InputError(f"`{name}` is {value}, but {self.stored.weights} was exported with {exported}")

    def network(self, model: HeadedModel) -> Callable[[Tensors], Tensors]:
        return lambda batch: {"vector": pooled_vectors(model, batch, self.options)}

    def _answer(self, examples: Sequence[InputExample]) -> Iterable[VectorPrediction]:
        rows = ClassificationRows(examples, (), self.tokenizer, self.max_seq_length)
        vectors = self.forward(rows.features(0, len(rows)))["vector"]
        return [VectorPrediction(vector, lost) for vector, lost in zip(vectors, rows.lost.tolist(), strict=True)]

    def cells(self, result: VectorPrediction) -> list[str]:
        """The components."""
        return [f"{value:.6g}" for value in result.vector.tolist()]


def check_layer(options: PoolingOptions, config: BertConfig) -> None:
    """Raises InputError for a layer that the model does not have."""
    layers = config.layer_count
    if not (-layers <= options.layer <= -1 or 1 <= options.layer <= layers):
        raise InputError(f"`layer` is {options.layer}, expected -1 to {-layers} or 1 to {layers}")


def pooled_vectors(model: HeadedModel, batch: Tensors, options: PoolingOptions) -> tf.Tensor:
    """One vector a row, float32 [B, H], of those at the positions that are no padding."""
    layer = options.layer - (options.layer > 0)
    return pool(model.encode(batch)["layer_outputs"][layer], batch["input_mask"], options.pooling)
