"""The attack campaign judges strictly, repeats what it draws, and finds nothing in one attempt of each kind."""

import itertools
import json
import subprocess
import sys

import pytest

from tests.campaign import attacks, runner, verdicts
from tests.campaign.attacks import corruptions
from tests.campaign.children import ROOT, Ended
from tests.campaign.verdicts import Verdict

ERROR = "error: vocab.txt: no [CLS]"
TRACEBACK = f"Traceback (most recent call last):\n  File\n{ERROR}\n"


def ended(status: int | None, stderr: str = "") -> Ended:
    return Ended("python x.py", status, "", stderr, 1.0)


def test_good_ends_have_no_faults():
    assert verdicts.faults(ended(0, "a warning\n"), (0, 1), ["vocab.txt"]) == []
    assert verdicts.faults(ended(1, f"a warning\n{ERROR}\n"), (0, 1), ["vocab.txt"]) == []
    assert verdicts.faults(ended(-9), (0, -9)) == []


@pytest.mark.parametrize(
    ("status", "stderr", "fault"),
    [
        (1, TRACEBACK, "a traceback"),
        (0, TRACEBACK, "a traceback"),
        (-11, "", "exit status -11, expected 0 or 1"),
        (2, "usage", "exit status 2, expected 0 or 1"),
        (None, "", "still running after 1 s"),
        (1, "something\n", "the last line is no 'error: '"),
        (1, f"{ERROR}\nmore\n", "the last line is no 'error: '"),
        (1, "error: something is wrong\n", "the last line names none of vocab.txt"),
        (1, f"error: vocab.txt {'x' * 3000}\n", "a message of 3017 characters"),
        (0, f"{ERROR}\n", "exit status 0, but an error is told"),
    ],
)
def test_bad_ends_fall_short(status, stderr, fault):
    assert fault in verdicts.faults(ended(status, stderr), (0, 1), ["vocab.txt"])


def test_temporary_and_half_written_files_fall_short(tmp_path):
    (tmp_path / "whole.json").write_text("{}")
    (tmp_path / "before.json").write_text("{")
    before = verdicts.listing(tmp_path)
    assert verdicts.leftovers(tmp_path, before) == []
    (tmp_path / "part.json").write_text("{")
    (tmp_path / "cut.tfrecord").write_bytes(b"12345")
    for name in ("a.tmp-123", "b.tmp-0123456789abcdef", "c.data-00000-of-00001.tempstate12", "d.blocks.tmp"):
        (tmp_path / name).touch()
    found = verdicts.leftovers(tmp_path, before)
    assert len(found) == 6
    assert "half-written: part.json" in found
    assert "left over: a.tmp-123" in found


def test_what_was_finished_must_stay(tmp_path):
    for name in ("model.ckpt-2.index", "model.ckpt-2.data-00000-of-00001", "results.txt", "x.tmp-1"):
        (tmp_path / name).write_text(name)
    before = verdicts.listing(tmp_path)
    (tmp_path / "model.ckpt-2.index").write_text("other")
    (tmp_path / "results.txt").unlink()
    (tmp_path / "x.tmp-1").unlink()
    assert verdicts.losses(tmp_path, before) == ["lost: results.txt", "changed: model.ckpt-2.index"]
    assert verdicts.losses(tmp_path, before, "model.ckpt-2.index") == ["lost: results.txt"]


def test_another_end_than_undisturbed_falls_short():
    assert verdicts.differences({"a": "1"}, {"a": "1"}) == []
    assert verdicts.differences({"a": "1"}, {"a": "2"}) == ["other than undisturbed: a"]
    assert verdicts.differences({}, {"a": "2"}) == ["other than undisturbed: a"]


def test_the_seed_alone_decides_what_is_drawn():
    kinds = list(attacks.BY_KIND)
    drawn = [list(itertools.islice(runner.drawn(seed, kinds), 50)) for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [kind for kind, _ in drawn[0][: len(kinds)]] == kinds


@pytest.mark.parametrize("damage", corruptions.DAMAGES, ids=lambda damage: damage.__name__)
def test_damages_change_something_and_are_repeatable(damage):
    content = b"".join(b'{"a": [1, %d]}\n' % number for number in range(40))
    generators = [corruptions.random.Random(seed) for seed in (1, 1, 2, 3)]
    results = [damage(content, generator) for generator in generators]
    assert results[0] == results[1]
    assert any(result != content for result in results)


def test_the_table_counts_by_kind():
    well = Verdict("full disk", 1, "", (), ())
    found = [well, well._replace(faults=("x",)), well._replace(attack="interruptions"), well._replace(skipped="why")]
    rows = [line.split() for line in runner.table(found).splitlines()[1:]]
    assert rows == [["interruptions", "1", "1", "0"], ["full", "disk", "2", "1", "1"], ["all", "3", "2", "1"]]


@pytest.mark.slow
def test_one_attempt_of_each_kind_is_answered_well(tmp_path):
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-m", "tests.campaign", "--quick", "--seed=1", f"--journal={journal}"]
    done = subprocess.run([*command, "--targets=exact,questions"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    assert {entry["attack"] for entry in entries} == set(attacks.BY_KIND)
