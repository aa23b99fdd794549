"""Reading and writing files the way every command here does it.

Reading is strict (a file that cannot be read is an `InputError` naming it), writing is atomic (a
temporary name beside the target, renamed when complete). Local paths use Python's own files; paths
with a scheme such as `gs://` go through TensorFlow's file system layer.
"""

import contextlib
import glob
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any

from bert.errors import InputError


def is_remote(path: str) -> bool:
    return "://" in path


def _remote_files() -> Any:
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


def check_folder(path: str, flag: str) -> None:
    """Raises InputError, naming the flag, unless `path` is a folder to write in or can become one."""
    parent = path
    while not is_remote(path) and not os.path.exists(parent):
        parent = os.path.dirname(os.path.abspath(parent))
    if not is_remote(path) and not os.path.isdir(parent):
        raise InputError(f"--{flag}={path}: {parent} is a file, expected a folder")
    if not is_remote(path) and not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"--{flag}={path}: no permission to write in {parent}")


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
    if not is_remote(path) and not os.access(path, os.R_OK):
        raise InputError(f"{purpose}: no permission to read {path}")


def read_lines(path: str) -> Iterator[str]:
    """Yields the lines of a UTF-8 text, without their ends.

    As the original reads (docs/parity.md 7): only newline ends a line, and every carriage return in a line
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


def read_json(path: str) -> dict:
    """The object in a JSON file. Raises InputError with file and line where it is damaged or holds anything else."""
    try:
        values = json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(values).__name__}")
    return values


def _unpacked_lines(path: str, file: IO[bytes]) -> Iterator[bytes]:
    if not path.endswith(".gz"):
        yield from file
        return
    number = 1
    try:
        with gzip.open(file) as unpacked:
            for line in unpacked:
                yield line
                number += 1
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}:{number}: not gzip, damaged or cut off: {error}") from None


def size(path: str) -> int:
    """Bytes in a file."""
    return _remote_files().stat(path).length if is_remote(path) else os.path.getsize(path)


def matching(pattern: str) -> list[str]:
    """The files that a name or glob matches, in the order their folder lists them; no folders."""
    found = _remote_files().glob(pattern) if is_remote(pattern) else glob.glob(pattern)
    return [path for path in found if not is_folder(path)]


def expand(patterns: str, flag: str, in_folder_order: bool = False) -> list[str]:
    """Files of a comma-separated list of names and globs, in the order given (docs/parity.md 6.2).

    What a glob matches is sorted; `in_folder_order`, it comes in the order the folder lists it, as the original
    reads it. Raises InputError, naming the flag and the pattern, for a pattern that matches no file.
    """
    paths = []
    for pattern in (part.strip() for part in patterns.split(",")):
        found = matching(pattern)
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
    try:
        yield temporary
        rename(temporary, path)
    except BaseException:
        with contextlib.suppress(Exception):
            remove(temporary)
        raise


@contextlib.contextmanager
def written_by_tensorflow(path: str) -> Iterator[None]:
    """Makes an OSError, as Python's own files raise it, of what TensorFlow raises where it cannot write `path`."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        reason = re.sub(r"^\{\{.*?\}\} | \[Op:.*", "", error.message.split("\n", maxsplit=1)[0])
        raise OSError(f"{path}: cannot be written: {reason}") from error


def remove(path: str) -> None:
    """Deletes a file."""
    _remote_files().remove(path) if is_remote(path) else os.remove(path)


def rename(source: str, target: str) -> None:
    """Renames a file; one that has the name already is replaced."""
    _remote_files().rename(source, target, overwrite=True) if is_remote(target) else os.replace(source, target)


def write_text(path: str, text: str) -> None:
    """Writes a whole UTF-8 text atomically."""
    with replaced(path) as temporary, open_binary(temporary, "wb") as file:
        file.write(text.encode("utf-8"))


def write_json(path: str, values: object) -> None:
    """Writes a JSON file atomically; letters beyond ASCII as they are."""
    write_text(path, json.dumps(values, ensure_ascii=False, indent=2) + "\n")
