"""What all exported models share: a function of ids, and for most kinds one of texts, made of plain graph operations.

Shapes: B rows, S their padded length, T words, C classes, V vocabulary, H hidden size.
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import tensorflow as tf

from bert.activations import plain_operations
from bert.heads import HeadedModel, Tensors
from bert.options import Dataclass
from bert.prediction.base import checked_length
from bert.prediction.forward import INPUTS
from bert.prediction.options import settle
from bert.stored_model import StoredModel
from bert.tokenization import Tokenizer

TEXT = tf.TensorSpec([None], tf.string, name="text")
TEXT_B = tf.TensorSpec([None], tf.string, name="text_b")


@dataclasses.dataclass(frozen=True)
class Function:
    """A function of named tensors, [B, ...] each, that gives others by name."""

    call: Callable[..., Tensors]
    inputs: tuple[tf.TensorSpec, ...]

    def graph(self) -> Any:
        """A `tf.function` of one graph, for every number of rows and every length."""

        def plain(*tensors: tf.Tensor) -> Tensors:
            with plain_operations():
                return self.call(*tensors)

        return tf.function(plain, input_signature=self.inputs, autograph=False)


class Exported(abc.ABC):
    """A model of one kind, for other programs.

    Attributes:
      kind: what it does, one of the kinds of `bert.stored_model`.
      options_class: how texts are read and answers chosen.
      inputs: what the function of ids takes, int32 [B, S] each.
      max_seq_length: most WordPieces of a row, [CLS] and [SEP] included.
    """

    kind: ClassVar[str]
    options_class: ClassVar[type[Dataclass]]
    inputs: ClassVar[tuple[str, ...]] = INPUTS

    def __init__(self, stored: StoredModel, max_seq_length: int | None, options: Mapping[str, Any]) -> None:
        """Raises InputError for an option that is none or cannot be exported, or a checkpoint that does not fit."""
        self.stored = stored
        self.max_seq_length = checked_length(stored, max_seq_length)
        self.options: Any = settle(self.options_class, {**stored.settings, **(stored.labels or {})}, options)
        self.check_options()
        self.model: HeadedModel = stored.build()

    def check_options(self) -> None:  # noqa: B027 (most kinds have nothing to check)
        """Raises InputError for options that make no sense, or ask for what no graph here does."""

    @property
    def ids(self) -> Function:
        """From ids to what the head gives."""
        specs = tuple(tf.TensorSpec([None, None], tf.int32, name=name) for name in self.inputs)
        return Function(lambda *tensors: self.network(dict(zip(self.inputs, tensors, strict=True))), specs)

    def network(self, batch: Tensors) -> Tensors:
        """What the function of ids gives for `inputs`."""
        return self.model(batch)

    @property
    def texts(self) -> Function | None:
        """From texts to answers; None for a kind that takes ids only."""
        return None

    def tokenizer(self) -> Tokenizer:
        return Tokenizer(self.stored.vocabulary, self.stored.do_lower_case)
