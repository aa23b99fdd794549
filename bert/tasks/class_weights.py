"""What an example of each class weighs in the loss, against imbalance: `class_weights`."""

import logging
from collections.abc import Sequence

from bert import files
from bert.errors import InputError, quoted
from bert.tasks import label_kinds
from bert.tasks.label_kinds import Label, LabelKind

logger = logging.getLogger(__name__)


def read(asked: str, kind: LabelKind, labels: Sequence[str], examples_labels: Sequence[Label]) -> list[float] | None:
    """A weight a label, in their order; None for `none`, and where there are no training labels.

    `asked` is none, balanced or the name of a file.
    """
    if asked == "none":
        return None
    if not kind.has_classes:
        raise InputError(f"`class_weights` is {asked}, but the labels are numbers: there are no classes to weigh")
    if not examples_labels:  # no training: nothing is weighed
        return None
    weights = kind.balanced_weights(examples_labels, labels) if asked == "balanced" else from_file(asked, labels)
    pairs = sorted(zip(weights, labels, strict=True))
    some = pairs if len(pairs) <= 6 else [*pairs[:3], *pairs[-3:]]
    logger.info("Class weights: %s", ", ".join(f"{label}: {weight:.3g}" for weight, label in some))
    return weights


def from_file(path: str, labels: Sequence[str]) -> list[float]:
    """Reads lines of `label TAB weight`. Raises InputError for an unknown, a missing or a second label, and for what is
    no weight."""
    files.check_readable(path, "`class_weights` is none of none, balanced, and as a file")
    found: dict[str, float] = {}
    known = frozenset(labels)
    for number, line in enumerate(files.read_lines(path), start=1):
        if not line.strip():
            continue
        label, _, text = (part.strip() for part in line.rpartition("\t"))
        weight = label_kinds.as_number(text)
        if label not in known:
            raise InputError(
                f"{path}:{number}: unknown label {quoted(label or text)}, expected a line "
                f"`label TAB weight` with one of {label_kinds.listed(labels)}"
            )
        if label in found:
            raise InputError(f"{path}:{number}: label {quoted(label)} comes a second time")
        if weight is None or weight < 0:
            raise InputError(f"{path}:{number}: the weight is '{text}', expected a number of 0 or more")
        found[label] = weight
    missing = [label for label in labels if label not in found]
    if missing:
        raise InputError(f"{path}: no weight for {label_kinds.listed(missing)}")
    if not any(found.values()):
        raise InputError(f"{path}: all weights are 0, expected one above")
    return [found[label] for label in labels]
