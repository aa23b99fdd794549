"""What a training run tells step by step: the progress line, metrics.jsonl, TensorBoard's event file."""

import math
from collections.abc import Callable, Iterable

import numpy as np

from bert import distribution, measures, reporting
from bert.errors import InputError
from bert.measures import Measure
from bert.training.run_folder import RunFolder
from bert.training.steps import NOT_ON_PROGRESS_LINE, RECORD
from bert.training.tensorboard import EventFile

_SHORT_NAMES = {"learning_rate": "lr", "examples/s": "ex/s", "tokens/s": "tok/s"}


class TrainingLog:
    """Open while a run trains, as a context manager. `step` is where the run stands, of `total_steps`."""

    def __init__(
        self,
        folder: RunFolder,
        step: int,
        total_steps: int,
        reported: Iterable[Measure],
        describe_records: Callable[[Iterable[int]], str],
    ) -> None:
        self._step, self._describe_records = step, describe_records
        self._short_names = {**measures.short_names(reported), **_SHORT_NAMES}
        self._metrics = reporting.StepLog(folder.own_path, step)
        self._events = EventFile(folder.own_path, step)
        self._progress = reporting.Progress("Training", total_steps, start=step)

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()
        self._events.close()

    def add(self, rows: dict[str, np.ndarray], seconds: float, last_good: str) -> None:
        """The steps of one call, as `Steps.train` gives them. Raises InputError on a loss that is no number, naming the
        batch and `last_good`, the weights before these steps."""
        records = rows.pop(RECORD)  # [count, B]
        for index, loss in enumerate(rows["loss"]):
            self._step += 1
            values = {name: float(column[index]) for name, column in rows.items()}
            if not math.isfinite(loss):
                raise InputError(
                    f"step {self._step}: the loss is {loss} (learning rate {values['learning_rate']:.3g}, gradient "
                    f"norm {values['gradient_norm']:.3g}); a lower `learning_rate` may help; last good: {last_good}; "
                    f"the batch: {self._describe_records(records[index])}"
                )
            self._metrics.write(self._step, values)
        self._metrics.flush()
        speeds = {f"{name}/s": float(rows[name].sum() / seconds) for name in ("examples", "tokens")}
        self._events.write(self._step, {**values, **speeds})
        means = {name: float(np.mean(column)) for name, column in rows.items() if name not in NOT_ON_PROGRESS_LINE}
        means |= {"learning_rate": values["learning_rate"], **speeds}
        short = {self._short_names.get(name, name): value for name, value in means.items()}
        self._progress.advance(len(rows["loss"]), {**short, **distribution.peak_memory()})
