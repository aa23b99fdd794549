"""What the commands that run on Apache Beam share.

The package `apache-beam` is optional (the extra `beam`); whoever imports this module needs it.
"""

import contextlib
import glob
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bert import files
from bert.errors import InputError, how_to_install

try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
    from apache_beam.utils.shared import Shared
except ImportError:
    raise InputError(f"`beam_runner`: apache-beam is not installed {how_to_install('beam')}") from None

__all__ = ["Shared", "beam", "opened", "refuse_shards", "shards", "total", "write_total"]


@contextlib.contextmanager
def opened(runner: str, beam_options: str) -> Iterator[Any]:
    """A pipeline, which runs, and is waited for, when the block ends. Raises InputError for a worker's InputError."""
    options = PipelineOptions([f"--runner={runner}", *shlex.split(beam_options)])
    options.view_as(SetupOptions).save_main_session = False  # the command's module is not needed by the workers
    with _errors_in_one_line(), beam.Pipeline(options=options) as pipeline:
        yield pipeline


@contextlib.contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Beam wraps a worker's error into a RuntimeError with traceback and all; this finds bad input in it."""
    try:
        yield
    except RuntimeError as error:
        found = re.search(r"InputError: (.*?)(?: \[while running|$)", str(error), re.MULTILINE)
        if found is None:
            raise
        raise InputError(found[1]) from None


def shards(stem: str, extension: str) -> list[str]:
    """The shards `STEM-00000-of-00004EXTENSION` that are there, in the order their folder lists them."""
    escaped = stem if files.is_remote(stem) else glob.escape(stem)
    return files.matching(f"{escaped}-*-of-*{extension}")


def refuse_shards(stem: str, extension: str) -> None:
    """Raises InputError where there are shards already."""
    if present := shards(stem, extension):
        raise InputError(f"`output_file`: {present[0]} is there already: remove the shards or name another output")


def write_total(parts: Any, add: Callable[[Sequence], Any], as_json: Callable[[Any], str], path: str) -> None:
    """Lets a pipeline add up all elements of a collection and write what they come to as JSON into a file."""
    total = parts | beam.CombineGlobally(add) | beam.Map(as_json)
    _ = total | beam.io.WriteToText(path, shard_name_template="")


def total(path: str) -> dict:
    """What `write_total` has written, when its pipeline has ended; the file is removed."""
    values = files.read_json(path)
    files.remove(path)
    return values
