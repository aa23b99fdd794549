"""Runs the commands as processes that can be killed, without the seconds that importing TensorFlow takes.

A process that has imported TensorFlow, and never runs an operation, forks a child for every command. What depends on
the start of the interpreter, such as the locale, needs a process of its own: `shell`.
"""

import contextlib
import ctypes
import importlib
import os
import pathlib
import resource
import select
import shlex
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
PRELOADED = (
    *(f"bert.commands.{name}" for name in ("run_pretraining", "run_classifier", "run_squad", "run_tagger")),
    *(f"bert.commands.{name}" for name in ("create_pretraining_data", "build_vocabulary", "add_words", "predict")),
    *(f"bert.commands.{name}" for name in ("extract_features", "run_retrieval", "convert", "export_model")),
    "bert.answering.work",
    "bert.conversion",
    "bert.exporting",
    "bert.features.extract",
    "bert.finetuning.classification",
    "bert.finetuning.fine_tune",
    "bert.finetuning.question_answering",
    "bert.finetuning.tagging",
    "bert.prediction.lines",
    "bert.pretraining",
    "bert.pretraining_data.exact",
    "bert.pretraining_data.streaming",
    "bert.vocabulary.building",
    "bert.vocabulary.candidates",
    "bert.vocabulary.growing",
    "tests.numpy_bert",
)
_FAST_POLL, _DRAIN_BYTES = 0.01, 1 << 16
_HELD_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def preload() -> None:
    """Imports what the commands import, in a process that will fork them and nothing else."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in PRELOADED:
        importlib.import_module(name)


def program(script: str, root: str) -> list[str]:
    """What stands behind `python` for a command: the script of its name in the folder `root`, or, where there is none,
    the command of the package."""
    has_script = (ROOT / f"{script}.py").exists()
    return [f"{root}{script}.py"] if has_script else ["-m", "bert", script]


class Ended(NamedTuple):
    """A command that has ended. Its exit status is negative for a signal, None where the campaign had to end it."""

    command: str
    status: int | None
    stdout: str
    stderr: str
    seconds: float

    @property
    def last_line(self) -> str:
        lines = self.stderr.rstrip("\n").splitlines()
        return lines[-1] if lines else ""


class Child:
    """A command under way, in a session and process group of its own."""

    def __init__(
        self,
        script: str,
        arguments: Sequence[str],
        folder: pathlib.Path,
        file_limit: int | None = None,
        obeys_permissions: bool = False,
    ):
        """`file_limit`: the most bytes any file may have; None for no limit. `obeys_permissions`: those of files and
        folders hold for it as for anybody, also where it is root's."""
        self.command = f"cd {shlex.quote(str(folder))} && " + shlex.join(["python", *program(script, ""), *arguments])
        if file_limit is not None:
            self.command = f"(ulimit of {file_limit} bytes a file) {self.command}"
        if obeys_permissions:
            self.command = f"(permissions hold) {self.command}"
        self._pipes = [os.pipe(), os.pipe()]
        self._output = [b"", b""]
        self._status: int | None = None
        self.started = time.monotonic()
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_SIGNALS)  # until the command is the one to answer them
        self.pid = os.fork()
        if not self.pid:
            streams = [writer for _, writer in self._pipes]
            _become(script, arguments, folder, file_limit, obeys_permissions, streams)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_SIGNALS)
        for reader, writer in self._pipes:
            os.close(writer)
            os.set_blocking(reader, False)

    @property
    def stderr(self) -> str:
        """What it has told on standard error so far."""
        return self._output[1].decode("utf-8", "backslashreplace")

    def is_running(self) -> bool:
        self._drain()
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status is None

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits for the condition while the command runs; False where that ended, or the time, came first."""
        end = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < end:
            if condition():
                return True
            select.select([reader for reader, _ in self._pipes], [], [], _FAST_POLL)
        return False

    def run_for(self, seconds: float) -> bool:
        """Lets the command run; False where it has ended before."""
        end = time.monotonic() + seconds
        self.wait_until(lambda: time.monotonic() >= end, seconds + 1)
        return self.is_running()

    def send(self, number: int, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    @staticmethod
    def kill(pid: int) -> None:
        """Kills a process that a command of the campaign has started."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def end(self, seconds: float) -> Ended:
        """Waits for the end; a command that is still running after the time is killed, and its status is None."""
        self.wait_until(lambda: False, seconds)
        timed_out = self.is_running()
        if timed_out:
            self.send(signal.SIGKILL, group=True)
            while self.is_running():
                time.sleep(_FAST_POLL)
        self._drain()
        for reader, _ in self._pipes:
            os.close(reader)
        texts = [output.decode("utf-8", "backslashreplace") for output in self._output]
        return Ended(self.command, None if timed_out else self._status, *texts, time.monotonic() - self.started)

    def _drain(self) -> None:
        for number, (reader, _) in enumerate(self._pipes):
            with contextlib.suppress(BlockingIOError):
                while part := os.read(reader, _DRAIN_BYTES):
                    self._output[number] += part


def _become(
    script: str,
    arguments: Sequence[str],
    folder: pathlib.Path,
    file_limit: int | None,
    obeys_permissions: bool,
    streams: list[int],
):
    """What the child does: becomes the command, and never returns."""
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, descriptor in enumerate(streams, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        sys.argv = [f"{script}.py", *arguments]
        module = importlib.import_module(script if (ROOT / f"{script}.py").exists() else f"bert.commands.{script}")
        sys.modules["__main__"] = module  # what processes of its own import as the program
        from bert import cli

        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        if obeys_permissions and os.geteuid() == 0:
            _give_up_privileges()
        for number in _HELD_SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_SIGNALS)
            cli.run(module.Settings, module.main, sys.argv)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def can_obey_permissions() -> bool:
    """Whether a command can be run for which the permissions of files hold."""
    return os.geteuid() != 0 or sys.platform == "linux"


def _give_up_privileges() -> None:
    """Takes from this process of root's, and all that it starts, what lets it pass by permissions (capabilities(7));
    what belongs to root stays its own."""
    passing_by = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    system = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same of capabilities from 32 on
    results = [system.prctl(24, capability, 0, 0, 0) for capability in passing_by]  # PR_CAPBSET_DROP
    results.append(system.capget(header, sets))
    for place in range(3):
        sets[place] &= ~sum(1 << capability for capability in passing_by)
    results.append(system.capset(header, sets))
    if any(results):
        raise OSError(ctypes.get_errno(), "cannot give up root's privileges")


def run(script: str, arguments: Sequence[str], folder: pathlib.Path, seconds: float, **options) -> Ended:
    """Runs a command to its end."""
    return Child(script, arguments, folder, **options).end(seconds)


def shell(line: str, folder: pathlib.Path, seconds: float, **environment: str) -> Ended:
    """Runs a line of bash; `$PYTHON` is this Python, `$ROOT` the checkout."""
    started = time.monotonic()
    variables = {**os.environ, "PYTHON": sys.executable, "ROOT": str(ROOT), "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.Popen(
        ["bash", "-c", line],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        outputs = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        outputs, status = process.communicate(), None
    texts = [output.decode("utf-8", "backslashreplace") for output in outputs]
    told = " ".join(f"{name}={value}" for name, value in environment.items())
    return Ended(f"cd {shlex.quote(str(folder))} && {told} {line}", status, *texts, time.monotonic() - started)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have, as far as they live (Linux)."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [child, *descendants(child)]
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent to hear of its end does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
