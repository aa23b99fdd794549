"""Which checkpoint of a run is the best so far, and whether it is worth going on.

Both follow from the evaluations on the way, kept in `evaluations.jsonl`: a run that is killed and started again reads
them up to its checkpoint and decides as the undisturbed run would.
"""

import json
import logging
import os
from collections.abc import Mapping

from bert import checkpoint, files
from bert.reporting import JsonLines

logger = logging.getLogger(__name__)


EVALUATIONS_FILE = "evaluations.jsonl"


def best_checkpoints(folder: str) -> checkpoint.CheckpointFolder:
    """Where a run keeps its best checkpoint, one at a time."""
    return checkpoint.CheckpointFolder(os.path.join(folder, "best"), kept=1)


class Selection:
    """The evaluations of a run, the best of them by `metric` (losses and errors: the lowest), and the folder `best`.

    `patience` evaluations in a row without a better one are enough; 0 means never. `output_dir` is where this process
    may write, `folder` where the run lies.
    """

    def __init__(self, folder: str, metric: str, patience: int = 0, start_step: int = 0, output_dir: str | None = None):
        self.metric, self.patience = metric, patience
        self.sign = -1.0 if metric.endswith(("loss", "cross_entropy", "error")) else 1.0
        self.checkpoints = best_checkpoints(folder)
        path = os.path.join(output_dir or folder, EVALUATIONS_FILE)
        self.lines = JsonLines(path, start_step, earlier=os.path.join(folder, EVALUATIONS_FILE))
        self.entries: list[dict] = [json.loads(line) for line in self.lines.kept]

    def add(self, step: int, results: Mapping[str, float]) -> bool:
        """Takes up an evaluation, which must have the metric; True if it is the best so far."""
        entry = {"step": step, **{name: float(value) for name, value in results.items()}}
        self.lines.write(entry)
        self.lines.flush()
        self.entries.append(entry)
        is_best = self.best is entry
        shown = ", ".join(f"{name} {value:.4g}" for name, value in entry.items() if name != "step")
        logger.info("Step %d: %s%s", step, shown, f" (best {self.metric} so far)" if is_best else "")
        if is_best:
            files.make_folder(self.checkpoints.path)
        return is_best

    @property
    def best(self) -> dict | None:
        """The best evaluation, the earliest of equal ones."""
        return max(self.entries, key=lambda entry: self.sign * entry[self.metric], default=None)

    @property
    def has_seen_enough(self) -> bool:
        return bool(self.patience and self.best) and len(self.entries) - 1 - self._best_index() >= self.patience

    @property
    def reason(self) -> str:
        best = self.best
        return (
            f"no better {self.metric} than {best[self.metric]:.4g} of step {best['step']} "
            f"in {self.patience} evaluations (--early_stopping_patience)"
        )

    def _best_index(self) -> int:
        return self.entries.index(self.best)
