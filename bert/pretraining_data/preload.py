"""What the fork server of `streaming` imports, once for all workers, and without the lines TensorFlow writes then."""

import ctypes
import os
import signal
import sys

from bert import garbage, quiet
from bert.pretraining_data import MAIN_PROCESS

_PR_SET_PDEATHSIG = 1  # of linux/prctl.h

# The server would see that the main process is gone when it has imported everything. Linux ends it at once, and what
# was gone before that was asked for has another process for a parent now. A thread cannot watch: the server forks.
# Whoever else imports this module has no main process to name.
if sys.platform == "linux" and MAIN_PROCESS in os.environ:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.environ[MAIN_PROCESS] != str(os.getppid()):
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer

with quiet.standard_error_held(), garbage.not_searched(stays=True):
    import tensorflow  # noqa: F401
    import tensorflow_text  # noqa: F401
