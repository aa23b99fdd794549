"""Reading and writing files the way every command here does it.

Reading is strict (a file that cannot be read is an `InputError` naming it), writing is atomic (a temporary name beside
the target, flushed to the disk and renamed when complete). Local paths use Python's own files; paths with a scheme such
as `gs://` go through TensorFlow's file system layer.
"""

from bert.files.checking import Measured, checked
from bert.files.locks import locked
from bert.files.paths import (
    check_folder,
    check_output,
    check_readable,
    check_replaceable,
    exists,
    expand,
    is_folder,
    is_remote,
    listing,
    make_folder,
    matching,
    remove,
    same_file,
    size,
)
from bert.files.reading import LINE_LIMIT, open_binary, parse_json, read_json, read_lines
from bert.files.writing import (
    clear_abandoned,
    flush,
    locked_folder,
    named,
    new_folder,
    publish,
    replaced,
    temporary_folder,
    write_json,
    write_lines,
    write_text,
    written_by_tensorflow,
)

__all__ = [
    "LINE_LIMIT",
    "Measured",
    "check_folder",
    "check_output",
    "check_readable",
    "check_replaceable",
    "checked",
    "clear_abandoned",
    "exists",
    "expand",
    "flush",
    "is_folder",
    "is_remote",
    "listing",
    "locked",
    "locked_folder",
    "make_folder",
    "matching",
    "named",
    "new_folder",
    "open_binary",
    "parse_json",
    "publish",
    "read_json",
    "read_lines",
    "remove",
    "replaced",
    "same_file",
    "size",
    "temporary_folder",
    "write_json",
    "write_lines",
    "write_text",
    "written_by_tensorflow",
]
