"""Where the workers of `streaming` come from: a process that imports TensorFlow once for all of them.

TensorFlow must not be running in a process that forks. The fork server imports it and never runs it. Where there is no
fork server (Windows) each worker imports it for itself.
"""

import multiprocessing
import multiprocessing.context
import multiprocessing.forkserver
import os

from bert.pretraining_data import MAIN_PROCESS

_HAS_SERVER = "forkserver" in multiprocessing.get_all_start_methods()


def context() -> multiprocessing.context.BaseContext:
    """What makes workers, to be given to a pool of processes."""
    if not _HAS_SERVER:
        return multiprocessing.get_context("spawn")
    os.environ[MAIN_PROCESS] = str(os.getpid())
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["bert.pretraining_data.preload"])
    return found


def start() -> None:
    """Starts the server before it is wanted, so that it imports TensorFlow while the caller does the same."""
    if _HAS_SERVER:
        context()
        multiprocessing.forkserver.ensure_running()
