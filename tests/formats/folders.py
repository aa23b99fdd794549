"""The Hugging Face folders of tests/golden, and models here that start from them."""

import pathlib
import shutil

import keras
import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file

from bert import checkpoint, heads
from bert.config import BertConfig

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "huggingface"
BUILDERS = {
    "pretraining": heads.PretrainingModel,
    "classifier": lambda config: heads.SequenceClassifier(config, 3),
    "tagger": lambda config: heads.TokenClassifier(config, 3),
    "squad": heads.SpanModel,
}


def tensors(head: str) -> dict[str, np.ndarray]:
    """The tensors of a golden folder under their own names."""
    return load_file(GOLDEN / head / "model.safetensors")


def answers(head: str) -> dict[str, np.ndarray]:
    return dict(np.load(GOLDEN / head / "answers.npz"))


def started(head: str, folder: pathlib.Path | str | None = None) -> tuple[keras.Model, checkpoint.LoadReport]:
    """A model of the head with the weights of a folder, the golden one if none is given."""
    folder = str(folder or GOLDEN / head)
    model = BUILDERS[head](BertConfig.from_json_file(folder))
    prefix = checkpoint.resolve(folder)
    return model, checkpoint.warm_start({variable.path: variable for variable in model.weights}, prefix)


def logits(head: str, model: keras.Model) -> dict[str, np.ndarray]:
    """What the model says of the golden batch, by transformers' names."""
    stored = answers(head)
    batch = {name: tf.constant(stored[name]) for name in ("input_ids", "input_mask", "segment_ids")}
    rows, length = batch["input_ids"].shape
    if head == "pretraining":
        places = tf.tile(tf.range(length)[tf.newaxis], [rows, 1])
        outputs = model({**batch, "masked_lm_positions": places})
        masked = tf.reshape(outputs["masked_lm_logits"], [rows, length, -1])
        return {"prediction_logits": masked.numpy(), "seq_relationship_logits": outputs["next_sentence_logits"].numpy()}
    outputs = model({**batch, "unique_ids": tf.zeros([rows, 1], tf.int32)})
    return {name: value.numpy() for name, value in outputs.items() if name.endswith("logits")}


def largest_difference(head: str, model: keras.Model) -> float:
    """Between the model's logits and those that transformers computed."""
    stored, found = answers(head), logits(head, model)
    expected = {name for name in stored if name.endswith("logits")}
    assert set(found) == expected
    return max(float(np.max(np.abs(found[name] - stored[name]))) for name in expected)


def copy(head: str, folder: pathlib.Path) -> pathlib.Path:
    """A copy of a golden folder, to be changed."""
    return pathlib.Path(shutil.copytree(GOLDEN / head, folder / head))


def write_vocabulary(folder: pathlib.Path, size: int) -> None:
    """Writes a vocab.txt of a cased model: numbers are its words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "The"]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in [*words, *map(str, range(size - len(words)))]))
