"""TFRecord files, without TensorFlow: written whole or not at all, read and counted though lengths may be damaged."""

from collections.abc import Iterable, Iterator, Mapping
from typing import IO

import numpy as np

from bert import files
from bert.errors import InputError
from bert.records import frames
from bert.records.kinds import RecordKind
from bert.records.serialization import serialize


def write_rows(path: str, kind: RecordKind, batches: Iterable[Mapping[str, np.ndarray]]) -> int:
    """Writes the rows of all batches (`serialize` says what a batch is) to a file, atomically; returns how many."""
    count = 0
    with files.replaced(path) as temporary, files.open_binary(temporary, "wb") as file:
        for features in batches:
            framed = frames.frame(serialize(kind, features))
            file.write(b"".join(framed))
            count += len(framed)
    return count


def read(path: str) -> Iterator[bytes]:
    """Yields the serialized records of a file. Raises InputError with the record's number where it is damaged."""
    with files.open_binary(path) as file:
        for number, length in enumerate(_lengths(file, path)):
            content = file.read(length)
            if file.read(frames.FOOTER) != frames.checksum(content):
                raise _damaged(path, number)
            yield content


def count(path: str) -> int:
    """The number of records in a file, from the headers alone.

    Raises InputError with the record's number where a length is damaged or leads behind the file's end; what stands in
    the records is not looked at.
    """
    with files.open_binary(path) as file:
        return sum(1 for _ in _lengths(file, path))


def _lengths(file: IO[bytes], path: str) -> Iterator[int]:
    """The length of one record after the other; the file stands at its first byte."""
    offset = number = 0
    size = files.size(path)
    while offset < size:
        file.seek(offset)
        header = file.read(frames.HEADER)
        length = int.from_bytes(header[:8], "little")
        offset += frames.HEADER + length + frames.FOOTER
        if offset > size or header != frames.header(length):
            raise _damaged(path, number)
        yield length
        number += 1


def _damaged(path: str, number: int) -> InputError:
    doubt = "damaged, or this is no TFRecord file" if number == 0 else "damaged or cut off"
    return InputError(f"{path}: record {number} is {doubt}")
