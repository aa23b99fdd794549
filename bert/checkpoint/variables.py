"""The two files of a checkpoint, `PREFIX.index` and `PREFIX.data-00000-of-00001`: named values, written and read."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bert import files
from bert.errors import InputError
from bert.formats import weights

GLOBAL_STEP = "global_step"
EVALUATIONS_CHECKSUM = "evaluations_checksum"  # of what the best checkpoint was chosen by; not the original's
SLOT_SUFFIXES = ("/adam_m", "/adam_v")
LOSS_SCALE = "loss_scale"  # of a training in float16, and what stands under it
# What TensorFlow's reader raises for a file that is missing, cut off or damaged.
_READ_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, IndexError)


class Damaged(InputError):
    """A checkpoint that cannot be read: cut off, half-written, or no checkpoint at all."""


def write_variables(prefix: str, values: Mapping[str, object]) -> None:
    """Writes a checkpoint of the named arrays, tensors or variables (of which no copy is made).

    Both files appear under their names, the index last, when they are on the disk.
    """
    if files.is_remote(prefix):
        _write(prefix, values)
        return
    for path in _files_of(prefix):
        files.check_replaceable(path)
    with files.temporary_folder(prefix) as folder:
        inner = os.path.join(folder, "variables")
        _write(inner, values, named=prefix)
        for path, target in zip(_files_of(inner), _files_of(prefix), strict=True):
            files.publish(path, target)


def _files_of(prefix: str) -> tuple[str, str]:
    """The data and the index of a checkpoint as it is written here."""
    return f"{prefix}.data-00000-of-00001", f"{prefix}.index"


def _write(prefix: str, values: Mapping[str, object], named: str | None = None) -> None:
    names = sorted(values)
    tensors = [tf.convert_to_tensor(values[name]) for name in names]
    with files.written_by_tensorflow(named or prefix):
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)


def read_shapes(prefix: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of everything in a checkpoint. Raises Damaged for a file that cannot be read as one."""
    if weights.is_safetensors(prefix):
        return weights.read_shapes(prefix)
    try:
        with _reader(prefix) as reader:
            return {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    except _READ_ERRORS as error:
        raise Damaged(f"{prefix}: damaged, or no TensorFlow checkpoint: {first_line(error)}") from None


def each_value(prefix: str, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the named values one by one; of a TensorFlow checkpoint no more than one is held, of a Hugging Face folder
    all are read first.

    Raises Damaged where the data file is missing, cut off or damaged.
    """
    if weights.is_safetensors(prefix):
        yield from weights.read_values(prefix, names).items()
        return
    try:
        with _reader(prefix) as reader:
            for name in names:
                yield name, reader.get_tensor(name)
    except _READ_ERRORS as error:
        raise Damaged(f"{prefix}: damaged: {first_line(error)}") from None


def sha256(prefix: str, names: Iterable[str]) -> str:
    """A hash of the named values, in the order given. Raises Damaged as `each_value` does."""
    found = hashlib.sha256()
    for name, value in each_value(prefix, names):
        found.update(f"{name} {value.shape} {value.dtype}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()


def read_values(prefix: str, names: Iterable[str]) -> dict[str, np.ndarray]:
    """All the named values at once. Raises Damaged as `each_value` does."""
    return dict(each_value(prefix, names))


@contextlib.contextmanager
def _reader(prefix: str) -> Iterator[Any]:
    """TensorFlow's reader of a checkpoint.

    It takes the name for a glob and offers no escape. So a name with such signs is read through links of another name.
    """
    if files.is_remote(prefix):
        yield tf.train.load_checkpoint(prefix)
        return
    folder, name = os.path.split(os.path.abspath(prefix))
    for file in files.listing(folder):
        if file.startswith(f"{name}.") and not os.path.isfile(os.path.join(folder, file)):
            raise Damaged(f"{prefix}: {file} is no regular file")  # a pipe would be waited for
    if not re.search(r"[\[\]*?\\]", prefix):
        yield tf.train.load_checkpoint(prefix)
        return
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as links:
        for file in os.listdir(folder):
            if file.startswith(f"{name}."):
                os.symlink(os.path.join(folder, file), os.path.join(links, f"model{file.removeprefix(name)}"))
        yield tf.train.load_checkpoint(os.path.join(links, "model"))


def first_line(error: Exception) -> str:
    """What a message quotes of an error of TensorFlow's."""
    return str(error).split("\n", maxsplit=1)[0]


def is_training_state(name: str) -> bool:
    """Whether a name is the optimizer's, not the model's."""
    is_own = name in (GLOBAL_STEP, EVALUATIONS_CHECKSUM) or name.split("/")[0] == LOSS_SCALE
    return is_own or name.endswith(SLOT_SUFFIXES)
