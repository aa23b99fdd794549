"""The model, loaded once, that turns lines of text into vectors."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert.errors import InputError
from bert.features.encoder import Encoder
from bert.features.options import Options
from bert.features.texts import Rows, padded_length
from bert.training.run import read_config, read_tokenizer

logger = logging.getLogger(__name__)

_HELD_VALUES = 1 << 25  # of the vectors that wait until those of the lines before them are there: 128 MB


class Features(NamedTuple):
    """What comes out for a text of n WordPieces, with K layers asked for.

    Attributes:
      ids: int32 [n], its WordPieces, [CLS] and [SEP] included.
      values: float32 [K, n, H], or with a pooling [K * H].
      full_length: n before the text was cut.
    """

    ids: np.ndarray
    values: np.ndarray
    full_length: int


class Extractor:
    """Reads config, vocabulary and weights.

    Raises InputError for what does not fit together: a length beyond the model's positions, a layer it does not have,
    a vocabulary that is too large, a checkpoint of another model or without a part of the encoder.
    """

    def __init__(self, options: Options, strategy: tf.distribute.Strategy | None = None) -> None:
        self.options = options
        config = read_config(options.bert_config_file, options.max_seq_length)
        config.check_is_bert(f"`bert_config_file`={options.bert_config_file}")
        options.check_layers(config.num_hidden_layers)
        self._tokenizer = read_tokenizer(options.vocab_file, options.do_lower_case, config)
        self._encoder = Encoder(options, config, strategy or tf.distribute.get_strategy())
        if options.batch_size % self._encoder.replicas:
            raise InputError(
                f"`batch_size` is {options.batch_size}, expected a multiple of {self._encoder.replicas}, the number of "
                "replicas"
            )
        self.tokens = self._tokenizer.vocabulary.tokens
        self.width = len(options.layer_numbers) * config.hidden_size  # values of a pooled vector

    def extract(self, lines: Sequence[str], advance: Callable[[int], None] = lambda _: None) -> Iterator[Features]:
        """The features of each line, in their order; `advance` hears how many more are computed.

        Lines of like length go through the model together, but only so many that their vectors can wait in memory.
        """
        rows = Rows.encode(lines, self._tokenizer, self.options.max_seq_length)
        for begin, end in self._windows(rows):
            yield from self._window(rows, begin, end, advance)

    def _windows(self, rows: Rows) -> Iterator[tuple[int, int]]:
        """Cuts the rows into whole batches, as many as may be held."""
        pieces = np.ones_like(rows.lengths) if self.options.is_pooled else rows.lengths
        ends = np.cumsum(pieces * self.width)
        begin, batch = 0, self.options.batch_size
        while begin < len(rows):
            before = ends[begin - 1] if begin else 0
            count = int(np.searchsorted(ends, before + _HELD_VALUES, side="right")) - begin
            end = min(len(rows), begin + max(1, count // batch) * batch) if begin + count < len(rows) else len(rows)
            yield begin, end
            begin = end

    def _window(self, rows: Rows, begin: int, end: int, advance: Callable[[int], None]) -> Iterator[Features]:
        replicas = self._encoder.replicas
        size = min(self.options.batch_size, -(-(end - begin) // replicas) * replicas)
        order = begin + np.argsort(-rows.lengths[begin:end], kind="stable")  # the largest first, that memory suffices
        found: list[Features | None] = [None] * (end - begin)
        for start in range(0, len(order), size):
            own = order[start : start + size]
            longest = int(rows.lengths[own[0]])
            # Full batches only, since every other shape is compiled anew: the last is filled with what it begins with.
            batch = rows.lay_out(np.resize(own, size), padded_length(longest, self.options.max_seq_length))
            values = self._encoder(batch)
            self._check_finite(values)
            for place, row in enumerate(own):
                length = int(rows.lengths[row])
                ids = batch["input_ids"][place, :length]
                kept = values[place] if self.options.is_pooled else values[place, :, :length]
                found[row - begin] = Features(ids, kept, int(rows.full_lengths[row]))
            advance(len(own))
        for features in found:
            assert features is not None
            yield features

    def _check_finite(self, values: np.ndarray) -> None:
        if not np.isfinite(values).all():
            raise InputError(f"`init_checkpoint`={self.options.init_checkpoint}: the model's vectors are no numbers")
