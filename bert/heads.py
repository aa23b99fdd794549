"""What stands on the encoder, and what it learns: masked LM and next sentence, sequence classes, spans, tags.

Each model here is a Keras model with an empty name, so that its variables' paths are the checkpoint's names, and with
the questions the training loop asks:

    outputs  = model(batch, seed=seed)            no seed: no dropout
    weights  = model.loss_weights(batch)          name -> what the loss term of that name is divided by
    terms    = model.loss_terms(batch, outputs)   name -> Mean; the loss is the sum of their means
    measures = model.measures(batch, outputs)     name -> Mean, only to look at

A `Mean` is a sum and a weight, never a quotient: batches, devices and accumulated steps add up exactly.
"""

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from bert.config import BertConfig
from bert.modeling import BertModel, Dense, Dropout, LayerNormalization, initializer

CLASSIFIER_STDDEV = 0.02  # the original's, whatever the config's initializer_range (PARITY 9)
CLASSIFIER_DROPOUT = 0.1  # on the pooled output, whatever the config's rates (PARITY 9)


class Mean(NamedTuple):
    """A weighted mean in two parts, float32 scalars: sum / (weight + epsilon)."""

    sum: tf.Tensor
    weight: tf.Tensor
    epsilon: float = 0.0

    @property
    def value(self) -> tf.Tensor:
        return tf.math.divide_no_nan(self.sum, self.weight + self.epsilon)


def weighted(values: tf.Tensor, weights: tf.Tensor, epsilon: float = 0.0) -> Mean:
    """The mean of `values` under `weights`, two tensors of one shape."""
    values = tf.cast(values, tf.float32)
    return Mean(tf.reduce_sum(values * weights), tf.reduce_sum(weights), epsilon)


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(logits)[label] per row; logits [..., C], labels int32 [...]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.cast(logits, tf.float32))


