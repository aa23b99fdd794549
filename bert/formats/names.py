"""What a variable of Google's checkpoints is called by Hugging Face, and the other way round.

Both lists of names follow the same tree, `bert/encoder/layer_0/output/dense` and `bert.encoder.layer.0.output.dense`;
the rules say what the leaves are called. PyTorch keeps the kernel of a dense layer as [out, in], Google as [in, out];
the heads that Google calls `output_weights` are [out, in] in both.
"""

import re
from typing import NamedTuple

import numpy as np


class Rule(NamedTuple):
    """A name in both worlds; `*` is a part of the tree."""

    google: str
    huggingface: str
    is_transposed: bool = False


# The first that fits is taken, in both directions.
RULES = (
    Rule("bert/embeddings/word_embeddings", "bert.embeddings.word_embeddings.weight"),
    Rule("bert/embeddings/token_type_embeddings", "bert.embeddings.token_type_embeddings.weight"),
    Rule("bert/embeddings/position_embeddings", "bert.embeddings.position_embeddings.weight"),
    Rule("*/LayerNorm/gamma", "*.LayerNorm.weight"),
    Rule("*/LayerNorm/beta", "*.LayerNorm.bias"),
    Rule("*/LayerNorm/gamma", "*.LayerNorm.gamma"),  # as files converted in 2018 and 2019 have it
    Rule("*/LayerNorm/beta", "*.LayerNorm.beta"),
    Rule("cls/predictions/output_bias", "cls.predictions.bias"),
    Rule("cls/seq_relationship/output_weights", "cls.seq_relationship.weight"),
    Rule("cls/seq_relationship/output_bias", "cls.seq_relationship.bias"),
    Rule("cls/squad/output_weights", "qa_outputs.weight"),
    Rule("cls/squad/output_bias", "qa_outputs.bias"),
    Rule("output_weights", "classifier.weight"),  # of sequences or of tokens
    Rule("output_bias", "classifier.bias"),
    Rule("*/kernel", "*.weight", is_transposed=True),
    Rule("*/bias", "*.bias"),
)
_ENCODER_PARTS = ("embeddings", "encoder", "pooler")
_TREES = ("bert/", "cls/predictions/transform/")  # where `*` may be; elsewhere a leaf may mean something else


class Place(NamedTuple):
    """Where a value goes: its name there, and whether its two axes change places."""

    name: str
    is_transposed: bool

    def put(self, value: np.ndarray) -> np.ndarray:
        """The value as it lies there, contiguous: the writer of safetensors writes strides it does not know."""
        return np.ascontiguousarray(value.T if self.is_transposed else value)


def to_google(name: str) -> Place:
    """The place in Google's checkpoint of a Hugging Face tensor; one that no rule knows keeps its name.

    The encoder's names may lack the opening `bert.`, as in files that hold nothing but the encoder.
    """
    full = f"bert.{name}" if name.split(".")[0] in _ENCODER_PARTS else name
    for rule in RULES:
        part = _wildcard(rule.huggingface, full)
        if part is not None:
            tree = re.sub(r"\blayer\.(\d+)", r"layer_\1", part).replace(".", "/")
            if not part or f"{tree}/".startswith(_TREES):
                return Place(rule.google.replace("*", tree), rule.is_transposed)
    return Place(name, False)


def to_huggingface(name: str) -> Place:
    """The place in a Hugging Face file of a variable of Google's checkpoint; one that no rule knows keeps its name."""
    for rule in RULES:
        tree = _wildcard(rule.google, name)
        if tree is not None and (not tree or f"{tree}/".startswith(_TREES)):
            part = tree.replace("/", ".").replace("layer_", "layer.")
            return Place(rule.huggingface.replace("*", part), rule.is_transposed)
    return Place(name, False)


def _wildcard(pattern: str, name: str) -> str | None:
    """What stands for `*`, the empty string where the pattern has none; None where the name does not fit."""
    if not pattern.startswith("*"):
        return "" if name == pattern else None
    ending = pattern[1:]
    return name.removesuffix(ending) if name.endswith(ending) and name != ending else None
