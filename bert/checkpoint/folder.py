"""The folder of checkpoints, whose file `checkpoint` names the last five."""

import logging
import os
import re
from collections.abc import Mapping

import numpy as np
from google.protobuf import text_format
from tensorflow.python.training.checkpoint_state_pb2 import CheckpointState

from bert import files
from bert.checkpoint.variables import GLOBAL_STEP, first_line, write_variables
from bert.errors import InputError
from bert.formats import weights

logger = logging.getLogger(__name__)

KEPT = 5  # checkpoints a folder keeps, as the original does (docs/parity.md 3)
STATE_FILE = "checkpoint"
GOOGLE_PREFIX = "bert_model.ckpt"  # in a folder of Google's
_STEP = re.compile(r"model\.ckpt-(\d+)\.index$")


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
            raise InputError(f"{path}: damaged: {first_line(error)}") from None
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


def resolve(path: str, flag: str = "init_checkpoint") -> str:
    """The prefix of an existing checkpoint: `path` itself, or of the folder `path` the first to try, else Google's.

    For a Hugging Face folder, and a file of its weights, it is the name of that file.
    Raises InputError, naming the flag, where there is none.
    """
    weights_file = weights.find(path, flag)
    if weights_file:
        return weights_file
    prefix = path.removesuffix(".index")
    if files.is_folder(path):
        prefix = CheckpointFolder(path).latest() or os.path.join(path, GOOGLE_PREFIX)
    if not files.exists(f"{prefix}.index"):
        raise InputError(f"`{flag}`: no checkpoint at {path}, expected {prefix}.index beside its data file")
    return prefix
