"""Reading and writing files the way every command here does it.

Reading is strict (a file that cannot be read is an `InputError` naming it), writing is atomic (a
temporary name beside the target, renamed when complete). Local paths use Python's own files; paths
with a scheme such as `gs://` go through TensorFlow's file system layer.
"""

import contextlib
import glob
import gzip
import os
import zlib
from collections.abc import Iterator
from typing import IO

from bert.errors import InputError


def is_remote(path: str) -> bool:
    return "://" in path


def _remote_files():
    import tensorflow as tf  # heavy, and only remote paths need it

    return tf.io.gfile


def exists(path: str) -> bool:
    return _remote_files().exists(path) if is_remote(path) else os.path.exists(path)


def is_folder(path: str) -> bool:
    return _remote_files().isdir(path) if is_remote(path) else os.path.isdir(path)


def make_folder(path: str) -> None:
    """Creates the folder and its parents; one that exists is left alone."""
    if is_remote(path):
        _remote_files().makedirs(path)
    else:
        os.makedirs(path, exist_ok=True)


def open_binary(path: str, mode: str = "rb") -> IO[bytes]:
    """Opens a file for bytes. Raises InputError when a file to be read is missing or a folder."""
    if "r" in mode:
        check_readable(path)
    return _remote_files().GFile(path, mode) if is_remote(path) else open(path, mode)


def check_readable(path: str, purpose: str = "file") -> None:
    """Raises InputError unless `path` is an existing file; `purpose` (say, a flag) opens the message."""
    if is_folder(path):
        raise InputError(f"{purpose}: {path} is a folder, expected a file")
    if not exists(path):
        raise InputError(f"{purpose}: {path} does not exist")


def read_lines(path: str) -> Iterator[str]:
    """Yields the lines of a UTF-8 text, without their ends.

    As the original reads (PARITY 7): only newline ends a line, and every carriage return in a line
    is dropped, not only the one before the newline. A byte order mark at the start is dropped too.
    A name that ends in `.gz` is unpacked on the way.
    Raises InputError with file and line for bytes that are not UTF-8 and for a damaged `.gz` file.
    """
    with open_binary(path) as file:
        for number, line in enumerate(_unpacked_lines(path, file), start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}:{number}: not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start} of the line"
                ) from None
            yield text.removesuffix("\n").replace("\r", "")


def _unpacked_lines(path: str, file: IO[bytes]) -> Iterator[bytes]:
    if not path.endswith(".gz"):
        yield from file
        return
    number = 0
    try:
        for number, line in enumerate(gzip.open(file), start=1):  # noqa: B007
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}:{number + 1}: not gzip, damaged or cut off: {error}") from None


def size(path: str) -> int:
    """Bytes in a file."""
    return _remote_files().stat(path).length if is_remote(path) else os.path.getsize(path)


def expand(patterns: str, flag: str, in_folder_order: bool = False) -> list[str]:
    """Files of a comma-separated list of names and globs, in the order given (PARITY 6.2).

    What a glob matches is sorted; `in_folder_order`, it comes in the order the folder lists it, as the original
    reads it. Raises InputError, naming the flag and the pattern, for a pattern that matches no file.
    """
    paths = []
    for pattern in (part.strip() for part in patterns.split(",")):
        found = _remote_files().glob(pattern) if is_remote(pattern) else glob.glob(pattern)
        found = [path for path in found if not is_folder(path)]
        if not in_folder_order:
            found.sort()
        if not found:
            hint = f", it is a folder: name its files, say with {pattern}/*" if is_folder(pattern) else ""
            raise InputError(f"--{flag}: no file matches '{pattern}'{hint}")
        paths.extend(found)
    return paths


@contextlib.contextmanager
def replaced(path: str) -> Iterator[str]:
    """Gives a temporary name beside `path`; renamed to `path` on success, removed on any error."""
    temporary = f"{path}.tmp-{os.getpid()}"
    files = _remote_files() if is_remote(path) else None
    try:
        yield temporary
        files.rename(temporary, path, overwrite=True) if files else os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(Exception):
            files.remove(temporary) if files else os.remove(temporary)
        raise


def write_text(path: str, text: str) -> None:
    """Writes a whole UTF-8 text atomically."""
    with replaced(path) as temporary, open_binary(temporary, "wb") as file:
        file.write(text.encode("utf-8"))
