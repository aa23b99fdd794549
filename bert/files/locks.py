"""Locks that die with their process, so that no kill leaves one behind."""

import contextlib
import json
import os
import socket
import sys
import time
import types
from collections.abc import Iterator

from bert.errors import InputError
from bert.files.paths import is_remote

fcntl: types.ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has other locks; there two runs in one folder are not found out
    fcntl = None


def hold(descriptor: int) -> bool:
    """Locks an open file or folder until it is closed; False where somebody else has it, or nothing can be locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locked(path: str, what: str) -> Iterator[None]:
    """Keeps other processes that ask for the same lock file `path` out; it is removed at the end.

    The file says who holds it. A remote path, and a file system without locks, are not locked.
    Raises InputError, opening with `what`, where somebody else holds it, and OSError where it cannot be written.
    """
    if fcntl is None or is_remote(path):
        yield
        return
    descriptor = _acquire(path, what)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone
            os.remove(path)  # still held: who waits for it sees that the name is gone
        os.close(descriptor)


def _acquire(path: str, what: str) -> int:
    assert fcntl is not None  # the caller has looked
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise InputError(f"{what}: another run works here{holder}; wait for it, or name another") from None
        except OSError:  # a file system without locks
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                break
        os.close(descriptor)  # its last holder removed it between the two calls
    values = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(sys.argv)[:1000],
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(values).encode() + b"\n", 0)
    return descriptor


def _holder(descriptor: int) -> str:
    try:
        values = json.loads(os.pread(descriptor, 10_000, 0))
        return f" (process {values['pid']} on {values['host']} since {values['started']}: {values['command']})"
    except (ValueError, KeyError, TypeError):  # it is just being written
        return ""
