"""What is kept from the user: TensorFlow's own words at its start, unless it fails; an error where nobody reads on."""

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator

from bert.errors import InputError


@contextlib.contextmanager
def standard_error_held() -> Iterator[None]:
    """Keeps back what is written to standard error, libraries in other languages included; an error shows it."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def unread_output() -> Iterator[None]:
    """Ends what writes to standard output inside where its reader has seen enough (`| head -1`): that is no error.
    Raises InputError where a disk is full."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _drop_output()
        raise InputError(f"standard output: {error.strerror}") from None


def _drop_output() -> None:
    """Sends nowhere what is still in the buffer of standard output: the end of the process would fail of it anew."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
