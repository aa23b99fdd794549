"""Python's search for garbage, kept away from where it finds none: what makes many objects that all stay."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def not_searched(stays: bool = False) -> Iterator[None]:
    """Searches for none inside. What there is at the end `stays` until the process ends, or may become garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if stays:
            gc.freeze()
        if was_enabled:
            gc.enable()
