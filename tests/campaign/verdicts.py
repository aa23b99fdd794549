"""Which answers are well: one strict judgement for all attacks.

An answer falls short by what `faults` finds in how a command ended, by what `leftovers` and `losses` find in its
folder, and where a rerun does not end as the undisturbed run did: `differences`.
"""

import json
import pathlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from bert import records
from bert.errors import InputError
from tests.campaign.children import Ended

_TEMPORARY = re.compile(r"\.tmp\b|\.tmp-|tempstate|\.temp\b|_temp/")
# What is never written again once it is there, so that it must be the same after any failure.
_FINISHED = re.compile(r"model\.ckpt-\d+\.(index|data-.*)$|\.tfrecord$")
_LONGEST_LINE = 2000
Listing = dict[str, bytes]  # name in a folder -> content


class Verdict(NamedTuple):
    """What came of an attempt: nothing in `faults` is an answer that is well."""

    attack: str
    seed: int
    what: str  # what was done to whom, for people
    faults: tuple[str, ...]
    commands: tuple[str, ...]  # each with its exit status and the last line it told
    skipped: str = ""  # why it could not be tried here

    @property
    def is_well(self) -> bool:
        return not self.faults


def faults(ended: Ended, statuses: Sequence[int], culprits: Sequence[str] = ()) -> list[str]:
    """What is wrong with the end of a command that may end with one of the statuses; `culprits`: one of them must stand
    in the last line of an error."""
    if ended.status is None:
        return [f"still running after {ended.seconds:.0f} s"]
    found = []
    if ended.status not in statuses:
        found.append(f"exit status {ended.status}, expected {' or '.join(map(str, statuses))}")
    if "Traceback (most recent call last)" in ended.stderr or "Fatal Python error" in ended.stderr:
        found.append("a traceback")
    if ended.status == 1:
        found += _faults_of_message(ended, culprits)
    elif re.search(r"^error: ", ended.stderr, re.MULTILINE):
        found.append(f"exit status {ended.status}, but an error is told")
    return found


def _faults_of_message(ended: Ended, culprits: Sequence[str]) -> list[str]:
    found = []
    if not ended.last_line.startswith("error: "):
        found.append("the last line is no 'error: '")
    if len(ended.last_line) > _LONGEST_LINE:
        found.append(f"a message of {len(ended.last_line)} characters")
    if culprits and not any(culprit in ended.last_line for culprit in culprits):
        found.append(f"the last line names none of {', '.join(culprits)}")
    return found


def listing(folder: pathlib.Path) -> Listing:
    """The regular files in a folder and below, links followed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leftovers(folder: pathlib.Path, before: Mapping[str, bytes] = MappingProxyType({})) -> list[str]:
    """Temporary files that were not there before, and files under their final name that are not whole."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if _TEMPORARY.search(name) and name not in before:
            found.append(f"left over: {name}")
        elif path.is_file() and (name not in before or path.read_bytes() != before[name]) and not is_whole(path):
            found.append(f"half-written: {name}")
    return found


def is_whole(path: pathlib.Path) -> bool:
    """Whether a file can be read to its end, as far as its name tells what it is."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".jsonl":  # a log: its last line may have no end yet, and goes when the run goes on
            [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        elif path.suffix in (".tfrecord", ".tf_record"):
            sum(1 for _ in records.read(str(path)))
        elif path.suffix == ".npz":
            [arrays[name] for arrays in (np.load(path),) for name in arrays]
    except (ValueError, InputError, RecursionError, EOFError, zipfile.BadZipFile):
        return False
    return True


def losses(folder: pathlib.Path, before: Mapping[str, bytes], culprit: str = "") -> list[str]:
    """What was finished before and is lost or changed now, the culprit itself aside."""
    now = listing(folder)
    gone = [f"lost: {name}" for name in before if name not in now and not _may_go(name) and name != culprit]
    changed = [
        f"changed: {name}"
        for name in before
        if name != culprit and name in now and _FINISHED.search(name) and now[name] != before[name]
    ]
    return gone + changed


def _may_go(name: str) -> bool:
    return bool(_TEMPORARY.search(name)) or name.endswith(".lock") or "tfevents" in name


def differences(outcome: Mapping[str, str], undisturbed: Mapping[str, str]) -> list[str]:
    """Where a run ended otherwise than the undisturbed one."""
    names = sorted(outcome.keys() | undisturbed.keys())
    differing = [name for name in names if outcome.get(name) != undisturbed.get(name)]
    return [f"other than undisturbed: {', '.join(differing[:5])}"] if differing else []
