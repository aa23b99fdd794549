"""TensorFlow's own words at its start, kept from the user unless it fails."""

import contextlib
import os
import tempfile
from collections.abc import Iterator


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
