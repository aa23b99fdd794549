"""The values of a checkpoint into a model, and what is said of it."""

import dataclasses
import logging
from collections.abc import Mapping

import keras

from bert.checkpoint.variables import each_value, is_training_state, read_shapes
from bert.config import BASELINES
from bert.errors import InputError

logger = logging.getLogger(__name__)


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
