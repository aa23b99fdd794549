"""Files that appear under their name when they are complete and on the disk: either the old one is there or the new."""

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator

from bert.errors import InputError
from bert.files.locks import hold, locked
from bert.files.paths import check_folder, check_replaceable, is_remote, remote, remove
from bert.files.reading import open_binary

# Nobody can guess the name and plant a link under it; the next run knows it for one of ours.
_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}$")


def _temporary_name(path: str) -> str:
    return f"{path}.tmp-{secrets.token_hex(8)}"


@contextlib.contextmanager
def replaced(path: str) -> Iterator[str]:
    """Gives the name of an empty temporary file beside `path`; it becomes `path` on success, and goes on any error.

    A link is followed: its target is replaced. What killed runs left of the same file is removed.
    Raises InputError where `path` is there and no regular file.
    """
    check_replaceable(path)
    if is_remote(path):
        temporary = _temporary_name(path)
        with _removed_on_error(temporary):
            yield temporary
            remote("rename", temporary, path, overwrite=True)
        return
    target = os.path.realpath(path) if os.path.islink(path) else path
    clear_abandoned(os.path.dirname(target) or ".", os.path.basename(target))
    temporary = _temporary_name(target)
    with named(path):
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        hold(descriptor)  # as long as it is open, `clear_abandoned` leaves the file alone
        with _removed_on_error(temporary), named(path):
            yield temporary
            publish(temporary, target)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _removed_on_error(temporary: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            remove(temporary)
        raise


def publish(temporary: str, path: str) -> None:
    """Flushes a local file to the disk and gives it its name; one that has the name already is replaced."""
    check_replaceable(path)
    flush(temporary)
    os.replace(temporary, path)
    flush(os.path.dirname(path) or ".")


def flush(path: str) -> None:
    """Waits until a local file, or the names in a local folder, are on the disk, so that a power cut spares them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_folder(path: str) -> Iterator[str]:
    """Gives a new folder beside the local `path`, for what is not complete; it goes at the end, or, after a kill, when
    somebody calls `clear_abandoned`."""
    folder = _temporary_name(path)
    os.mkdir(folder, 0o700)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            hold(descriptor)
            yield folder
        finally:
            os.close(descriptor)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def new_folder(path: str, flag: str) -> Iterator[str]:
    """Gives a folder to fill; it becomes `path` on success, and goes on any error, as do folders made around it.

    Raises InputError, naming the flag, where `path` cannot become a folder, is not empty, is made by another process,
    is not on a local disk, or was deleted meanwhile.
    """
    if is_remote(path):
        raise InputError(f"`{flag}`: {path} is not on a local disk, where a folder can be renamed when it is whole")
    check_folder(path, flag)
    target = os.path.realpath(path)
    parent, name = os.path.split(target)
    with _made(parent), locked(f"{target}.lock", path):
        if os.path.isdir(target) and os.listdir(target):
            raise InputError(f"`{flag}`: {path} is not empty, expected a new folder")
        clear_abandoned(parent, name)
        with temporary_folder(target) as temporary:
            whole = os.path.join(temporary, name)  # unlike the folder around it, one that others may read
            os.mkdir(whole)
            made = os.stat(temporary)
            with named(path):
                yield whole
            # TensorFlow makes a folder that is gone anew, without what had been written into it.
            if not os.path.exists(whole) or not os.path.samestat(made, os.stat(temporary)):
                raise InputError(f"`{flag}`: {path} was deleted while it was written")
            for folder, _, names in os.walk(whole):
                for path_inside in (folder, *(os.path.join(folder, file) for file in names)):
                    flush(path_inside)
            os.replace(whole, target)
            flush(parent)


@contextlib.contextmanager
def _made(folder: str) -> Iterator[None]:
    """Makes a local folder and those around it; on any error those that were made go again, where they are empty."""
    missing, around = [], folder
    while not os.path.isdir(around):
        missing.append(around)
        around = os.path.dirname(around)
    try:
        os.makedirs(folder, exist_ok=True)
        yield
    except BaseException:
        for made in missing:
            with contextlib.suppress(OSError):  # gone already, or somebody else works there
                os.rmdir(made)
        raise


def clear_abandoned(folder: str, beginning: str = "") -> None:
    """Removes the temporary files and folders in a local folder whose process is gone, of names that begin so."""
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        found = _TEMPORARY.search(name)
        if not found or not name.startswith(beginning):
            continue
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if hold(descriptor):
                    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def locked_folder(path: str) -> Iterator[None]:
    """`locked` for a folder that exists, by a file `.lock` in it; what killed runs left half-written there goes."""
    with locked(os.path.join(path, ".lock"), path):
        if not is_remote(path):
            clear_abandoned(path)
        yield


@contextlib.contextmanager
def named(path: str) -> Iterator[None]:
    """Gives an OSError that names no file, as that of a write on a full disk, the path."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), path) from error
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


def write_text(path: str, text: str) -> None:
    """Writes a whole UTF-8 text atomically."""
    with replaced(path) as temporary, open_binary(temporary, "wb") as file:
        file.write(text.encode("utf-8"))


def write_lines(path: str, lines: Iterable[str]) -> None:
    """Writes a text of lines, atomically."""
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_json(path: str, values: object) -> None:
    """Writes a JSON file atomically; letters beyond ASCII as they are."""
    write_text(path, json.dumps(values, ensure_ascii=False, indent=2) + "\n")
