"""How fast a run is, measured before its first step, without leaving a trace in the model.

The measured steps have learning rate 0, and the optimizer forgets them.
"""

import dataclasses
import os
import time

import numpy as np
import tensorflow as tf

from bert import checkpoint, distribution, files
from bert.input_pipeline import WINDOW
from bert.optimization import WarmupLinearDecay
from bert.training.evaluating import Evaluation
from bert.training.loop import SECONDS_PER_CALL, Trainer
from bert.training.steps import Steps

SHARE = 0.01  # of the budget goes into measuring steps, and at least a window of them, for their lengths differ
LARGEST_SHARE = 0.05  # but no more than this
_EVALUATED_BATCHES = 4


@dataclasses.dataclass(frozen=True)
class Speed:
    """What was measured, in seconds.

    Attributes:
      start: what the first call takes longer than its step: compiling, reading the first rows.
      step: a training step, the mean of `steps` ones.
      steps: how many steps were measured.
      evaluation: all batches of an evaluation; 0 where there is none.
      checkpoint: writing one.
    """

    start: float
    step: float
    steps: int
    evaluation: float
    checkpoint: float


def measure(trainer: Trainer, batches: tf.data.Dataset, evaluation: Evaluation | None, budget: float) -> Speed:
    """Measures with the first of `batches`; `budget` is in seconds. The model must not have been trained yet."""
    assert trainer.step == 0, "a run is measured before its first step"
    optimizer = trainer.steps.optimizer
    schedule, optimizer.learning_rate = optimizer.schedule, WarmupLinearDecay(0.0, 1)
    first, step, count = _seconds_of_steps(trainer, batches, budget)
    optimizer.learning_rate = schedule
    optimizer.forget()
    seconds = 0.0 if evaluation is None else _seconds_of_evaluation(trainer, evaluation)
    return Speed(max(0.0, first - step), step, count, seconds, _seconds_of_saving(trainer))


def _seconds_of_steps(trainer: Trainer, batches: tf.data.Dataset, budget: float) -> tuple[float, float, int]:
    """Seconds of the first call, of a step after it, and how many of these there were."""
    # Steps of their own: the trainer's are compiled with the learning rates of the plan.
    own = trainer.steps
    steps = Steps(own.model, own.strategy, own.optimizer, own.seed, own.accumulation)
    began = time.monotonic()
    iterator = iter(distribution.distribute(trainer.strategy, batches))
    steps.train(iterator, tf.constant(1))
    first = time.monotonic() - began
    done, seconds, count = 0, 0.0, 1
    while seconds < SHARE * budget or (done < WINDOW and seconds < LARGEST_SHARE * budget):
        began = time.monotonic()
        steps.train(iterator, tf.constant(count))
        seconds += time.monotonic() - began
        done += count
        count = int(np.clip(SECONDS_PER_CALL * done / seconds, 1, WINDOW))
    return first, seconds / done, done


def _seconds_of_evaluation(trainer: Trainer, evaluation: Evaluation) -> float:
    count = min(_EVALUATED_BATCHES, evaluation.batch_count)
    batches = evaluation.batches(trainer.strategy).take(count).repeat(2)
    began = time.monotonic()
    for number, batch in enumerate(distribution.distribute(trainer.strategy, batches)):
        trainer.steps.evaluate(batch, keep_outputs=False)
        if number == count - 1:
            began = time.monotonic()  # the first round compiles, once for the whole run
    return (time.monotonic() - began) / count * evaluation.batch_count


def _seconds_of_saving(trainer: Trainer) -> float:
    path = trainer.folder.own_file("measured")
    if files.is_remote(path):
        return 0.0
    began = time.monotonic()
    with files.temporary_folder(path) as folder:
        checkpoint.write_variables(os.path.join(folder, "model.ckpt"), trainer.saved_values())
    return time.monotonic() - began
