"""Runs of programs in processes of their own: wall seconds, processor seconds, memory.

`logged` and `timed` take a program as it is, imports included; `run` one that says where they end:

A program says "imported", waits for a line, works, says how many seconds that took, and waits for another line.
Processor seconds are read at both lines, so nothing disturbs the work between them. Memory has to be looked at again
and again, which takes time itself; so speed and memory are measured in runs of their own.
"""

import contextlib
import dataclasses
import os
import pathlib
import resource
import select
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence

from bert.errors import InputError

ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
_SECONDS_BETWEEN_LOOKS = 0.05

# Stands before and behind the work of a program, Python both.
BEGIN = 'import sys, time; print("imported", flush=True); sys.stdin.readline(); start = time.perf_counter()\n'
END = "print(time.perf_counter() - start, flush=True); sys.stdin.readline()\n"


@dataclasses.dataclass
class Run:
    """What one run took behind the imports: seconds, processor seconds of all its processes, MB above what the imports
    took; and how many seconds passed before."""

    seconds: float
    cpu_seconds: float
    import_seconds: float
    megabytes: float = 0.0

    @property
    def whole_seconds(self) -> float:
        """What a user waits."""
        return self.import_seconds + self.seconds


def typed(argv: Sequence[str]) -> str:
    """A command line as a user would type it, a line for each flag."""
    return "$ " + shlex.join(argv).replace(" --", " \\\n    --")


def logged(
    argv: Sequence[str], log: str, mode: str = "w", environment: Mapping[str, str] | None = None
) -> resource.struct_rusage:
    """Runs a program to its end, what it prints in a log; returns what it and its children used, and nothing else.

    Raises InputError with the last line of the log when it fails.
    """
    with open(log, mode, encoding="utf-8") as file:
        process = subprocess.Popen(argv, env=environment, stdout=file, stderr=file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(f"{log}: {last_line(pathlib.Path(log).read_text(encoding='utf-8'))}")
    return usage


def last_line(text: str) -> str:
    """The last line of what a program printed before it failed."""
    return (text.strip() or "failed without a word").splitlines()[-1]


def timed(argv: Sequence[str], log: str) -> dict[str, float]:
    """Runs a program to its end: its wall and processor seconds, and those of everything else on the machine.

    Raises InputError as `logged` does.
    """
    start, busy = time.perf_counter(), _busy_seconds()
    usage = logged(argv, log, environment={**os.environ, **ENVIRONMENT})
    seconds, busy = time.perf_counter() - start, _busy_seconds() - busy
    own = usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "cpu_seconds": own, "other_cpu_seconds": max(0.0, busy - own)}


def _busy_seconds() -> float:
    """Seconds that the machine's processors have worked since its start, all programs together."""
    user, nice, system = map(int, pathlib.Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def run(argv: Sequence[str], folder: pathlib.Path, look_at_memory: bool = False) -> Run:
    """Runs a program in `folder`. Raises InputError with its last line when it fails."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            argv, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        if process.stdout.readline() != "imported\n":
            raise _failure(argv, log)
        import_seconds = time.perf_counter() - start
        cpu_before, memory_before = _total(process, _cpu_seconds), _total(process, _memory)
        process.stdin.write("go\n")
        process.stdin.flush()
        peak = memory_before
        while look_at_memory and not select.select([process.stdout], [], [], _SECONDS_BETWEEN_LOOKS)[0]:
            peak = max(peak, _total(process, _memory))
        seconds = process.stdout.readline()
        if not seconds:
            raise _failure(argv, log)
        cpu = _total(process, _cpu_seconds) - cpu_before
        process.communicate("end\n")
    return Run(float(seconds), cpu, import_seconds, peak - memory_before)


def _failure(argv: Sequence[str], log) -> InputError:
    log.seek(0)
    return InputError(f"{argv[0]}: {last_line(log.read())}")


def _total(process: subprocess.Popen, measure: Callable[[int], float]) -> float:
    """The sum over a process and all below it."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            parents[int(path.name)] = int(_stat(int(path.name))[1])
    found, size = {process.pid}, 0
    while len(found) > size:
        size = len(found)
        found |= {number for number, parent in parents.items() if parent in found}
    total = 0.0
    for number in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += measure(number)
    return total


def _stat(process: int) -> list[str]:
    """The fields of /proc/N/stat behind the name: state, parent..."""
    return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _cpu_seconds(process: int) -> float:
    """Its own, and those of children that have ended."""
    return sum(map(int, _stat(process)[11:15])) / os.sysconf("SC_CLK_TCK")


def _memory(process: int) -> float:
    """MB in use, pages that several processes share in proportion."""
    lines = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1000
