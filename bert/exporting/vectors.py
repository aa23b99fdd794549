"""A vector for a text or a pair of texts."""

import dataclasses

import tensorflow as tf

from bert import stored_model
from bert.exporting.base import Exported, Function
from bert.exporting.texts import TextReader, check_pairs, text_inputs
from bert.heads import Tensors
from bert.options import option
from bert.options.pooling import PoolingOptions
from bert.prediction.vectors import check_layer, pooled_vectors


@dataclasses.dataclass(frozen=True, kw_only=True)
class VectorExportOptions(PoolingOptions):
    """How texts are read, and the vectors of WordPieces become one."""

    pairs: bool = option(False, "Whether a row has two texts, `text` and `text_b`, of which the second may be empty.")


class ExportedEncoder(Exported):
    """From texts and from ids: vectors [B, H]."""

    kind = stored_model.ENCODER
    options_class = VectorExportOptions

    def check_options(self) -> None:
        check_pairs(self)
        check_layer(self.options, self.stored.config)

    def network(self, batch: Tensors) -> Tensors:
        return {"vector": pooled_vectors(self.model, batch, self.options)}

    @property
    def texts(self) -> Function:
        read = TextReader(self.tokenizer(), self.max_seq_length, "head")

        def answer(text: tf.Tensor, text_b: tf.Tensor | None = None) -> Tensors:
            rows, truncated = read(text, text_b)
            return {**self.network(rows), "truncated": truncated}

        return Function(answer, text_inputs(self.options.pairs))
