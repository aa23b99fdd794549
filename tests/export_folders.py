"""Folders of tiny models with random weights, a kind each, laid out like a Google download with a labels.json."""

import json
import pathlib

import keras
import numpy as np

from bert import checkpoint, heads
from bert.config import BertConfig
from tests import commands

CLASSES = ["good", "bad", "so so"]
TAGS = ["O", "B-ORG", "I-ORG", "B-LOC"]
LABELS = {
    "class": {"labels": CLASSES},
    "multilabel": {"labels": CLASSES, "label_kind": "multilabel"},
    "regression": {"labels": [], "label_kind": "regression"},
    "tagging": {"labels": TAGS, "task": "tagging", "scheme": "bio"},
}
HEADS = {
    "class": lambda config: heads.SequenceClassifier(config, len(CLASSES)),
    "multilabel": lambda config: heads.MultiLabelClassifier(config, len(CLASSES)),
    "regression": heads.Regressor,
    "tagging": lambda config: heads.TokenClassifier(config, len(TAGS)),
    "questions": heads.SpanModel,
    "pretraining": heads.PretrainingModel,
    "encoder": heads.EncoderModel,
}


def write(folder: pathlib.Path, kind: str, labels: dict | None = None, **config: object) -> pathlib.Path:
    """`labels` come on top of those of the kind, `config` on top of the tiny model's."""
    folder.mkdir(parents=True)
    config = {"initializer_range": 0.3, "max_position_embeddings": 32, **config}
    commands.write_config(folder, **config)
    (folder / "vocab.txt").write_bytes(commands.VOCABULARY.read_bytes())
    if kind in LABELS:
        (folder / "labels.json").write_text(json.dumps({**LABELS[kind], **(labels or {})}))
    keras.utils.set_random_seed(1)
    model = HEADS[kind](BertConfig.from_json_file(str(folder)))
    generator = np.random.default_rng(1)
    values = {variable.path: variable.numpy() for variable in model.weights if variable.dtype == "float32"}
    values |= {name: np.float32(generator.normal(size=value.shape, scale=0.3)) for name, value in values.items()
               if name.endswith(("output_bias", "output_weights"))}  # a head's own are small  # fmt: skip
    checkpoint.write_variables(str(folder / "bert_model.ckpt"), values)
    return folder


def batch(rows: int, length: int, positions: int = 0) -> dict[str, np.ndarray]:
    """Random ids; the first row is full."""
    generator = np.random.default_rng(rows * length)
    lengths = np.append(length, generator.integers(2, length + 1, rows - 1))[:, None]
    mask = (np.arange(length) < lengths).astype(np.int32)
    ids = generator.integers(1, commands.TINY["vocab_size"], [rows, length], np.int32) * mask
    features = {"input_ids": ids, "input_mask": mask, "segment_ids": (np.arange(length) > length // 2) * mask}
    if positions:
        features["masked_lm_positions"] = generator.integers(0, length, [rows, positions], np.int32)
    return features
