"""Numbered output shards that survive a kill: complete ones are kept, the rest is made again."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import types
from collections.abc import Mapping, Sequence
from typing import IO

from bert import files, sidecar
from bert.errors import InputError
from bert.pretraining_data.describe import side_car_values
from bert.pretraining_data.options import Options
from bert.pretraining_data.report import Counts
from bert.tokenization import Vocabulary

# What a shard must have in common with the run that goes on behind it.
_SAME_RUN = ("flags", "inputs", "vocab_sha256", "version")
_COUNTS = {field.name: int for field in dataclasses.fields(Counts)}
_SCHEMA = {
    "counts": _COUNTS,
    "shard": {"number": int, "blocks": int, "is_last": bool},
}


def shard_path(output_path: str, number: int) -> str:
    """`NAME.tfrecord` -> `NAME-00000.tfrecord`."""
    stem, extension = os.path.splitext(output_path)
    return f"{stem}-{number:05d}{extension}"


class ShardWriter:
    """Joins the record files of blocks into shards; goes on behind the complete shards of an earlier run.

    A shard is ended by the first block that begins when the shard has its size. Its name appears last, after its
    side-car, so a shard with its name is complete.

    Attributes:
      number: of complete shards.
      blocks: in the complete shards.
      total: counts of all blocks so far.
      is_complete: whether the last shard of the corpus is among the complete ones.

    Raises InputError for shards that were not made with the same input and flags.
    """

    def __init__(self, output_path: str, shard_size_mb: float, options: Options, input_paths: Sequence[str]) -> None:
        self._output_path = output_path
        self._limit = shard_size_mb * 1e6
        vocabulary = Vocabulary.from_file(options.vocab_file)
        self._values = side_car_values(options, vocabulary, input_paths, 0, Counts())
        self._values["flags"]["shard_size_mb"] = shard_size_mb
        self.number = self.blocks = 0
        self.total, self.is_complete = Counts(), False
        self._file: IO[bytes] | None = None
        self._counts, self._blocks = Counts(), 0
        self._path = ""
        self._shard = contextlib.ExitStack()  # the temporary file of the shard under way
        self._resume()

    def _resume(self) -> None:
        for number in itertools.count():
            path = shard_path(self._output_path, number)
            if self.is_complete or not files.exists(path):
                return
            values = sidecar.read(path)
            if values is None:
                raise InputError(
                    f"{path} exists without its side-car {sidecar.path_of(path)}; remove it or name another"
                )
            files.checked(values, _SCHEMA, sidecar.path_of(path))
            _check_same_run(path, values, self._values)
            self.number += 1
            self.blocks += values["shard"]["blocks"]
            self.total += Counts(**{name: values["counts"][name] for name in _COUNTS})
            self.is_complete = values["shard"]["is_last"]

    def append(self, block_path: str, counts: Counts) -> None:
        """Moves the records of the next block behind the others."""
        if self._file is not None and self._file.tell() >= self._limit:
            self._end_shard(is_last=False)
        file = self._file or self._begin_shard()
        with files.named(self._path), open(block_path, "rb") as block:
            shutil.copyfileobj(block, file, 1 << 20)
        os.remove(block_path)
        self._counts += counts
        self._blocks += 1
        self.total += counts

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        """On an error the shard that is not complete goes; the complete ones stay for the next run."""
        self._shard.__exit__(error_type, error, traceback)

    def finish(self) -> None:
        """Completes the last shard."""
        if self._file is not None:
            self._end_shard(is_last=True)

    def _begin_shard(self) -> IO[bytes]:
        self._path = shard_path(self._output_path, self.number)
        temporary = self._shard.enter_context(files.replaced(self._path))
        self._file = self._shard.enter_context(files.open_binary(temporary, "wb"))
        return self._file

    def _end_shard(self, is_last: bool) -> None:
        values = {
            **self._values,
            "records": self._counts.instances,
            "counts": vars(self._counts),
            "shard": {"number": self.number, "blocks": self._blocks, "is_last": is_last},
        }
        sidecar.write(self._path, values)
        with files.named(self._path):
            self._shard.close()
        self.number += 1
        self.blocks += self._blocks
        self._file, self._counts, self._blocks = None, Counts(), 0


def _check_same_run(path: str, found: Mapping, expected: Mapping) -> None:
    for key in _SAME_RUN:
        old, new = found.get(key), expected[key]
        if isinstance(new, dict) and isinstance(old, dict):
            name = next((name for name in new if old.get(name) != new[name]), None)
            if name is None:
                continue
            key, old, new = f"`{name}`" if key == "flags" else f"input {name}", old.get(name), new[name]
        if old != new:
            raise InputError(
                f"{path} was made with {key} {old}, now it is {new}: remove the shards or name another output"
            )
