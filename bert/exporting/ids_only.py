"""Models whose graph takes ids: what comes before and after it depends on more than one row."""

import dataclasses

import tensorflow as tf

from bert import stored_model
from bert.exporting.base import Exported
from bert.heads import PretrainingModel, Tensors
from bert.options.questions import ReadingOptions


class ExportedReader(Exported):
    """Question answering. From ids: `start_logits` and `end_logits`, [B, S]."""

    kind = stored_model.QUESTION_ANSWERING
    options_class = ReadingOptions


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """None at all."""


class ExportedPretraining(Exported):
    """From ids and P positions a row: `masked_lm_logits` [B, P, V], and `next_sentence_logits` [B, 2] where the
    checkpoint can tell."""

    kind = stored_model.PRETRAINING
    options_class = NoOptions
    inputs = (*Exported.inputs, "masked_lm_positions")

    def network(self, batch: Tensors) -> Tensors:
        assert isinstance(self.model, PretrainingModel)
        outputs = self.model(batch)
        positions = tf.shape(batch["masked_lm_positions"])[1]
        shape = [-1, positions, self.stored.config.vocab_size]
        logits = {"masked_lm_logits": tf.reshape(tf.cast(outputs["masked_lm_logits"], tf.float32), shape)}
        if "cls/seq_relationship/output_bias" in self.stored.shapes:
            logits["next_sentence_logits"] = tf.cast(outputs["next_sentence_logits"], tf.float32)
        return logits
