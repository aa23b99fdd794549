"""The model's outputs for every record of a set, in the order of its files, however the records travelled."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from bert.errors import InputError
from bert.training.steps import REAL, RECORD

Outputs = dict[str, list[np.ndarray]]  # name -> what the model gave for each record, a row a record


def check_outputs(folder: str, name: str, values: np.ndarray) -> None:
    """Raises InputError, naming the model's folder, for outputs that are NaN or infinite, as those of weights are that
    an update has thrown out of range."""
    if not np.isfinite(values).all():
        several = f"{name.removesuffix('s')}s"
        raise InputError(f"the model in {folder} gives {several} that are not finite: its training went astray")


def losses_of_batches(row_losses: list[np.ndarray], batch_size: int) -> list[np.float32]:
    """The mean loss of each batch of so many rows, float32, of the losses of all; the last batch may be a short one."""
    return [
        np.float32(np.mean(row_losses[start : start + batch_size])) for start in range(0, len(row_losses), batch_size)
    ]


class OutputCollector:
    """Takes up the outputs of batches and gives back those of the records."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._records: list[np.ndarray] = []
        self._rows: Outputs = {}

    def add(self, outputs: Mapping[str, tf.Tensor]) -> None:
        """The outputs of a batch, [B, ...] each, with `record` [B]; rows that only fill a batch are left out."""
        real = outputs[REAL].numpy() > 0
        self._records.append(outputs[RECORD].numpy()[real])
        for name, value in outputs.items():
            if name not in (REAL, RECORD):
                values = value.numpy()[real]
                check_outputs(self._folder, name, values)
                self._rows.setdefault(name, []).extend(values)

    def in_order(self) -> Outputs:
        """A row a record, in the order of the files. A row of a cut batch has only the positions of that batch."""
        order = np.argsort(np.concatenate([np.zeros(0, np.int64), *self._records]))
        return {name: [rows[index] for index in order] for name, rows in self._rows.items()}
