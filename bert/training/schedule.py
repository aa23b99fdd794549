"""How many steps a training has, and how large they are."""

import dataclasses

from bert.errors import InputError
from bert.flags import FineTuningFlags, TrainingFlags
from bert.optimization import AdamWeightDecay, WarmupLinearDecay


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How many steps a training has, and in how many of them the learning rate rises."""

    total_steps: int
    warmup_steps: int


def schedule_of(settings: FineTuningFlags, count: int, unit: str) -> Schedule:
    """The steps of the epochs asked for; an epoch has `count` of what `unit` says.

    For question answering these are questions, not windows, as the original counts them. Raises InputError where they
    make no step.
    """
    steps = int(count / settings.train_batch_size * settings.num_train_epochs)
    if steps < 1:
        raise InputError(
            f"{count} {unit} make no step with `train_batch_size`={settings.train_batch_size} "
            f"and `num_train_epochs`={settings.num_train_epochs}"
        )
    return Schedule(steps, int(steps * settings.warmup_proportion))


def learning_rate(settings: TrainingFlags, schedule: Schedule) -> WarmupLinearDecay:
    """The learning rates of a schedule's steps."""
    return WarmupLinearDecay(settings.learning_rate, schedule.total_steps, schedule.warmup_steps)


def optimizer_of(settings: TrainingFlags, schedule: Schedule) -> AdamWeightDecay:
    """The optimizer of the paper, with the learning rates of a schedule."""
    return AdamWeightDecay(
        learning_rate(settings, schedule),
        bias_correction=settings.adam_bias_correction,
        loss_scaling=settings.mixed_precision == "float16",
    )
