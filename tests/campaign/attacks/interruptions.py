"""Kills, requests to stop, and pauses, at random moments."""

import random
import signal
import time

from tests.campaign import verdicts
from tests.campaign.attacks.attack import Attack, rerun_faults
from tests.campaign.base import OUTPUT, SECONDS
from tests.campaign.children import Child, Ended, descendants, is_alive

_ORPHANS_END_WITHIN = 20  # seconds
_MEANS = ("SIGKILL", "SIGKILL to the group", "SIGTERM", "SIGINT", "SIGSTOP and SIGCONT")


class Interruption(Attack):
    """One to three interruptions; the same command, run again to its end, ends as if undisturbed."""

    kind = "interruptions"
    weight = 4

    def attempt(self, generator: random.Random):
        target = self.base.pick(generator)
        means_of = _MEANS if target.trains else (*_MEANS, "SIGKILL to a worker")
        told, faults, ended = [], [], []
        with self.base.copy(target) as folder:
            for _ in range(generator.randint(1, 3)):
                means, moment = generator.choice(means_of), generator.uniform(0, 1.1 * target.seconds)
                before = verdicts.listing(folder)
                told.append(f"{means} after {moment:.2f} s")
                child = target.start(folder)
                child.run_for(moment)
                faults += self._interrupt(child, means, generator, ended)
                faults += [fault for fault in verdicts.leftovers(folder) if fault.startswith("half-written")]
                faults += verdicts.losses(folder, {name: before[name] for name in before if OUTPUT not in name})
            faults += rerun_faults(target, folder, ended)
        return self.verdict(f"{target.name}: {', then '.join(told)}", faults, ended)

    def _interrupt(self, child: Child, means: str, generator: random.Random, ended: list[Ended]) -> list[str]:
        helpers = descendants(child.pid) if child.is_running() else []
        allowed = [0]
        if means == "SIGKILL to a worker":
            if helpers:
                Child.kill(generator.choice(helpers))
                allowed += [1]
        elif means == "SIGSTOP and SIGCONT":
            child.send(signal.SIGSTOP, group=True)
            time.sleep(generator.uniform(0.1, 1))
            child.send(signal.SIGCONT, group=True)
        else:
            number = signal.Signals[means.split()[0]]
            child.send(number, group="group" in means)
            # Before the loop, and in a command without one, SIGTERM ends a program as it always does.
            allowed += [-number, 128 + number] if number != signal.SIGKILL else [-number]
        ended.append(child.end(SECONDS))
        faults = [f"{means}: {fault}" for fault in verdicts.faults(ended[-1], allowed)]
        return faults + [f"{means}: {fault}" for fault in _orphans(helpers)]


def _orphans(helpers: list[int]) -> list[str]:
    """The processes of a command that has ended, which end by themselves; those that do not are ended here."""
    end = time.monotonic() + _ORPHANS_END_WITHIN
    while (alive := [pid for pid in helpers if is_alive(pid)]) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in alive:
        Child.kill(pid)
    return [f"{len(alive)} of its processes still run {_ORPHANS_END_WITHIN} s later"] if alive else []
