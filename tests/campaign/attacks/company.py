"""Others at work in the same folder: a second run, and somebody who deletes it."""

import pathlib
import random
import shutil
import time

from tests.campaign import verdicts
from tests.campaign.attacks.attack import Attack, end_faults
from tests.campaign.base import OUTPUT, SECONDS

_AT_ITS_END = 0.5  # seconds: a command that ends so soon after the deletion had written everything

_UNTIL_THE_LOCK = 0.4  # the part of a run in which it has surely asked for its lock


def _has_begun(folder: pathlib.Path):
    return lambda: any((folder / OUTPUT).iterdir())


class TwoRuns(Attack):
    """The second run is refused in one line that tells the holder; the first ends as if undisturbed."""

    kind = "two runs at once"

    def attempt(self, generator: random.Random):
        if not self.has_scripts:
            return self.skipped("no target that is a script")
        target = self.base.pick(generator, lambda one: one.has_script)
        delay = generator.uniform(0, 0.3 * target.seconds)
        with self.base.copy(target) as folder:
            first = target.start(folder)
            began = first.wait_until(_has_begun(folder), SECONDS) and first.run_for(delay)
            second = target.start(folder)
            met = first.wait_until(lambda: not second.is_running(), SECONDS)
            # A first run that ends while the second still reads its input is not met by it; what it made may be.
            missed = not met and time.monotonic() - second.started < _UNTIL_THE_LOCK * target.seconds
            ended = [first.end(SECONDS), second.end(SECONDS)]
            faults = [f"the first: {fault}" for fault in verdicts.faults(ended[0], (0,))]
            faults += [f"the first: {fault}" for fault in end_faults(target, folder)]
            if began and not (missed and ended[1].status == 0):
                met_with = (f"process {first.pid}", *(("is not empty",) if missed and target.makes_folder else ()))
                told = verdicts.faults(ended[1], (1,), met_with)
                faults += [f"the second: {fault}" for fault in told]
        return self.verdict(
            f"{target.name}: a second run {delay:.2f} s after the first one's first file", faults, ended
        )


class Deletion(Attack):
    """The output folder goes while the command runs: one line, and no claim of success."""

    kind = "folder deleted"

    def attempt(self, generator: random.Random):
        if not self.has_scripts:
            return self.skipped("no target that is a script")
        target = self.base.pick(generator, lambda one: one.has_script)
        delay = generator.uniform(0, 0.8 * target.seconds)
        with self.base.copy(target) as folder:
            child = target.start(folder)
            child.wait_until(_has_begun(folder), SECONDS)
            running = child.run_for(delay)
            (folder / OUTPUT).rename(folder / "gone")  # at once; removing file by file would meet new ones
            shutil.rmtree(folder / "gone", ignore_errors=True)
            deleted = time.monotonic()
            ended = child.end(SECONDS)
            at_its_end = not running or time.monotonic() - deleted < _AT_ITS_END
            faults = verdicts.faults(ended, (0, 1) if at_its_end else (1,), (OUTPUT,))
        return self.verdict(f"{target.name}: output folder deleted {delay:.2f} s after its first file", faults, [ended])
