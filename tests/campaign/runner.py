"""Attempts, side by side, until the time is over; and what came of them."""

import collections
import concurrent.futures
import dataclasses
import json
import multiprocessing
import pathlib
import random
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from tests.campaign import attacks, base, children
from tests.campaign.targets import set_up
from tests.campaign.verdicts import Verdict

LANES = 2  # attempts at the same time


def attempt(folder: pathlib.Path, quick: bool, kind: str, seed: int) -> Verdict:
    """One attempt of a kind of attack on the base in the folder; the same seed does the same again."""
    try:
        return attacks.BY_KIND[kind](base.Base(folder, quick)).attempt(random.Random(seed))._replace(seed=seed)
    except Exception:  # the campaign's own fault, or a folder that it cannot read: to be looked at like any other
        return Verdict(kind, seed, "the attempt itself failed", (traceback.format_exc(),), ())


def drawn(seed: int, kinds: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Attempts without end: first one of each kind, then kinds by their weights; of the seed alone."""
    generator = random.Random(seed)
    weights = [attacks.BY_KIND[kind].weight for kind in kinds]
    for kind in kinds:
        yield kind, generator.randrange(1 << 32)
    while True:
        yield generator.choices(kinds, weights)[0], generator.randrange(1 << 32)


@dataclasses.dataclass
class Campaign:
    """Runs attempts on a base in `folder`, and writes each into the journal, a JSON object a line."""

    folder: pathlib.Path
    targets: Sequence[str]
    journal: TextIO
    quick: bool = False

    def __enter__(self) -> "Campaign":
        # A lane imports TensorFlow once and forks; it must be a process that nothing else has been run in.
        self._pool = concurrent.futures.ProcessPoolExecutor(
            LANES, multiprocessing.get_context("spawn"), initializer=children.preload
        )
        list(self._pool.map(set_up, [self.folder] * len(self.targets), self.targets))
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, attempts: Iterable[tuple[str, int]], seconds: float) -> Iterator[Verdict]:
        """Gives the verdicts as they come. What has begun when the time is over is brought to its end."""
        end = time.monotonic() + seconds
        left, waiting = iter(attempts), set()
        while True:
            while len(waiting) < LANES and time.monotonic() < end and (following := next(left, None)):
                waiting.add(self._pool.submit(attempt, self.folder, self.quick, *following))
            if not waiting:
                return
            done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                verdict = future.result()
                self.journal.write(json.dumps({**verdict._asdict(), "well": verdict.is_well}) + "\n")
                self.journal.flush()
                yield verdict


def table(found: Sequence[Verdict]) -> str:
    """Tried, answered well and fell short, by kind of attack."""
    counts = collections.Counter((verdict.attack, verdict.is_well) for verdict in found if not verdict.skipped)
    rows = [(attack.kind, counts[attack.kind, True], counts[attack.kind, False]) for attack in attacks.ALL]
    rows = [row for row in rows if row[1] or row[2]]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    lines = [f"{'attack':<20}{'tried':>8}{'answered well':>16}{'fell short':>13}"]
    lines += [f"{kind:<20}{well + short:>8}{well:>16}{short:>13}" for kind, well, short in rows]
    return "\n".join(lines)


def shortcoming(verdict: Verdict, repeat: str) -> str:
    """All that is needed to see it again."""
    lines = [f"[{verdict.attack}] {verdict.what}", *(f"  - {fault}" for fault in verdict.faults)]
    lines += [f"  $ {command}" for command in verdict.commands]
    return "\n".join([*lines, f"  again: {repeat}"])
