"""Texts and JSON, checked as they are read."""

import contextlib
import functools
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator
from typing import IO, Protocol

from bert.errors import InputError
from bert.files.paths import check_readable, is_remote, remote

# Bytes of a line. A long novel on one line has 3 MB; what has more than this is a file without line ends, and to
# tokenize it at once would take thirty times its size.
LINE_LIMIT = 1 << 24
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # may be half of a surrogate pair


class Readable(Protocol):
    """A file that is read, whole or by lines."""

    def read(self, size: int = -1, /) -> bytes: ...

    def readline(self, limit: int = -1, /) -> bytes: ...


def open_binary(path: str, mode: str = "rb") -> IO[bytes]:
    """Opens a file for bytes. Raises InputError when a file to be read is missing or no regular file."""
    if "r" in mode:
        check_readable(path)
    return remote("GFile", path, mode) if is_remote(path) else open(path, mode)


def read_lines(path: str) -> Iterator[str]:
    """Yields the lines of a UTF-8 text, without their ends.

    As the original reads (docs/parity.md 7): only newline ends a line, and every carriage return in a line
    is dropped, not only the one before the newline. A byte order mark at the start is dropped too.
    A name that ends in `.gz` is unpacked on the way.
    Raises InputError with file and line for bytes that are not UTF-8, for a line of more than LINE_LIMIT bytes, and
    for a damaged `.gz` file.
    """
    with _unpacked(path) as file:
        for number, line in enumerate(_limited_lines(path, file), start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield _decoded(line, path, number).removesuffix("\n").replace("\r", "")


def read_json(path: str, whole_characters: bool = True) -> dict:
    """The object in a JSON file, in as many lines or as few as it likes. Raises InputError as `parse_json` does, and
    for anything but an object."""
    with _unpacked(path) as file:
        content = file.read().removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        start = content.rfind(b"\n", 0, error.start) + 1
        _decoded(content[start:].split(b"\n", maxsplit=1)[0], path, number)
        raise
    values = parse_json(text, path, whole_characters=whole_characters)
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(values).__name__}")
    return values


def parse_json(text: str, path: str, line: int = 1, whole_characters: bool = True) -> object:
    """The value that a JSON text holds; it begins in this line of this file.

    Raises InputError with file and line for what is no JSON and for what Python cannot hold: thousands of brackets in
    each other, a number of thousands of digits; with `whole_characters` also for half of a surrogate pair (`\\ud83d`),
    which no UTF-8 file could take.
    """
    try:
        values = json.loads(text)
        if whole_characters and _HALF_PAIR.search(text):
            json.dumps(values, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{line + error.lineno - 1}: not JSON: {error.msg}, column {error.colno}") from None
    except RecursionError:
        raise InputError(f"{path}:{line}: JSON that cannot be read: too many brackets in each other") from None
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InputError(f"{path}:{line}: JSON that cannot be read: {half!r} is half of a surrogate pair") from None
    except ValueError:
        digits = sys.get_int_max_str_digits()
        number = re.search(rf"\d{{{digits + 1}}}", text)
        line += text.count("\n", 0, number.start()) if number else 0
        raise InputError(f"{path}:{line}: JSON that cannot be read: a number of more than {digits} digits") from None
    return values


def _decoded(line: bytes, path: str, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}:{number}: not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start} of the line"
        ) from None


def _limited_lines(path: str, file: Readable) -> Iterator[bytes]:
    is_local = not is_remote(path) or path.endswith(".gz")  # TensorFlow's own files take no limit
    next_line = functools.partial(file.readline, LINE_LIMIT + 1) if is_local else file.readline
    number = 1
    while line := next_line():
        if len(line) > LINE_LIMIT:
            raise InputError(f"{path}:{number}: a line of more than {LINE_LIMIT >> 20} MB, expected shorter lines")
        yield line
        number += 1


@contextlib.contextmanager
def _unpacked(path: str) -> Iterator[Readable]:
    """The open file, unpacked on the way where its name ends in `.gz`."""
    with open_binary(path) as file:
        if not path.endswith(".gz"):
            yield file
            return
        with gzip.open(file) as unpacked:
            counted = _Counted(unpacked)
            try:
                yield counted
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise InputError(f"{path}:{counted.lines + 1}: not gzip, damaged or cut off: {error}") from None


class _Counted:
    """A file that knows how many lines were read from it."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file, self.lines = file, 0

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def readline(self, limit: int = -1, /) -> bytes:
        line = self._file.readline(limit)
        self.lines += 1
        return line