def correct(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """1.0 where the largest logit is the label's, else 0.0."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=labels.dtype), labels), tf.float32)


class ProjectedClasses(keras.layers.Layer):
    """x · Wᵀ + b with W [C, H], as the original's heads hold it: variables `output_weights`, `output_bias`."""

    def __init__(self, classes: int, stddev: float, **kwargs):
        super().__init__(**kwargs)
        self.classes, self.stddev = classes, stddev

    def build(self, input_shape):
        self.output_weights = self.add_weight(
            shape=(self.classes, input_shape[-1]), initializer=initializer(self.stddev), name="output_weights"
        )
        self.output_bias = self.add_weight(shape=(self.classes,), initializer="zeros", name="output_bias")
        self.built = True

    def call(self, x):
        return tf.nn.bias_add(tf.matmul(x, self.output_weights, transpose_b=True), self.output_bias)


class Transform(keras.layers.Layer):
    """The masked LM head's own projection before the vocabulary."""

    def __init__(self, config: BertConfig, **kwargs):
        super().__init__(**kwargs)
        self.dense = Dense(config.hidden_size, config.initializer_range, config.activation, name="dense")
        self.normalization = LayerNormalization(name="LayerNorm")

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.normalization.build(input_shape)
        self.built = True

    def call(self, x):
        return self.normalization(self.dense(x))


class MaskedLanguageModel(keras.layers.Layer):
    """Scores of every WordPiece at a hidden position; the output matrix is the word embedding table."""

    def __init__(self, config: BertConfig, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.transform = Transform(config, name="transform")

    def build(self, input_shape):
        self.transform.build(input_shape)
        self.output_bias = self.add_weight(shape=(self.config.vocab_size,), initializer="zeros", name="output_bias")
        self.built = True

    def call(self, x, word_embeddings):
        return tf.nn.bias_add(tf.matmul(self.transform(x), word_embeddings, transpose_b=True), self.output_bias)


class PretrainingHeads(keras.layers.Layer):
    """The folder `cls` of a pre-training checkpoint: both heads."""

    def __init__(self, config: BertConfig, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = config.hidden_size
        self.masked_lm = MaskedLanguageModel(config, name="predictions")
        self.next_sentence = ProjectedClasses(2, config.initializer_range, name="seq_relationship")

    def build(self, input_shape=None):
        self.masked_lm.build((None, self.hidden_size))
        self.next_sentence.build((None, self.hidden_size))
        self.built = True


class Model(keras.Model):
    """What the models here share: an encoder and a config that goes into `.keras` files."""

    def __init__(self, config: BertConfig | dict, name: str = "", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config = config if isinstance(config, BertConfig) else BertConfig.from_dict(config)
        self.bert = BertModel(self.config)
        self.seed_generator = keras.random.SeedGenerator()

    def get_config(self):
        return {"config": self.config.to_dict()}

    def build(self, input_shape=None):
        if not self.built:
            self.bert.build()
            self.build_head()
            self.built = True

    def build_head(self) -> None:
        """Creates the variables of what stands on the encoder."""
        raise NotImplementedError

    def get_build_config(self):
        return {}

    def build_from_config(self, config):
        self.build()

    def loss_weights(self, batch) -> dict[str, tf.Tensor]:
        """The weights of the loss terms, known before the model has run: each real row weighs 1."""
        return {name: tf.reduce_sum(batch["is_real_example"]) for name in self.chance_losses}

    @property
    def chance_losses(self) -> dict[str, float]:
        """Loss term -> what it is, in nats, for a model that guesses."""
        raise NotImplementedError

    def dropout_seed(self, training: bool, seed: tf.Tensor | None) -> tf.Tensor | None:
        """The seed given, or where Keras's `fit` trains without one, the next of a generator."""
        return tf.cast(self.seed_generator.next(), tf.int32) if training and seed is None else seed

    def encode(self, batch, positions=None, seed=None):
        return self.bert(batch["input_ids"], batch["input_mask"], batch["segment_ids"], positions=positions, seed=seed)


@keras.saving.register_keras_serializable(package="bert")
class PretrainingModel(Model):
    """Masked LM and next sentence (section 3.1): batch features of `records.PRETRAINING` plus `is_real_example` [B]."""

    reported = ("masked_lm_loss", "next_sentence_loss", "masked_lm_accuracy", "next_sentence_accuracy")

    def __init__(self, config: BertConfig | dict, **kwargs):
        super().__init__(config, **kwargs)
        self.heads = PretrainingHeads(self.config, name="cls")
        self.build()

    def build_head(self):
        self.heads.build()

    def call(self, batch, training=False, seed=None):
        """Returns `masked_lm_logits` [B * P, V] and `next_sentence_logits` [B, 2]."""
        seed = self.dropout_seed(training, seed)
        masked = batch["masked_lm_positions"]  # [B, P]
        positions = tf.concat([tf.zeros_like(masked[:, :1]), masked], axis=1)  # [B, 1 + P], [CLS] first
        encoded = self.encode(batch, positions=positions, seed=seed)
        hidden = tf.reshape(encoded["sequence_output"][:, 1:], [-1, self.config.hidden_size])  # [B * P, H]
        return {
            "masked_lm_logits": self.heads.masked_lm(hidden, self.bert.embeddings.word_embeddings),
            "next_sentence_logits": self.heads.next_sentence(encoded["pooled_output"]),
        }

    @property
    def chance_losses(self) -> dict[str, float]:
        return {"masked_lm_loss": math.log(self.config.vocab_size), "next_sentence_loss": math.log(2)}

    def loss_weights(self, batch) -> dict[str, tf.Tensor]:
        return {**super().loss_weights(batch), "masked_lm_loss": tf.reduce_sum(self._targets(batch)[1])}

    def loss_terms(self, batch, outputs) -> dict[str, Mean]:
        ids, weights, next_sentence, real = self._targets(batch)
        return {
            # A batch without any masked position must not divide by zero: PARITY 9 gives the 1e-5.
            "masked_lm_loss": weighted(cross_entropy(outputs["masked_lm_logits"], ids), weights, epsilon=1e-5),
            "next_sentence_loss": weighted(cross_entropy(outputs["next_sentence_logits"], next_sentence), real),
        }

    def measures(self, batch, outputs) -> dict[str, Mean]:
        ids, weights, next_sentence, real = self._targets(batch)
        return {
            "masked_lm_accuracy": weighted(correct(outputs["masked_lm_logits"], ids), weights),
            "next_sentence_accuracy": weighted(correct(outputs["next_sentence_logits"], next_sentence), real),
        }

    def _targets(self, batch):
        real = batch["is_real_example"]  # [B]
        weights = batch["masked_lm_weights"] * real[:, tf.newaxis]  # [B, P]
        ids = tf.reshape(batch["masked_lm_ids"], [-1])  # [B * P]
        return ids, tf.reshape(weights, [-1]), batch["next_sentence_labels"][:, 0], real


@keras.saving.register_keras_serializable(package="bert")
class SequenceClassifier(Model):
    """One class of C per sequence (figure 4, a and b): batch features of `records.CLASSIFIER`."""

    reported = ("accuracy",)

    def __init__(self, config: BertConfig | dict, classes: int, **kwargs):
        super().__init__(config, **kwargs)
        self.classes = classes
        self.dropout = Dropout(CLASSIFIER_DROPOUT, name="classifier_dropout")
        self.projection = ProjectedClasses(classes, CLASSIFIER_STDDEV, name="")  # variables at the root
        self.build()

    def build_head(self):
        self.dropout.build((None, self.config.hidden_size))
        self.projection.build((None, self.config.hidden_size))

    def call(self, batch, training=False, seed=None):
        """Returns `logits` [B, C]."""
        seed = self.dropout_seed(training, seed)
        first = tf.zeros_like(batch["input_ids"][:, :1])  # [B, 1]
        pooled = self.encode(batch, positions=first, seed=seed)["pooled_output"]  # [B, H]
        return {"logits": self.projection(self.dropout(pooled, seed=seed))}

    @property
    def chance_losses(self) -> dict[str, float]:
        return {"cross_entropy": math.log(self.classes)}

    def loss_terms(self, batch, outputs) -> dict[str, Mean]:
        labels = batch["label_ids"][:, 0]
        return {"cross_entropy": weighted(cross_entropy(outputs["logits"], labels), batch["is_real_example"])}

    def measures(self, batch, outputs) -> dict[str, Mean]:
        return {"accuracy": weighted(correct(outputs["logits"], batch["label_ids"][:, 0]), batch["is_real_example"])}

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


class SpanHeads(keras.layers.Layer):
    """The folder `cls` of a question answering checkpoint: scores of a start and of an end, at every position."""

    def __init__(self, config: BertConfig, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = config.hidden_size
        self.squad = ProjectedClasses(2, CLASSIFIER_STDDEV, name="squad")

    def build(self, input_shape=None):
        self.squad.build((None, self.hidden_size))
        self.built = True

    def call(self, x):
        shape = tf.shape(x)  # [B, S, H]
        logits = tf.reshape(self.squad(tf.reshape(x, [-1, self.hidden_size])), [shape[0], shape[1], 2])
        return tf.unstack(logits, axis=-1)


@keras.saving.register_keras_serializable(package="bert")
class SpanModel(Model):
    """Where an answer starts and ends (figure 4, c): batch features of `records.SQUAD_TRAINING` or SQUAD_PREDICTION."""

    reported = ("exact_spans",)

    def __init__(self, config: BertConfig | dict, **kwargs):
        super().__init__(config, **kwargs)
        self.bert.pooler.trainable = False  # saved, but nothing reads it: no gradient, no slots (PARITY 9)
        self.heads = SpanHeads(self.config, name="cls")
        self.build()

    def build_head(self):
        self.heads.build()

    def call(self, batch, training=False, seed=None):
        """Returns `start_logits` and `end_logits`, [B, S], and `unique_ids` [B]."""
        sequence = self.encode(batch, seed=self.dropout_seed(training, seed))["sequence_output"]
        start, end = self.heads(sequence)
        logits = {"start_logits": tf.cast(start, tf.float32), "end_logits": tf.cast(end, tf.float32)}
        return {**logits, "unique_ids": batch["unique_ids"][:, 0]}

    @property
    def chance_losses(self) -> dict[str, float]:
        return {"span_loss": math.log(self.config.max_position_embeddings)}

    def loss_terms(self, batch, outputs) -> dict[str, Mean]:
        # Like the original's, the softmax runs over all positions the batch has, padding and question among them.
        start = cross_entropy(outputs["start_logits"], batch["start_positions"][:, 0])
        end = cross_entropy(outputs["end_logits"], batch["end_positions"][:, 0])
        return {"span_loss": weighted((start + end) / 2.0, batch["is_real_example"])}

    def measures(self, batch, outputs) -> dict[str, Mean]:
        start = correct(outputs["start_logits"], batch["start_positions"][:, 0])
        end = correct(outputs["end_logits"], batch["end_positions"][:, 0])
        return {"exact_spans": weighted(start * end, batch["is_real_example"])}


@keras.saving.register_keras_serializable(package="bert")
class TokenClassifier(Model):
    """One class of C per position (figure 4, d): batch features of `records.TAGGING`."""

    reported = ("token_accuracy",)

    def __init__(self, config: BertConfig | dict, classes: int, **kwargs):
        super().__init__(config, **kwargs)
        self.bert.pooler.trainable = False  # saved, but nothing reads it: no gradient, no slots (as in PARITY 9)
        self.classes = classes
        self.dropout = Dropout(CLASSIFIER_DROPOUT, name="classifier_dropout")
        self.projection = ProjectedClasses(classes, CLASSIFIER_STDDEV, name="")  # variables at the root
        self.build()

    def build_head(self):
        self.dropout.build((None, None, self.config.hidden_size))
        self.projection.build((None, self.config.hidden_size))

    def call(self, batch, training=False, seed=None):
        """Returns `logits` [B, S, C] and `unique_ids` [B]."""
        seed = self.dropout_seed(training, seed)
        sequence = self.dropout(self.encode(batch, seed=seed)["sequence_output"], seed=seed)  # [B, S, H]
        logits = self.projection(tf.reshape(sequence, [-1, self.config.hidden_size]))  # [B * S, C]
        logits = tf.reshape(tf.cast(logits, tf.float32), [*tf.unstack(tf.shape(sequence)[:2]), self.classes])
        return {"logits": logits, "unique_ids": batch["unique_ids"][:, 0]}

    @property
    def chance_losses(self) -> dict[str, float]:
        return {"cross_entropy": math.log(self.classes)}

    def loss_weights(self, batch) -> dict[str, tf.Tensor]:
        return {"cross_entropy": tf.reduce_sum(self._weights(batch))}

    def loss_terms(self, batch, outputs) -> dict[str, Mean]:
        return {"cross_entropy": weighted(cross_entropy(outputs["logits"], batch["label_ids"]), self._weights(batch))}

    def measures(self, batch, outputs) -> dict[str, Mean]:
        return {"token_accuracy": weighted(correct(outputs["logits"], batch["label_ids"]), self._weights(batch))}

    def _weights(self, batch) -> tf.Tensor:
        """1.0 where a word is predicted, [B, S]; a row that only fills the batch has none."""
        return tf.cast(batch["label_weights"], tf.float32) * batch["is_real_example"][:, tf.newaxis]

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}
