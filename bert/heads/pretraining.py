"""Masked LM and next sentence, the two heads of pre-training (section 3.1)."""

import math
from typing import Any

import keras
import tensorflow as tf

from bert import encoders
from bert.config import BertConfig
from bert.heads.base import HeadedModel, Mean, ProjectedClasses, Tensors, correct, cross_entropy, weighted
from bert.layers import Dense, LayerNormalization, Shape
from bert.measures import Measure, loss


class Transform(keras.layers.Layer):
    """The masked LM head's own projection before the vocabulary."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = Dense(config.hidden_size, config.initializer_range, config.activation, name="dense")
        self.normalization = LayerNormalization(config.layer_norm_epsilon, name="LayerNorm")

    def build(self, input_shape: Shape) -> None:
        self.dense.build(input_shape)
        self.normalization.build(input_shape)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.normalization(self.dense(x))


class MaskedLanguageModel(keras.layers.Layer):
    """Scores of every WordPiece at a hidden position; the output matrix is the word embedding table."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.transform = Transform(config, name="transform")

    def build(self, input_shape: Shape) -> None:
        self.transform.build(input_shape)
        self.output_bias = self.add_weight(shape=(self.config.vocab_size,), initializer="zeros", name="output_bias")
        self.built = True

    def call(self, x: tf.Tensor, word_embeddings: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.matmul(self.transform(x), word_embeddings, transpose_b=True), self.output_bias)


class PretrainingHeads(keras.layers.Layer):
    """The folder `cls` of a pre-training checkpoint: both heads."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_size = config.hidden_size
        self.masked_lm = MaskedLanguageModel(config, name="predictions")
        self.next_sentence = ProjectedClasses(2, config.initializer_range, name="seq_relationship")

    def build(self, input_shape: Shape | None = None) -> None:
        self.masked_lm.build((None, self.hidden_size))
        self.next_sentence.build((None, self.hidden_size))
        self.built = True


@keras.saving.register_keras_serializable(package="bert")
class PretrainingModel(HeadedModel):
    """Masked LM and next sentence (section 3.1): batch features of `records.PRETRAINING` plus `is_real_example` [B].

    Without `next_sentence` the masked LM is learned alone (RoBERTa, section 4.2). The pooler and the second head are
    there, and stay as they start.
    """

    stands_on = encoders.WITH_TIED_EMBEDDINGS

    def __init__(self, config: BertConfig | dict, next_sentence: bool = True, **kwargs: Any) -> None:
        super().__init__(config, **kwargs)
        self.next_sentence = next_sentence
        self.heads = PretrainingHeads(self.config, name="cls")
        self.build()
        # Saved, but nothing reads them: no gradient, no slots, as in a head that reads no pooled output.
        self.encoder.pooler.trainable = self.heads.next_sentence.trainable = next_sentence

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "next_sentence": self.next_sentence}

    def build_head(self) -> None:
        self.heads.build()

    def call(self, batch: Tensors, training: bool = False, seed: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns `masked_lm_logits` [B * P, V] and `next_sentence_logits` [B, 2]."""
        seed = self.dropout_seed(training, seed)
        masked = batch["masked_lm_positions"]  # [B, P]
        positions = tf.concat([tf.zeros_like(masked[:, :1]), masked], axis=1)  # [B, 1 + P], [CLS] first
        encoded = self.encode(batch, positions=positions, seed=seed)
        hidden = tf.reshape(encoded["sequence_output"][:, 1:], [-1, self.config.hidden_size])  # [B * P, H]
        return {
            "masked_lm_logits": self.heads.masked_lm(hidden, self.encoder.embeddings.word_embeddings),
            "next_sentence_logits": self.heads.next_sentence(encoded["pooled_output"]),
        }

    @property
    def declared_losses(self) -> tuple[Measure, ...]:
        masked_lm = loss("masked_lm_loss", math.log(self.config.vocab_size), short="mlm")
        return (masked_lm, loss("next_sentence_loss", math.log(2), short="nsp")) if self.next_sentence else (masked_lm,)

    @property
    def declared_measures(self) -> tuple[Measure, ...]:
        accuracy = Measure("masked_lm_accuracy", short="mlm_acc")
        return (accuracy, Measure("next_sentence_accuracy", short="nsp_acc")) if self.next_sentence else (accuracy,)

    @property
    def reported(self) -> tuple[Measure, ...]:
        """The masked LM loss by its name, with next sentence or without."""
        return (*self.declared_losses, *self.declared_measures)

    def loss_weights(self, batch: Tensors) -> dict[str, tf.Tensor]:
        return {**super().loss_weights(batch), "masked_lm_loss": tf.reduce_sum(self._targets(batch)[1])}

    def loss_terms(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        ids, weights, next_sentence, real = self._targets(batch)
        # 1e-5, or a batch without masked positions would divide by 0; with another, losses are not the original's
        # (docs/parity.md 9).
        terms = {"masked_lm_loss": weighted(cross_entropy(outputs["masked_lm_logits"], ids), weights, epsilon=1e-5)}
        if self.next_sentence:
            losses = cross_entropy(outputs["next_sentence_logits"], next_sentence)
            terms["next_sentence_loss"] = weighted(losses, real)
        return terms

    def measures(self, batch: Tensors, outputs: Tensors) -> dict[str, Mean]:
        ids, weights, next_sentence, real = self._targets(batch)
        measures = {"masked_lm_accuracy": weighted(correct(outputs["masked_lm_logits"], ids), weights)}
        if self.next_sentence:
            hits = correct(outputs["next_sentence_logits"], next_sentence)
            measures["next_sentence_accuracy"] = weighted(hits, real)
        return measures

    def _targets(self, batch: Tensors) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        real = batch["is_real_example"]  # [B]
        weights = batch["masked_lm_weights"] * real[:, tf.newaxis]  # [B, P]
        ids = tf.reshape(batch["masked_lm_ids"], [-1])  # [B * P]
        return ids, tf.reshape(weights, [-1]), batch["next_sentence_labels"][:, 0], real
