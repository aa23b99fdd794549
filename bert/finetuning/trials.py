"""The same fine-tuning several times, each with a seed of its own: how much is luck, and which was the best.

Trial k is, bit for bit, the run with `seed`=k in the folder trial-k. So whatever a run can do a trial can: it is loaded
from its folder, goes on from its last checkpoint, and when it has finished it is only evaluated again.
"""

import dataclasses
import logging
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bert import files
from bert.errors import InputError
from bert.flags import FineTuningFlags
from bert.measures import Measure
from bert.options import BEST, WEIGHTS
from bert.training import traces
from bert.training.run_folder import RunFolder, trained_with

logger = logging.getLogger(__name__)

AnyFlags = TypeVar("AnyFlags", bound=FineTuningFlags)
Values = Mapping[Measure, float]  # what the evaluation of a run gave

TRIALS_FILE, TABLE_FILE = "trials.json", "trials.txt"


def repeat(settings: AnyFlags, run: Callable[[AnyFlags], Values], is_chief: bool = True) -> None:
    """Calls `run` with the settings of one trial after the other, and sums up what their evaluations gave.

    Raises InputError, before any work, where a run or trials of other settings lie in `output_dir`.
    """
    files.check_folder(settings.output_dir, "output_dir")
    if RunFolder(settings.output_dir).content():
        raise InputError(f"`output_dir`={settings.output_dir} holds a run, expected a folder for trials alone")
    trials = [settings_of(settings, seed) for seed in range(1, settings.num_trials + 1)]
    for trial in trials:
        check_folder(trial)
    found = []
    for trial in trials:
        logger.info("***** Trial %d of %d: %s *****", trial.seed, settings.num_trials, trial.output_dir)
        with traces.forgotten():
            found.append(run(trial))
    if is_chief:
        _sum_up(settings, found)


def settings_of(settings: AnyFlags, seed: int) -> AnyFlags:
    """Those of the trial with this seed: a run like any other."""
    folder = os.path.join(settings.output_dir, _name(seed))
    return dataclasses.replace(settings, seed=seed, output_dir=folder, num_trials=1)


def _name(seed: int) -> str:
    return f"trial-{seed}"


def check_folder(trial: FineTuningFlags) -> None:
    """Raises InputError for a trial that was begun with other settings: a mean over both would be of nothing."""
    folder = RunFolder(trial.output_dir)
    if not trained_with(folder.content()) or not folder.checkpoints.latest():
        return
    decided_by = {WEIGHTS, BEST} if trial.eval_every_steps else {WEIGHTS}  # the rest is asked anew of every trial
    learned = {field.name for field in dataclasses.fields(trial) if field.metadata["decides"] in decided_by}
    for name, (before, now) in folder.changes(trial).items():
        if name in learned:
            raise InputError(
                f"`output_dir`={folder.path} holds a trial with `{name}`={before}, this command has {now}; "
                "choose another folder or delete that one"
            )


def _sum_up(settings: FineTuningFlags, found: Sequence[Values]) -> None:
    """Writes trials.json and trials.txt into `output_dir`, and tells what is in them."""
    by_name = {measure.name: measure for measure in found[0]}
    decides = by_name[settings.best_metric]
    best = _best(decides, found)
    rows = {name: _statistics(measure, found) for name, measure in by_name.items()}
    content = {
        "num_trials": len(found),
        "best_metric": decides.name,
        "best_trial": best,
        "measures": rows,
        "trials": [
            {"seed": seed, "folder": _name(seed), "measures": {measure.name: value for measure, value in own.items()}}
            for seed, own in enumerate(found, start=1)
        ],
    }
    table = _table(rows)
    logger.info("***** Trials *****")
    for line in table:
        logger.info("  %s", line)
    table_path, path = (os.path.join(settings.output_dir, name) for name in (TABLE_FILE, TRIALS_FILE))
    files.write_lines(table_path, table)
    files.write_json(path, content)
    logger.info("Wrote %s and %s", table_path, path)
    folder = os.path.join(settings.output_dir, _name(best))
    logger.info("The best of %d trials by %s is %s: %.4f.", len(found), decides.name, folder, found[best - 1][decides])
    logger.info("It answers with: bert predict --model_dir=%s", folder)


def _best(measure: Measure, found: Sequence[Values]) -> int:
    """The seed of the best trial by a measure, the first of equal ones."""
    return max(range(len(found)), key=lambda index: measure.sign * found[index][measure]) + 1


def _statistics(measure: Measure, found: Sequence[Values]) -> dict[str, float]:
    """Over the trials; the standard deviation is that of a sample, with n - 1."""
    values = [own[measure] for own in found]
    return {
        "mean": statistics.fmean(values),
        "standard_deviation": statistics.stdev(values),
        "min": min(values),
        "max": max(values),
        "best_trial": _best(measure, found),
    }


def _table(rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lines for people: a row a measure."""
    width = max(map(len, rows))
    lines = [f"{'':{width}}        mean   deviation         min         max  best trial"]
    for name, row in rows.items():
        numbers = "  ".join(f"{row[key]:10.4f}" for key in ("mean", "standard_deviation", "min", "max"))
        lines.append(f"{name:{width}}  {numbers}  {row['best_trial']:10}")
    return lines
