"""Checkpoints in Google's format: name-based, `PREFIX.index` and `PREFIX.data-00000-of-00001`, with `<name>/adam_m`,
`<name>/adam_v` and `global_step` (docs/parity.md 9), in a folder whose file `checkpoint` names the last five.

A variable's path is its name in the checkpoint, so nothing here translates names. Where a checkpoint is read, the
weights of a Hugging Face folder may stand; `formats.weights` gives them Google's names.
"""

import contextlib
import dataclasses
import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.python.training.checkpoint_state_pb2 import CheckpointState

from bert import files
from bert.config import BASELINES
from bert.errors import InputError
from bert.formats import weights

logger = logging.getLogger(__name__)

GLOBAL_STEP = "global_step"
EVALUATIONS_CHECKSUM = "evaluations_checksum"  # of what the best checkpoint was chosen by; not the original's
SLOT_SUFFIXES = ("/adam_m", "/adam_v")
# What TensorFlow's reader raises for a file that is missing, cut off or damaged.
_READ_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, IndexError)
KEPT = 5  # checkpoints a folder keeps, as the original does (docs/parity.md 3)
STATE_FILE = "checkpoint"
_STEP = re.compile(r"model\.ckpt-(\d+)\.index$")


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


def resolve(path: str, flag: str = "init_checkpoint") -> str:
    """The prefix of an existing checkpoint: `path` itself, or the first to try of the folder `path`.

    For a Hugging Face folder, and a file of its weights, it is the name of that file.
    Raises InputError, naming the flag, where there is none.
    """
    weights_file = weights.find(path, flag)
    if weights_file:
        return weights_file
    prefix = CheckpointFolder(path).latest() if files.is_folder(path) else path.removesuffix(".index")
    if prefix is None or not files.exists(f"{prefix}.index"):
        raise InputError(f"`{flag}`: no checkpoint at {path}, expected {prefix or path}.index beside its data file")
    return prefix


