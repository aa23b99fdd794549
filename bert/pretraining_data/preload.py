"""What the fork server of `streaming` imports, once for all workers, and without the lines TensorFlow writes then."""

import ctypes
import signal
import sys

from bert import quiet

_PR_SET_PDEATHSIG = 1  # of linux/prctl.h

# The server sees that the main process is gone when it has imported everything; Linux ends it at once. It may have no
# thread that watches, as it forks.
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

with quiet.standard_error_held():
    import tensorflow  # noqa: F401
    import tensorflow_text  # noqa: F401
