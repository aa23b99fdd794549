"""Which checkpoint of a run is the best so far, and whether it is worth going on.

Both follow from the evaluations on the way, kept in `evaluations.jsonl`: a run that is killed and started again reads
them up to its checkpoint and decides as the undisturbed run would.
"""

import logging
import zlib
from collections.abc import Mapping
from typing import SupportsFloat

from bert import files
from bert.errors import InputError
from bert.measures import Measure
from bert.reporting import JsonLines, read_json_lines
from bert.training.run_folder import RunFolder

logger = logging.getLogger(__name__)

EVALUATIONS_FILE = "evaluations.jsonl"


class Selection:
    """The evaluations of a run, and the best of them by `measure`; its checkpoint goes to the folder's `best`.

    `patience` evaluations in a row without a better one are enough; 0 means never. `expected_checksum` is the
    `checksum` that the checkpoint of `start_step` was saved with, None if with none.

    Raises InputError where evaluations.jsonl is not what it was when that checkpoint was saved: another model would be
    taken for the best, in silence.
    """

    def __init__(
        self,
        folder: RunFolder,
        measure: Measure,
        patience: int = 0,
        start_step: int = 0,
        expected_checksum: int | None = None,
    ) -> None:
        self.folder, self.measure, self.patience = folder, measure, patience
        earlier = folder.file(EVALUATIONS_FILE)
        # An evaluation of the very step may be newer than its checkpoint, which a request to stop had saved: it is made
        # again.
        for last_step in (start_step, start_step - 1):
            kept = read_json_lines(earlier, last_step)
            self.checksum = zlib.crc32("".join(f"{line}\n" for _, line in kept).encode())
            if expected_checksum in (None, self.checksum):
                break
        else:
            raise InputError(
                f"{earlier}: not as it was when the checkpoint of step {start_step} was saved, so the best checkpoint "
                "cannot be told; put the file back, or train anew in another folder"
            )
        self.entries = [entry for entry, _ in kept]
        for entry in self.entries:
            files.checked(entry, {measure.name: files.Measured}, f"{earlier}: step {entry['step']}")
        self.lines = JsonLines(folder.own_file(EVALUATIONS_FILE), kept)

    def has(self, step: int) -> bool:
        """Whether there is an evaluation of the step."""
        return any(entry["step"] == step for entry in self.entries)

    def add(self, step: int, results: Mapping[str, SupportsFloat]) -> bool:
        """Takes up an evaluation, which must have the measure; True if it is the best so far."""
        entry = {"step": step, **{name: float(value) for name, value in results.items()}}
        line = self.lines.write(entry)
        self.lines.flush()
        self.checksum = zlib.crc32(line, self.checksum)
        self.entries.append(entry)
        is_best = self.best is entry
        values = ", ".join(f"{name} {value:.4g}" for name, value in entry.items() if name != "step")
        logger.info("Step %d: %s%s", step, values, f" (best {self.measure.name} so far)" if is_best else "")
        if is_best:
            files.make_folder(self.folder.best.path, parents=False)  # an output folder that was deleted stays so
        return is_best

    @property
    def best(self) -> dict | None:
        """The best evaluation, the earliest of equal ones."""
        return max(self.entries, key=lambda entry: self.measure.sign * entry[self.measure.name], default=None)

    @property
    def has_seen_enough(self) -> bool:
        best = self.best
        if best is None or not self.patience:
            return False
        return len(self.entries) - 1 - self.entries.index(best) >= self.patience

    @property
    def reason(self) -> str:
        best = self.best
        assert best is not None  # or there would be no reason
        return (
            f"no better {self.measure.name} than {best[self.measure.name]:.4g} of step {best['step']} "
            f"in {self.patience} evaluations (`early_stopping_patience`)"
        )
