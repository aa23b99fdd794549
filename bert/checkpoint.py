"""Checkpoints in Google's format: name-based, `PREFIX.index` and `PREFIX.data-00000-of-00001`, with `<name>/adam_m`,
`<name>/adam_v` and `global_step` (docs/parity.md 9), in a folder whose file `checkpoint` names the last five.

A variable's path is its name in the checkpoint, so nothing here translates names.
"""

import dataclasses
import logging
import os
import re
from collections.abc import Iterable, Mapping

import keras
import numpy as np
import tensorflow as tf

from bert import files
from bert.errors import InputError

logger = logging.getLogger(__name__)

GLOBAL_STEP = "global_step"
SLOT_SUFFIXES = ("/adam_m", "/adam_v")
# What TensorFlow's reader raises for a file that is missing, cut off or damaged.
_READ_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, IndexError)
KEPT = 5  # checkpoints a folder keeps, as the original does (docs/parity.md 3)


class Damaged(InputError):
    """A checkpoint that cannot be read: cut off, half-written, or no checkpoint at all."""


def write_variables(prefix: str, values: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint of the named values. The op itself writes under other names and renames at the end."""
    names = sorted(values)
    tensors = [tf.convert_to_tensor(values[name]) for name in names]
    with files.written_by_tensorflow(prefix):
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)


def resolve(path: str, flag: str = "init_checkpoint") -> str:
    """The prefix of an existing checkpoint: `path` itself, or the last one of the folder `path`.

    Raises InputError, naming the flag, where there is none.
    """
    prefix = tf.train.latest_checkpoint(path) if files.is_folder(path) else path.removesuffix(".index")
    if prefix is None or not files.exists(f"{prefix}.index"):
        raise InputError(f"--{flag}: no checkpoint at {path}, expected {prefix or path}.index beside its data file")
    return prefix


def read_shapes(prefix: str) -> dict[str, tuple[int, ...]]:
    """Name -> shape of everything in a checkpoint. Raises Damaged for a file that cannot be read as one."""
    try:
        return {name: tuple(shape) for name, shape in tf.train.list_variables(prefix)}
    except _READ_ERRORS as error:
        raise Damaged(f"{prefix}: damaged, or no TensorFlow checkpoint: {_first_line(error)}") from None


def read_values(prefix: str, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads the named values. Raises Damaged where the data file is missing, cut off or damaged."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        return {name: reader.get_tensor(name) for name in names}
    except _READ_ERRORS as error:
        raise Damaged(f"{prefix}: damaged: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0]


def is_training_state(name: str) -> bool:
    """Whether a name is the optimizer's, not the model's."""
    return name == GLOBAL_STEP or name.endswith(SLOT_SUFFIXES)


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What a warm start found: names matched, missing in the checkpoint, unused by the model."""

    prefix: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

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
    values = read_values(prefix, matched)
    for name in matched:
        variables[name].assign(values[name])
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
        raise InputError(f"{prefix}: {len(different)} variables of another shape: {'; '.join(different[:8])}")


class CheckpointFolder:
    """The rotating checkpoints `model.ckpt-N` of an output folder."""

    def __init__(self, path: str, kept: int = KEPT) -> None:
        self.path, self.kept = path, kept

    def newest_first(self) -> list[str]:
        """Prefixes of the checkpoints whose two files are there, whatever the state file says, by step."""
        names = tf.io.gfile.listdir(self.path) if files.is_folder(self.path) else []
        found = {name.rstrip("/") for name in names}
        steps = [int(match[1]) for match in map(re.compile(r"model\.ckpt-(\d+)\.index$").match, found) if match]
        return [self.prefix(step) for step in sorted(steps, reverse=True)]

    def check_state(self) -> None:
        """Raises InputError where the state file names checkpoints, and none is there."""
        state = tf.train.get_checkpoint_state(self.path)
        if state and not self.newest_first():
            raise InputError(
                f"{self.path}: the file checkpoint names {state.model_checkpoint_path}, which is not there"
            )

    def latest(self) -> str | None:
        """The first of them, None where there is none."""
        return next(iter(self.newest_first()), None)

    def prefix(self, step: int) -> str:
        return os.path.join(self.path, f"model.ckpt-{step}")

    def save(self, step: int, values: Mapping[str, np.ndarray]) -> str:
        """Writes `model.ckpt-STEP`, moves the state file to it, deletes what is too old; returns the prefix."""
        prefix = self.prefix(step)
        write_variables(prefix, {**values, GLOBAL_STEP: np.array(step, np.int64)})
        prefixes = [prefix, *(older for older in self.newest_first() if older != prefix)]
        self._write_state(prefixes[: self.kept][::-1])
        for old in prefixes[self.kept :]:
            for file in tf.io.gfile.glob(f"{old}.*"):
                tf.io.gfile.remove(file)
        return prefix

    def _write_state(self, prefixes: list[str]) -> None:
        names = [os.path.basename(prefix) for prefix in prefixes]  # relative, so that the folder can be moved
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        files.write_text(os.path.join(self.path, "checkpoint"), "\n".join(lines) + "\n")