def read_shapes(prefix: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of everything in a checkpoint. Raises Damaged for a file that cannot be read as one."""
    if weights.is_safetensors(prefix):
        return weights.read_shapes(prefix)
    try:
        with _reader(prefix) as reader:
            return {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    except _READ_ERRORS as error:
        raise Damaged(f"{prefix}: damaged, or no TensorFlow checkpoint: {_first_line(error)}") from None


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
        raise Damaged(f"{prefix}: damaged: {_first_line(error)}") from None


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


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]


def is_training_state(name: str) -> bool:
    """Whether a name is the optimizer's, not the model's."""
    return name in (GLOBAL_STEP, EVALUATIONS_CHECKSUM) or name.endswith(SLOT_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What a warm start found: names matched, missing in the checkpoint, unused by the model."""

    prefix: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def missing_encoder(self) -> str:
        """What is missing of the encoder, without its pooler, as a message says it; empty where nothing is."""
        parts = ("bert/embeddings/", "bert/encoder/", *(f"{name}/" for name in BASELINES))
        names = [name for name in self.missing if name.startswith(parts)]
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return f"{len(names)} variables of the encoder: {', '.join(names[:8])}{more}" if names else ""

    def log(self) -> None:
        logger.info(
            "Loaded %s: %d variables matched, %d missing, %d unused.",
            self.prefix,
            len(self.matched),
            len(self.missing),
            len(self.unused),
        )
        for name in self.unused:
            logger.info("  not used by this model: %s", name)
        for name in self.missing:
            logger.info("  NOT IN THE CHECKPOINT, left as initialised: %s", name)
        modules = sorted({name.rsplit("/", 1)[0] if "/" in name else name for name in self.missing})
        if modules:
            logger.warning("*** STARTS RANDOM, not from the checkpoint: %s ***", ", ".join(modules))


def warm_start(variables: Mapping[str, keras.Variable], prefix: str) -> LoadReport:
    """Assigns every variable (name -> Keras variable) that the checkpoint holds; slots and step are left alone.

    Raises InputError naming each variable of another shape, or when no name at all matches.
    """
    shapes = read_shapes(prefix)
    check_shapes(variables, shapes, prefix)
    matched = [name for name in variables if name in shapes]
    if not matched:
        raise InputError(f"{prefix}: holds none of the model's variables, for example no '{next(iter(variables))}'")
    for name, value in each_value(prefix, matched):
        variables[name].assign(value)
    missing = [name for name in variables if name not in shapes]
    unused = [name for name in sorted(shapes) if name not in variables and not is_training_state(name)]
    return LoadReport(prefix, tuple(matched), tuple(missing), tuple(unused))


def check_shapes(variables: Mapping[str, keras.Variable], shapes: Mapping[str, tuple[int, ...]], prefix: str) -> None:
    """Raises InputError that lists every variable whose shape in the checkpoint is another."""
    different = [
        f"{name} is {list(shapes[name])} there, expected {list(variable.shape)}"
        for name, variable in variables.items()
        if name in shapes and tuple(variable.shape) != shapes[name]
    ]
    if different:
        raise InputError(
            f"{prefix}: {len(different)} variables of another shape than the model of `bert_config_file`: "
            f"{'; '.join(different[:8])}"
        )


class CheckpointFolder:
    """The rotating checkpoints `model.ckpt-N` of an output folder."""

    def __init__(self, path: str, kept: int = KEPT) -> None:
        self.path, self.kept = path, kept
        self._told: set[tuple] = set()

    def newest_first(self) -> list[str]:
        """Prefixes of the checkpoints whose index, which is written last, is there, whatever the state file says."""
        steps = {int(match[1]) for match in map(_STEP.match, files.listing(self.path)) if match}
        return [self.prefix(step) for step in sorted(steps, reverse=True)]

    def candidates(self) -> list[str]:
        """Prefixes in the order in which to try them: what the state file names, which somebody may have set back to
        an earlier step, then the newest first. Where both are not the same, or the state file is of no use, says so.

        Raises InputError where the state file is there, and no checkpoint.
        """
        newest = self.newest_first()
        if not files.exists(os.path.join(self.path, STATE_FILE)):
            return newest
        try:
            named = self._named_by_state()
        except InputError as error:
            if not newest:
                raise
            self._tell("%s; taking the newest checkpoint, %s.", error, newest[0])
            return newest
        if newest and named != newest[0]:
            self._tell("The file %s names %s; there is a newer one, %s.", STATE_FILE, named, newest[0])
        return [named, *(prefix for prefix in newest if prefix != named)]

    def latest(self) -> str | None:
        """The first of the candidates, None where there is none."""
        return next(iter(self.candidates()), None)

    def prefix(self, step: int) -> str:
        return os.path.join(self.path, f"model.ckpt-{step}")

    def save(self, step: int, values: Mapping[str, object]) -> str:
        """Writes `model.ckpt-STEP`, moves the state file to it, deletes what is too old; returns the prefix."""
        prefix = self.prefix(step)
        if not files.is_remote(self.path):
            files.clear_abandoned(self.path, "model.ckpt-")
        write_variables(prefix, {**values, GLOBAL_STEP: np.array(step, np.int64)})
        prefixes = [prefix, *(older for older in self.newest_first() if older != prefix)]
        self._write_state(prefixes[: self.kept][::-1])
        old = tuple(f"{os.path.basename(prefix)}." for prefix in prefixes[self.kept :])
        for name in files.listing(self.path):
            if name.startswith(old):
                files.remove(os.path.join(self.path, name))
        return prefix

    def _named_by_state(self) -> str:
        """The prefix that the state file names. Raises InputError where it cannot be read, or names nothing there."""
        path = os.path.join(self.path, STATE_FILE)
        state = CheckpointState()
        try:
            text_format.Parse("\n".join(files.read_lines(path)), state)
        except text_format.ParseError as error:
            raise InputError(f"{path}: damaged: {_first_line(error)}") from None
        name = state.model_checkpoint_path
        if not name:
            raise InputError(f"{path}: damaged: names no checkpoint")
        for prefix in (os.path.join(self.path, name), os.path.join(self.path, os.path.basename(name))):
            if files.exists(f"{prefix}.index"):
                return prefix
        raise InputError(f"{self.path}: the file {STATE_FILE} names {name}, which is not there")

    def _tell(self, message: str, *values: object) -> None:
        """Warns, the first time."""
        if (message, values) not in self._told:
            self._told.add((message, values))
            logger.warning(message, *values)

    def _write_state(self, prefixes: list[str]) -> None:
        names = [os.path.basename(prefix) for prefix in prefixes]  # relative, so that the folder can be moved
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        files.write_text(os.path.join(self.path, STATE_FILE), "\n".join(lines) + "\n")
