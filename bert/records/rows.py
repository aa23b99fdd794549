"""What every kind of fine-tuning hands over: the rows of a split, and the one way they are written and shown."""

import abc
import logging
from collections.abc import Iterator

import numpy as np

from bert.records.kinds import RecordKind
from bert.records.storage import write_rows

logger = logging.getLogger(__name__)

BATCH = 2000  # rows laid out at once; a divisor of LOG_EVERY
LOG_EVERY = 10000
EXAMPLES_LOGGED, EXAMPLES_LOGGED_IF_VERBOSE = 1, 5


class Rows(abc.ABC):
    """The rows of a split: examples, or windows of examples, as the model reads them. Shapes: S max_seq_length."""

    @property
    @abc.abstractmethod
    def record_kind(self) -> RecordKind:
        """The kind of record the rows become."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of rows."""

    @abc.abstractmethod
    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        """The features of rows `begin` to `end`, not included, named as in the kind and in its order.

        Each is [end - begin, length], int32 or float32, as `parsing.parse` gives it. Raises InputError for an example
        that makes no row.
        """

    @abc.abstractmethod
    def describe(self, positions: int) -> list[str]:
        """Lines for the log, to be asked for when all rows are written: counts, lengths, labels.

        `positions` is the longest row that the model can read.
        """

    @abc.abstractmethod
    def show(self, row: int, verbose: bool = False) -> list[str]:
        """Lines for the log that say what is in a row: WordPieces, label, length; if `verbose`, all its numbers."""


def write(path: str, rows: Rows, padding: int = 0, logged: int | None = None, verbose: bool = False) -> int:
    """Writes all rows, in order, to a TFRecord file, atomically; returns how many records there are.

    Args:
      path: of the file.
      rows: what is written.
      padding: rows of zeros, which weigh nothing, behind the others; there must be others then.
      logged: how many of the first rows go to the log; None: one, or five if `verbose`.
      verbose: show rows with all their numbers.
    """
    if logged is None:
        logged = EXAMPLES_LOGGED_IF_VERBOSE if verbose else EXAMPLES_LOGGED

    def batches() -> Iterator[dict[str, np.ndarray]]:
        features: dict[str, np.ndarray] = {}
        for begin in range(0, len(rows), BATCH):
            if begin % LOG_EVERY == 0:
                logger.info("Writing example %d of %d", begin, len(rows))
            end = min(begin + BATCH, len(rows))
            features = rows.features(begin, end)
            for row in range(begin, min(end, logged)):
                _show(rows, row, verbose)
            yield features
        if padding:
            yield {name: np.zeros((padding, values.shape[1]), values.dtype) for name, values in features.items()}

    return write_rows(path, rows.record_kind, batches())


def _show(rows: Rows, row: int, verbose: bool) -> None:
    """Logs a row in the words that readers of the original's log look for (docs/parity.md 3)."""
    logger.info("*** Example ***")
    for line in rows.show(row, verbose):
        logger.info("%s", line)


def number_lines(features: dict[str, np.ndarray]) -> list[str]:
    """The numbers of the first row, a line each for what stands under its WordPieces."""
    names = ("input_ids", "input_mask", "segment_ids")
    return [f"{name}: {' '.join(map(str, features[name][0]))}" for name in names]
