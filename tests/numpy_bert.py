"""BERT in plain numpy (docs/parity.md 9), from a checkpoint's variables: what results are compared with."""

import numpy as np
import tensorflow as tf


def read_variables(prefix) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: np.float64(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()}


def columns(rows: list[dict]) -> dict[str, np.ndarray]:
    """Records as arrays [B, length]."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


class Bert:
    """The encoder; `v` are the variables by name, `heads` the number of attention heads N."""

    def __init__(self, v: dict[str, np.ndarray], heads: int):
        self.v, self.heads = v, heads
        self.layers = 1 + max(int(name.split("/")[2][6:]) for name in v if name.startswith("bert/encoder/layer_"))

    def dense(self, x, name):
        return x @ self.v[f"{name}/kernel"] + self.v[f"{name}/bias"]

    def normalize(self, x, name):
        centered = x - x.mean(-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * self.v[f"{name}/gamma"] + self.v[f"{name}/beta"]

    def attention(self, x, mask, name):
        b, s, h = x.shape
        query, key, value = (
            self.dense(x, f"{name}/{part}").reshape(b, s, self.heads, -1).transpose(0, 2, 1, 3)  # [B, N, S, D]
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(h // self.heads) - 10000.0 * (1 - mask[:, None, None, :])
        return (np.exp(log_softmax(scores)) @ value).transpose(0, 2, 1, 3).reshape(b, s, h)

    def encode(self, batch) -> tuple[np.ndarray, np.ndarray]:
        """Sequence output [B, S, H] and pooled output [B, H]."""
        tables = {name: self.v[f"bert/embeddings/{name}_embeddings"] for name in ("word", "token_type", "position")}
        ids, segments = batch["input_ids"], np.asarray(batch["segment_ids"], int)
        x = tables["word"][ids] + tables["token_type"][segments] + tables["position"][: ids.shape[1]]
        x = self.normalize(x, "bert/embeddings/LayerNorm")
        for number in range(self.layers):
            name = f"bert/encoder/layer_{number}"
            attended = self.attention(x, batch["input_mask"], f"{name}/attention/self")
            attended = self.dense(attended, f"{name}/attention/output/dense")
            x = self.normalize(x + attended, f"{name}/attention/output/LayerNorm")
            between = gelu(self.dense(x, f"{name}/intermediate/dense"))
            x = self.normalize(x + self.dense(between, f"{name}/output/dense"), f"{name}/output/LayerNorm")
        return x, np.tanh(self.dense(x[:, 0], "bert/pooler/dense"))


def pretraining_evaluation(prefix, rows: list[dict], heads: int, batch_size: int) -> dict[str, float]:
    """The five means of run_pretraining's evaluation: each record once, the last batch as short as it is."""
    bert, batch = Bert(read_variables(prefix), heads), columns(rows)
    sequence, pooled = bert.encode(batch)
    hidden = np.take_along_axis(sequence, batch["masked_lm_positions"][:, :, None], axis=1)  # [B, P, H]
    hidden = gelu(bert.dense(hidden, "cls/predictions/transform/dense"))
    hidden = bert.normalize(hidden, "cls/predictions/transform/LayerNorm")
    words = log_softmax(hidden @ bert.v["bert/embeddings/word_embeddings"].T + bert.v["cls/predictions/output_bias"])
    next_sentence = (
        pooled @ bert.v["cls/seq_relationship/output_weights"].T + bert.v["cls/seq_relationship/output_bias"]
    )

    weights = batch["masked_lm_weights"]
    word_losses = -np.take_along_axis(words, batch["masked_lm_ids"][:, :, None], axis=2)[:, :, 0] * weights
    next_losses = -np.take_along_axis(log_softmax(next_sentence), batch["next_sentence_labels"], axis=1)[:, 0]
    parts = [slice(start, start + batch_size) for start in range(0, len(rows), batch_size)]
    losses = [word_losses[part].sum() / (weights[part].sum() + 1e-5) + next_losses[part].mean() for part in parts]
    return {
        "loss": np.mean(losses),
        "masked_lm_accuracy": ((words.argmax(2) == batch["masked_lm_ids"]) * weights).sum() / weights.sum(),
        "masked_lm_loss": word_losses.sum() / weights.sum(),
        "next_sentence_accuracy": (next_sentence.argmax(1) == batch["next_sentence_labels"][:, 0]).mean(),
        "next_sentence_loss": next_losses.mean(),
    }


def class_log_probabilities(prefix, rows: list[dict], heads: int) -> np.ndarray:
    """Log probabilities [B, C] of a classifier's checkpoint."""
    bert = Bert(read_variables(prefix), heads)
    _, pooled = bert.encode(columns(rows))
    return log_softmax(pooled @ bert.v["output_weights"].T + bert.v["output_bias"])
