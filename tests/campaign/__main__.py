"""python -m tests.campaign: attacks the commands for some minutes, and exits with 1 where an answer fell short."""

import argparse
import pathlib
import random
import shlex
import sys
import tempfile

from tests.campaign import attacks, runner
from tests.campaign.targets import MAKERS
from tests.campaign.verdicts import Verdict

ALL_TARGETS = ",".join(MAKERS)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long new attempts begin")
    parser.add_argument("--seed", type=int, help="of all that is drawn; drawn itself and printed where it is not given")
    parser.add_argument("--targets", default=ALL_TARGETS, help="what is attacked, comma-separated")
    parser.add_argument("--attacks", default=",".join(attacks.BY_KIND), help="kinds of attack, comma-separated")
    parser.add_argument("--quick", action="store_true", help="one attempt of each kind, on the quickest target")
    parser.add_argument("--attempt", type=int, help="one attempt again, by the seed that was told")
    parser.add_argument("--journal", default="campaign.jsonl", help="file for every attempt: commands, seed, verdict")
    return parser.parse_args()


def main() -> int:
    arguments = parsed()
    seed = random.randrange(1 << 31) if arguments.seed is None else arguments.seed
    kinds, targets = arguments.attacks.split(","), arguments.targets.split(",")
    print(f"Seed {seed}; every attempt goes to {arguments.journal}", flush=True)
    if arguments.attempt is not None:
        attempts = [(kind, arguments.attempt) for kind in kinds]
    elif arguments.quick:
        attempts = [found for found, _ in zip(runner.drawn(seed, kinds), kinds, strict=False)]
    else:
        attempts = runner.drawn(seed, kinds)
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="campaign-") as folder,
        open(arguments.journal, "w", encoding="utf-8") as journal,
        runner.Campaign(pathlib.Path(folder), targets, journal, arguments.quick) as campaign,
    ):
        for verdict in campaign.run(attempts, 60 * arguments.minutes):
            found.append(verdict)
            print(_line(len(found), verdict), flush=True)
    short = [verdict for verdict in found if not verdict.is_well]
    for verdict in short:
        print("\n" + runner.shortcoming(verdict, _again(verdict, arguments)))
    print("\n" + runner.table(found))
    print(f"\nSeed {seed}: {len(short)} fell short")
    return int(bool(short))


def _line(number: int, verdict: Verdict) -> str:
    mark = f"not tried: {verdict.skipped}" if verdict.skipped else "well" if verdict.is_well else "SHORT"
    return f"{number:>5} {verdict.attack:<18} {mark:<5} {verdict.what} {'; '.join(verdict.faults)}"


def _again(verdict: Verdict, arguments: argparse.Namespace) -> str:
    """The command for the same attempt: what is drawn depends on which targets there are."""
    words = ["python", "-m", "tests.campaign", f"--attacks={verdict.attack}", f"--attempt={verdict.seed}"]
    words += ["--quick"] if arguments.quick else []
    return shlex.join(
        [*words, *([f"--targets={arguments.targets}"] if len(arguments.targets) < len(ALL_TARGETS) else [])]
    )


if __name__ == "__main__":
    sys.exit(main())
