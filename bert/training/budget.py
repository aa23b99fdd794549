"""A time budget: how many steps fit into so many minutes, measured before the first step and fixed from then on.

What follows is, bit for bit, the run that was told the planned number of steps. The plan lies in run.json, where a run
that goes on finds it.
"""

import dataclasses
import functools
import logging
import math
import time
import zlib
from collections.abc import Mapping

import tensorflow as tf

from bert import files
from bert.errors import InputError
from bert.flags import EvaluationFlags
from bert.training.evaluating import Evaluation
from bert.training.loop import Trainer
from bert.training.run_folder import RUN_FILE, RunFolder
from bert.training.schedule import Schedule, learning_rate
from bert.training.speed import Speed, measure

logger = logging.getLogger(__name__)

PLAN = "plan"  # its key in run.json
_SCHEMA = {
    "train_minutes": float,
    "total_steps": int,
    "warmup_steps": int,
    "seconds_used": float,
    "checksum": int,
}


class TimeBudget:
    """The minutes of a run, all its starts together. The clock of this start runs from when the object is made."""

    def __init__(self, minutes: float, settings: EvaluationFlags) -> None:
        self._minutes, self._settings = minutes, settings
        self._began = time.monotonic()
        self._plan: dict[str, float] = {}

    @property
    def seconds_used(self) -> float:
        return self._plan.get("seconds_used", 0.0) + time.monotonic() - self._began

    def stored_schedule(self, most_steps: int) -> Schedule | None:
        """The schedule that run.json holds, None where nothing was planned yet.

        Raises InputError for another budget, for a plan of more than `most_steps`, and for a run that began without a
        plan: the learning rates of steps that were taken are what they are.
        """
        folder = RunFolder(self._settings.output_dir)
        content, where = folder.content(), folder.file(RUN_FILE)
        if PLAN not in content:
            if latest := folder.checkpoints.latest():
                raise InputError(
                    f"`train_minutes`: {latest} is of a run without a plan; choose another `output_dir`, or go on "
                    "without `train_minutes`"
                )
            return None
        plan = files.checked(content, {PLAN: _SCHEMA}, where)[PLAN]
        if plan["train_minutes"] != self._minutes:
            raise InputError(
                f"`train_minutes` is {self._minutes:g}, but the run of {where} is planned for "
                f"{plan['train_minutes']:g}, and its learning rates with it; give {plan['train_minutes']:g} or choose "
                "another `output_dir`"
            )
        if plan["checksum"] != _checksum(plan):
            raise InputError(f"{where}: the plan is not as it was written, and the learning rates follow from it")
        if not 1 <= plan["total_steps"] <= most_steps:
            raise InputError(
                f"{where}: the plan has {plan['total_steps']} steps, expected 1 to `num_train_steps`={most_steps}"
            )
        self._plan = dict(plan)
        schedule = Schedule(plan["total_steps"], plan["warmup_steps"])
        logger.info("Plan of %s: %d steps (%d warmup)", where, schedule.total_steps, schedule.warmup_steps)
        self.log("So far")
        return schedule

    def begin(
        self, trainer: Trainer, schedule: Schedule, batches: tf.data.Dataset, evaluation: Evaluation | None
    ) -> Schedule:
        """The plan, which is made where none was stored; from here on run.json holds it, and the time used.

        Without a stored plan `schedule` says how many steps there may be, and the share of warmup. `batches` are those
        to train on, `evaluation` is what follows the last step. Raises InputError where no step fits, and for several
        workers, whose clocks differ.
        """
        if not self._plan:
            schedule = self._made(trainer, schedule, batches, evaluation)
            trainer.steps.optimizer.learning_rate = learning_rate(self._settings, schedule)
            self._plan = {"train_minutes": self._minutes, **dataclasses.asdict(schedule), "seconds_used": 0.0}
            self._plan["checksum"] = _checksum(self._plan)
        self.note(trainer.folder)
        trainer.after_save = functools.partial(self.note, trainer.folder)
        return schedule

    def _made(
        self, trainer: Trainer, most: Schedule, batches: tf.data.Dataset, evaluation: Evaluation | None
    ) -> Schedule:
        if trainer.has_peers:
            raise InputError("`train_minutes` measures one machine; for several give `num_train_steps`")
        logger.info("***** Measuring the speed *****")
        speed = measure(trainer, batches, evaluation, 60 * self._minutes)
        left = 60 * self._minutes - self.seconds_used
        fitting = fitting_steps(speed, left, self._settings)
        if fitting < 1:
            raise InputError(
                f"`train_minutes` is {self._minutes:g}: no step fits, for starting and measuring take "
                f"{self.seconds_used + speed.start:.3g} seconds and a step {speed.step:.3g}"
            )
        total = min(fitting, most.total_steps)
        schedule = Schedule(total, total * most.warmup_steps // most.total_steps)
        logger.info(
            "  Seconds: %.3g a step (%d measured), %.3g an evaluation, %.3g a checkpoint, %.3g to begin",
            *(speed.step, speed.steps, speed.evaluation, speed.checkpoint, speed.start),
        )
        logger.info("  Plan: %d steps (%d warmup) in the %.1f minutes left", total, schedule.warmup_steps, left / 60)
        if total < fitting:
            logger.warning("%d steps would fit into `train_minutes`, but `num_train_steps` is %d.", fitting, total)
        return schedule

    def note(self, folder: RunFolder) -> None:
        """Writes the plan and the time used to run.json."""
        folder.note({PLAN: {**self._plan, "seconds_used": round(self.seconds_used, 1)}})

    def log(self, when: str) -> None:
        logger.info("%s: %.1f of %g minutes used.", when, self.seconds_used / 60, self._minutes)


def _checksum(plan: Mapping[str, float]) -> int:
    """Of what must not change between two starts of a run."""
    return zlib.crc32(f"{plan['train_minutes']:g} {plan['total_steps']} {plan['warmup_steps']}".encode())


def fitting_steps(speed: Speed, seconds: float, settings: EvaluationFlags) -> int:
    """How many steps fit, with what has to be done between them and at the end; below 1 where none does."""
    each = speed.step + speed.checkpoint / settings.save_checkpoints_steps
    if settings.eval_every_steps:
        each += (speed.evaluation + speed.checkpoint) / settings.eval_every_steps
    return math.floor((seconds - speed.start - speed.checkpoint - speed.evaluation) / each)
