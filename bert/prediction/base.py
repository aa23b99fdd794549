"""What all predictors share: rows in, one prediction a row out, in their order.

    predictor.predict("a text")             one row, one prediction
    predictor.predict(["a text", ...])      rows, a list of predictions
    predictor.iterate(rows)                 rows without end, predictions as they come
    predictor.answer(predictor.read(rows))  the two halves of `predict`: a server checks rows as they come and answers
                                            those of several requests together

Shapes: R rows, S max_seq_length.
"""

import abc
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, overload

import numpy as np

from bert.errors import InputError, shown
from bert.heads import HeadedModel, Tensors
from bert.options import Dataclass
from bert.prediction import rows as row_reading
from bert.prediction.forward import Forward, OnnxForward, TensorFlowForward
from bert.prediction.options import settle
from bert.stored_model import StoredModel
from bert.tasks.base import InputExample
from bert.tokenization import Tokenizer
from bert.training.outputs import Outputs

SHORTEST = 3  # [CLS] [SEP] [SEP] of a pair
Row = str | tuple | Mapping[str, Any]


class Prediction:
    """What is predicted for a row: a dataclass.

    Attributes:
      truncated: how many WordPieces of the row the model has not read.
    """

    truncated: int

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as JSON has them."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]


Example = TypeVar("Example")  # a row that has been checked
Result = TypeVar("Result", bound=Prediction)


class Predictor(abc.ABC, Generic[Example, Result]):
    """A model of one kind, ready to answer; safe from several threads.

    Attributes:
      kind: what it does, one of the kinds of `bert.stored_model`.
      fields: the names that a row may have as a dict, and what they hold.
      stored: the model as it lies in its folder: config, vocabulary, labels.
      options: how rows are read and answers chosen.
      max_seq_length: most WordPieces of a row, [CLS] and [SEP] included.
    """

    kind: ClassVar[str]
    fields: ClassVar[Mapping[str, str]]
    options_class: ClassVar[type[Dataclass]]
    rows_at_once: ClassVar[int] = 1024  # so that memory does not grow with the number of rows

    def __init__(self, stored: StoredModel, max_seq_length: int | None, options: Mapping[str, Any]) -> None:
        """Raises InputError for an option that is none or has no sense, and for a checkpoint that does not fit."""
        self.stored = stored
        self.max_seq_length = checked_length(stored, max_seq_length)
        self.options: Any = settle(self.options_class, {**stored.settings, **(stored.labels or {})}, options)
        self.check_options()
        self.tokenizer = Tokenizer(stored.vocabulary, stored.do_lower_case)
        self._forward: Forward
        if stored.is_onnx:
            self._forward = OnnxForward(stored.weights)
        else:
            self._forward = TensorFlowForward(self.network(stored.build()))
        self._forward.warm_up(self.max_seq_length, stored.folder)

    @overload
    def predict(self, rows: Row) -> Result: ...  # type: ignore[overload-overlap]  # a text is one row

    @overload
    def predict(self, rows: Iterable[object]) -> list[Result]: ...

    def predict(self, rows: Any) -> Result | list[Result]:
        """One prediction for one row (a text, a tuple or a dict), a list of them for a list or any other iterable.

        Raises InputError that names the bad rows, before anything is computed.
        """
        if isinstance(rows, str | bytes | tuple | Mapping) or not isinstance(rows, Iterable):
            return self.answer(self.read([rows], "the row"))[0]
        return self.answer(self.read(rows))

    def iterate(self, rows: Iterable[object]) -> Iterator[Result]:
        """Predictions in the order of the rows, which are read as they are needed; memory does not grow with them.

        Raises InputError where it comes to a bad row; those before it have their predictions.
        """
        iterator, done = iter(rows), 0
        while part := list(itertools.islice(iterator, self.rows_at_once)):
            yield from self.answer(self.read(part, first=done))
            done += len(part)

    def read(self, rows: Iterable[object], place: str = "rows[{}]", first: int = 0) -> list[Example]:
        """Checks rows; raises one InputError for all bad ones, each named by `place`, in which `first` and so on are
        the rows' numbers."""
        return row_reading.read_all(rows, self.example, place, first)

    def answer(self, examples: Sequence[Example]) -> list[Result]:
        """The predictions of rows that `read` has checked, in their order."""
        parts = (examples[begin : begin + self.rows_at_once] for begin in range(0, len(examples), self.rows_at_once))
        return [result for part in parts for result in self._answer(part)]

    @abc.abstractmethod
    def example(self, row: object) -> Example:
        """A row, checked. Raises InputError, which says what was found and what was expected, not where."""

    @abc.abstractmethod
    def _answer(self, examples: Sequence[Example]) -> Iterable[Result]:
        """The predictions of at least one example and at most `rows_at_once`."""

    @abc.abstractmethod
    def cells(self, result: Result) -> list[str]:
        """A prediction as a person reads it, for one line of tab-separated columns."""

    def row_of(self, line: str) -> object:
        """The row that a line of text is: its columns, where tabs separate some."""
        return tuple(line.split("\t")) if "\t" in line else line

    def network(self, model: HeadedModel) -> Callable[[Tensors], Tensors]:
        """What is run on batches of input_ids, input_mask and segment_ids: the model, or a function that gives less."""
        return model

    def check_options(self) -> None:
        """Raises InputError for options that make no sense."""

    def forward(self, features: Mapping[str, np.ndarray]) -> Outputs:
        """What the network gives for each row, in order; features [R, S] each."""
        return self._forward(features)


class TextPredictor(Predictor[InputExample, Result]):
    """A predictor whose rows are a text, a pair of texts, or {"text": ..., "text_b": ...}."""

    fields: ClassVar[Mapping[str, str]] = {"text": "the text", "text_b": "the second text of a pair, or null"}

    def example(self, row: object) -> InputExample:
        text, text_b = row_reading.read_pair(row, ("text", "text_b"))
        if text_b and self.stored.config.type_vocab_size < 2:
            raise InputError("found a pair of texts, expected a text: the model has type_vocab_size 1")
        return InputExample("", text, text_b)


def checked_length(stored: StoredModel, given: int | None) -> int:
    """The `max_seq_length` that is given, or else stored. Raises InputError where the model cannot have it."""
    length = stored.max_seq_length if given is None else given
    positions = stored.config.max_position_embeddings
    if type(length) is not int or not SHORTEST <= length <= positions:
        raise InputError(
            f"`max_seq_length` is {shown(length)}, expected {SHORTEST} to {positions}, "
            f"the positions of the model of {stored.folder}"
        )
    return length
