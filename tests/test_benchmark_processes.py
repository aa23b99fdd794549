"""benchmarks/processes.py: programs with a log, and how a command line is shown."""

import re
import sys

import pytest

from benchmarks import processes
from bert.errors import InputError


def test_a_command_is_shown_with_a_line_for_each_flag():
    assert processes.typed(["python", "-m", "bert", "--a=b", "--c"]) == "$ python -m bert \\\n    --a=b \\\n    --c"


def test_a_log_is_written_anew_or_goes_on(tmp_path):
    log = tmp_path / "log"
    for code, mode in (("print(1)", "w"), ("print(2)", "a"), ("import sys; print(3, file=sys.stderr)", "a")):
        assert processes.logged([sys.executable, "-c", code], str(log), mode).ru_utime > 0
    assert log.read_text() == "1\n2\n3\n"
    assert processes.timed([sys.executable, "-c", "print(4)"], str(log)).keys() >= {"seconds", "cpu_seconds"}
    assert log.read_text() == "4\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit('first\\nerror: last')", "error: last"), ("raise SystemExit(1)", "failed without a word")],
)
def test_the_last_line_of_a_program_that_failed_is_told(tmp_path, code, expected):
    with pytest.raises(InputError, match=f"^{re.escape(f'{tmp_path}/log: {expected}')}$"):
        processes.logged([sys.executable, "-c", code], str(tmp_path / "log"))
