"""A class, several classes or a number for a text or a pair of texts."""

import dataclasses

import tensorflow as tf

from bert import stored_model
from bert.errors import InputError
from bert.exporting.base import Exported, Function
from bert.exporting.texts import TextReader, check_pairs, text_inputs
from bert.heads import Tensors
from bert.options import option
from bert.prediction.classification import ClassificationReading
from bert.tasks import label_kinds


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationExportOptions(ClassificationReading):
    """How a classification reads and writes."""

    pairs: bool = option(False, "Whether a row has two texts, `text` and `text_b`, of which the second may be empty.")


class ExportedClassifier(Exported):
    """From texts: the label, its score, all probabilities; or the number. From ids: logits [B, C]."""

    kind = stored_model.CLASSIFICATION
    options_class = ClassificationExportOptions

    def check_options(self) -> None:
        check_pairs(self)
        if self.options.long_text == "windows":
            raise InputError(
                "`long_text` is windows, but an exported graph reads one row a text; `long_text`=truncate exports "
                "the model so that it reads a part of a longer text"
            )

    @property
    def texts(self) -> Function:
        read = TextReader(self.tokenizer(), self.max_seq_length, self.options.truncation)

        def answer(text: tf.Tensor, text_b: tf.Tensor | None = None) -> Tensors:
            rows, truncated = read(text, text_b)
            return {**self._answers(self.network(rows)["logits"]), "truncated": truncated}

        return Function(answer, text_inputs(self.options.pairs))

    def _answers(self, logits: tf.Tensor) -> Tensors:
        kind, names = self.stored.label_kind, tf.constant(self.stored.label_names, tf.string)  # [C]
        if not kind.has_classes:
            return {"number": logits[:, 0]}
        if not isinstance(kind, label_kinds.MultiLabel):
            probabilities = tf.nn.softmax(logits)  # [B, C]
            label = tf.gather(names, tf.argmax(probabilities, axis=1))
            return {"label": label, "score": tf.reduce_max(probabilities, axis=1), "probabilities": probabilities}
        probabilities = tf.sigmoid(logits)
        chosen = probabilities > kind.threshold
        rows = tf.ragged.boolean_mask(tf.broadcast_to(names, tf.shape(chosen)), chosen)
        return {
            "labels": tf.strings.reduce_join(rows, axis=1, separator=self.options.label_separator),
            "score": tf.reduce_min(tf.maximum(probabilities, 1 - probabilities), axis=1),
            "probabilities": probabilities,
        }
