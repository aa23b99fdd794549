"""A user's own Python file with tasks: run, and blamed in one line for what goes wrong in it."""

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator

from bert import files
from bert.errors import InputError

MODULE = "task_file"  # the name under which the file is imported


def run(path: str) -> None:
    """Runs the file as a module. Raises InputError with file and line for one that fails."""
    files.check_readable(path, "`task_file`")
    specification = importlib.util.spec_from_file_location(MODULE, path)
    if specification is None or specification.loader is None:
        raise InputError(f"`task_file`: {path} is no Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[MODULE] = module  # where dataclasses look up the annotations of their fields
    with _blamed(path):
        specification.loader.exec_module(module)


def is_from_file(task: object) -> bool:
    """Whether a task, or its class, comes from such a file."""
    return (task if isinstance(task, type) else type(task)).__module__ == MODULE


@contextlib.contextmanager
def calling(task: object) -> Iterator[None]:
    """Makes an InputError, with file and line, of what the code of a user's task raises inside this block.

    What the code of a task of this package raises is a fault of ours, and passes.
    """
    if is_from_file(task):
        with _blamed(sys.modules[MODULE].__file__ or MODULE):
            yield
    else:
        yield


@contextlib.contextmanager
def _blamed(path: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:  # whatever a user's own code raises
        places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        if isinstance(error, InputError) and not places:
            raise  # of a data file, say
        line = places[-1] if places else getattr(error, "lineno", None) or 1
        what = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        raise InputError(f"`task_file`: {path}:{line}: {what}{error}") from error
