"""What lies under a name: local, or remote (`gs://...`) through TensorFlow's file systems."""

import glob
import os
import stat
from collections.abc import Sequence
from typing import Any

from bert.errors import InputError


def is_remote(path: str) -> bool:
    return "://" in path


def remote(operation: str, path: str, *arguments: object, **options: object) -> Any:
    """`tf.io.gfile.OPERATION(path, ...)`. Raises InputError for a scheme without file system, and OSError, with the
    path, for whatever else goes wrong there."""
    import tensorflow as tf  # heavy, and only remote paths need it

    try:
        return getattr(tf.io.gfile, operation)(path, *arguments, **options)
    except tf.errors.UnimplementedError:
        scheme = path.partition("://")[0]
        raise InputError(f"{path}: TensorFlow has no file system for {scheme}:// on this machine") from None
    except tf.errors.OpError as error:
        raise OSError(f"{path}: {error.message.splitlines()[0]}") from error


def exists(path: str) -> bool:
    return remote("exists", path) if is_remote(path) else os.path.lexists(path)


def is_folder(path: str) -> bool:
    return remote("isdir", path) if is_remote(path) else os.path.isdir(path)


def size(path: str) -> int:
    """Bytes in a file."""
    return remote("stat", path).length if is_remote(path) else os.path.getsize(path)


def listing(folder: str) -> list[str]:
    """The names in a folder; empty where there is no such folder."""
    if not is_folder(folder):
        return []
    return [name.rstrip("/") for name in (remote("listdir", folder) if is_remote(folder) else os.listdir(folder))]


def make_folder(path: str, parents: bool = True) -> None:
    """Creates the folder and, where asked for, its parents; one that exists is left alone."""
    if is_remote(path):
        remote("makedirs", path)
    elif parents:
        os.makedirs(path, exist_ok=True)
    elif not os.path.isdir(path):
        os.mkdir(path)


def remove(path: str) -> None:
    """Deletes a file."""
    remote("remove", path) if is_remote(path) else os.remove(path)


def check_folder(path: str, flag: str) -> None:
    """Raises InputError, naming the flag, unless `path` is a folder to write in or can become one."""
    if is_remote(path):
        exists(path)  # asks whether there is such a file system at all
        return
    parent = path
    while not os.path.exists(parent):
        parent = os.path.dirname(os.path.abspath(parent))
    if not os.path.isdir(parent):
        raise InputError(f"`{flag}`={path}: {parent} is a file, expected a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"`{flag}`={path}: no permission to write in {parent}")


def check_readable(path: str, purpose: str = "file") -> None:
    """Raises InputError unless `path` is an existing file; `purpose` (say, a flag) opens the message.

    What is no regular file is refused: a pipe would be waited for, for ever, and could not be read a second time.
    """
    if is_folder(path):
        raise InputError(f"{purpose}: {path} is a folder, expected a file")
    if not exists(path):
        raise InputError(f"{purpose}: {path} does not exist")
    if is_remote(path):
        return
    if not os.path.isfile(path):
        raise InputError(f"{purpose}: {path} is {_sort_of(path)}, expected a file")
    if not os.access(path, os.R_OK):
        raise InputError(f"{purpose}: no permission to read {path}")


def check_replaceable(path: str, purpose: str = "file") -> None:
    """Raises InputError where `path` is there and no regular file: a rename would take its place, a device's even."""
    if not is_remote(path) and os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{purpose}: {path} is {_sort_of(path)}, expected a file or a new name")


def check_output(path: str, flag: str, input_paths: Sequence[str]) -> None:
    """Raises InputError, naming the flag, for a file that could not be written at the end of a long run, and for one
    that is read too."""
    folder = os.path.dirname(path)
    if not os.path.basename(path):
        raise InputError(f"`{flag}`: '{path}' names no file")
    if folder and not is_remote(path) and not is_folder(folder):
        raise InputError(f"`{flag}`: the folder {folder} of {path} does not exist")
    check_replaceable(path, f"`{flag}`")
    check_folder(path if is_remote(path) else folder or ".", flag)
    if any(same_file(path, input_path) for input_path in input_paths):
        raise InputError(f"`{flag}`: {path} is among the input files, which would be overwritten")


def same_file(one: str, other: str) -> bool:
    """Whether two names, of files that need not be there, lead to one place."""
    if is_remote(one) or is_remote(other):
        return one == other
    return os.path.realpath(one) == os.path.realpath(other)


def _sort_of(path: str) -> str:
    mode = os.stat(path).st_mode
    kinds = {
        "a folder": stat.S_ISDIR,
        "a pipe": stat.S_ISFIFO,
        "a socket": stat.S_ISSOCK,
        "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
    }
    return next((name for name, is_kind in kinds.items() if is_kind(mode)), "no regular file")


def matching(pattern: str) -> list[str]:
    """The files that a name or glob matches, in the order their folder lists them; no folders.

    A name that exists is that file, whatever signs are in it; only then is it a glob.
    """
    if exists(pattern):
        return [] if is_folder(pattern) else [pattern]
    found = remote("glob", pattern) if is_remote(pattern) else glob.glob(pattern)
    return [path for path in found if not is_folder(path)]


def expand(patterns: str, flag: str, in_folder_order: bool = False) -> list[str]:
    """Files of a comma-separated list of names and globs, in the order given (docs/parity.md 6.2).

    What a glob matches is sorted; `in_folder_order`, it comes in the order the folder lists it, as the original
    reads it. Raises InputError, naming the flag and the pattern, for a pattern that matches no file, and for a file
    that cannot be read.
    """
    paths = []
    for pattern in (part.strip() for part in patterns.split(",")):
        found = matching(pattern)
        if not in_folder_order:
            found.sort()
        if not found:
            hint = f", it is a folder: name its files, say with {pattern}/*" if is_folder(pattern) else ""
            raise InputError(f"`{flag}`: no file matches '{pattern}'{hint}")
        for path in found:
            check_readable(path, f"`{flag}`")
        paths.extend(found)
    return paths
