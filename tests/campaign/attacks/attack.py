"""What all attacks share."""

import pathlib
import random
from collections.abc import Sequence

from bert.errors import InputError
from tests.campaign import verdicts
from tests.campaign.base import OUTPUT, Base, Target, outcome
from tests.campaign.children import Ended
from tests.campaign.verdicts import Verdict


class Attack:
    """A kind of attack on any of the targets.

    Attributes:
      kind: its name in the table.
      weight: how many of the attempts are of this kind, in proportion to the others' weights.
    """

    kind = ""
    weight = 1

    def __init__(self, base: Base):
        self.base = base

    def attempt(self, generator: random.Random) -> Verdict:
        """Attacks once, as the generator decides, and judges the answer."""
        raise NotImplementedError

    def verdict(self, what: str, faults: Sequence[str], ended: Sequence[Ended]) -> Verdict:
        commands = tuple(f"{one.command}  # {one.status}: {one.last_line[:500]}" for one in ended)
        return Verdict(self.kind, 0, what, tuple(faults), commands)

    def skipped(self, why: str) -> Verdict:
        return Verdict(self.kind, 0, "", (), (), skipped=why)


def rerun_faults(target: Target, folder: pathlib.Path, ended: list[Ended]) -> list[str]:
    """Runs the same command again and compares its end with the undisturbed one, bit for bit."""
    ended.append(target.run(folder))
    found = [f"the rerun: {fault}" for fault in verdicts.faults(ended[-1], (0,))]
    return found or [f"the rerun: {fault}" for fault in end_faults(target, folder)]


def end_faults(target: Target, folder: pathlib.Path, output: str = OUTPUT, telling: Sequence[str] = ()) -> list[str]:
    """What a run that ended well left otherwise than the undisturbed one. The files that are `telling` of its flags
    may differ."""
    try:
        found = verdicts.differences(
            *(
                {name: value for name, value in files.items() if name not in telling}
                for files in (outcome(folder / output), target.undisturbed)
            )
        )
    except (ValueError, KeyError, InputError) as error:
        found = [f"its files cannot be read: {error}"]
    return found + verdicts.leftovers(folder)
