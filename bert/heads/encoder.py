"""No head at all: the encoder's vectors."""

from typing import Any

import keras
import tensorflow as tf

from bert.config import BertConfig
from bert.heads.base import HeadedModel, Tensors


@keras.saving.register_keras_serializable(package="bert")
class EncoderModel(HeadedModel):
    """What the encoder makes of a text; it learns nothing by itself."""

    def __init__(self, config: BertConfig | dict, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.build()

    def build_head(self) -> None:
        """There is none."""

    def call(self, batch: Tensors, training: bool = False, seed: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns `sequence_output` [B, S, H] and `pooled_output` [B, H], float32."""
        encoded = self.encode(batch, seed=self.dropout_seed(training, seed))
        return {name: tf.cast(encoded[name], tf.float32) for name in ("sequence_output", "pooled_output")}
