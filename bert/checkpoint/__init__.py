"""Checkpoints in Google's format: name-based, `PREFIX.index` and `PREFIX.data-00000-of-00001`, with `<name>/adam_m`,
`<name>/adam_v` and `global_step` (docs/parity.md 9), in a folder whose file `checkpoint` names the last five.

A variable's path is its name in the checkpoint, so nothing here translates names. Where a checkpoint is read, the
weights of a Hugging Face folder may stand; `formats.weights` gives them Google's names.
"""

from bert.checkpoint.folder import GOOGLE_PREFIX, CheckpointFolder, resolve
from bert.checkpoint.loading import LoadReport, check_shapes, warm_start
from bert.checkpoint.variables import (
    EVALUATIONS_CHECKSUM,
    GLOBAL_STEP,
    SLOT_SUFFIXES,
    Damaged,
    each_value,
    is_training_state,
    read_shapes,
    read_values,
    sha256,
    write_variables,
)

__all__ = [
    "EVALUATIONS_CHECKSUM",
    "GLOBAL_STEP",
    "GOOGLE_PREFIX",
    "SLOT_SUFFIXES",
    "CheckpointFolder",
    "Damaged",
    "LoadReport",
    "check_shapes",
    "each_value",
    "is_training_state",
    "read_shapes",
    "read_values",
    "resolve",
    "sha256",
    "warm_start",
    "write_variables",
]
