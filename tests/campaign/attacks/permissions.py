"""Folders that may be read and not written in."""

import contextlib
import pathlib
import random

from tests.campaign import children, verdicts
from tests.campaign.attacks.attack import Attack, end_faults, rerun_faults
from tests.campaign.base import OUTPUT, SECONDS, Target


class ReadOnly(Attack):
    """Where the output belongs, one line says so and nothing changes; elsewhere, nobody needs to write."""

    kind = "read-only folders"
    weight = 2

    def attempt(self, generator: random.Random):
        if not children.can_obey_permissions():
            return self.skipped("root may write everywhere")
        target = self.base.pick(generator)
        way = generator.choice((self._output, self._output_later, self._inputs))
        halfway = target.trains and generator.random() < 0.5
        with self.base.copy(target, halfway) as folder:
            return way(target, folder, generator)

    def _output(self, target: Target, folder: pathlib.Path, generator: random.Random):
        before = verdicts.listing(folder)
        with _read_only(folder / OUTPUT):
            ended = [target.run(folder, obeys_permissions=True)]
        faults = verdicts.faults(ended[0], (1,), (OUTPUT,))
        faults += ["something has changed"] if verdicts.listing(folder) != before else []
        faults += rerun_faults(target, folder, ended)
        return self.verdict(f"{target.name}: a read-only output folder", faults, ended)

    def _output_later(self, target: Target, folder: pathlib.Path, generator: random.Random):
        moment = generator.uniform(0, target.seconds)
        child = target.start(folder, obeys_permissions=True)
        child.run_for(moment)
        with _read_only(folder / OUTPUT):
            ended = [child.end(SECONDS)]
        faults = verdicts.faults(ended[0], (0, 1), (OUTPUT,))
        faults += [fault for fault in verdicts.leftovers(folder) if fault.startswith("half-written")]
        faults += rerun_faults(target, folder, ended)
        return self.verdict(f"{target.name}: an output folder read-only after {moment:.2f} s", faults, ended)

    def _inputs(self, target: Target, folder: pathlib.Path, generator: random.Random):
        inputs = {(folder / name).parent for name in target.inputs}
        with contextlib.ExitStack() as stack:
            for path in inputs:
                stack.enter_context(_read_only(path))
            ended = target.run(folder, obeys_permissions=True)
        faults = verdicts.faults(ended, (0,)) or end_faults(target, folder)
        return self.verdict(f"{target.name}: read-only input folders", faults, [ended])


@contextlib.contextmanager
def _read_only(folder: pathlib.Path):
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)
