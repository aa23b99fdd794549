"""labels.json: what the numbers of a trained model mean. It lies in the model's folder, so that a prediction knows its
labels without the training file.
"""

import collections
import logging
import os
from collections.abc import Mapping

from bert import files
from bert.errors import InputError, quoted
from bert.formats import CONFIG_FILE, huggingface
from bert.tasks import label_kinds

logger = logging.getLogger(__name__)

LABELS_FILE = "labels.json"
_SCHEMA = {
    "task?": str,
    "label_kind?": str,
    "labels": [str],
    "max_seq_length?": int,
    "do_lower_case?": bool,
    "vocab_sha256?": str,
    "scheme?": str,
    "truncation?": str,
    "long_text?": str,
    "pairs?": bool,
    "training_counts?": [int],
}


def write(folder: str, content: Mapping[str, object]) -> str:
    """Writes the folder's labels.json; returns its path."""
    path = os.path.join(folder, LABELS_FILE)
    files.write_json(path, content)
    return path


def read(folder: str) -> dict | None:
    """The content of the folder's labels.json, or what the config of a Hugging Face folder says of its labels; None if
    there is neither. Raises InputError for a damaged one."""
    path = os.path.join(folder, LABELS_FILE)
    if not files.exists(path):
        told = huggingface.read_labels(folder)
        if told:
            check_labels(told["labels"], os.path.join(folder, CONFIG_FILE))
        return told
    content = {"label_kind": label_kinds.CLASS.name, **files.checked(files.read_json(path), _SCHEMA, path)}
    labels, kind = content["labels"], content["label_kind"]
    if kind not in label_kinds.KINDS:
        raise InputError(f"{path}: 'label_kind' is {kind!r}, expected one of {', '.join(label_kinds.KINDS)}")
    if bool(labels) != label_kinds.KINDS[kind].has_classes:
        raise InputError(f"{path}: 'labels' is {labels!r}, expected a list of names")
    check_labels(labels, path)
    if len(content.get("training_counts", labels)) != len(labels):
        raise InputError(
            f"{path}: 'training_counts' has {len(content['training_counts'])} numbers for {len(labels)} labels"
        )
    return content


def check_labels(labels: object, where: str) -> None:
    """Raises InputError, opening with `where`, for labels that are not a tuple or list of different names."""
    if not isinstance(labels, tuple | list) or not all(isinstance(label, str) and label for label in labels):
        raise InputError(f"{where}: labels is {quoted(labels)}, expected a tuple of names")
    twice = next((label for label, count in collections.Counter(labels).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{where}: label '{twice}' occurs twice, expected different ones")


def check_model(folder: str, expected: Mapping[str, object], source: str) -> None:
    """Raises InputError, with both values, where the folder's labels.json tells of a model trained with others.

    Args:
      expected: key of labels.json (vocab_sha256, do_lower_case...) -> value; a key it lacks passes.
      source: where the expected values come from, for the message.
    """
    stored = read(folder) or {}
    for name, value in expected.items():
        if stored.get(name, value) != value:
            raise InputError(
                f"{os.path.join(folder, LABELS_FILE)}: the model was trained with {name} {stored[name]}, "
                f"this run has {value} ({source})"
            )


def warn_of_changes(folder: str, ours: Mapping[str, object]) -> None:
    """Warns of what may differ from what the folder's labels.json says of the training: option -> this run's value."""
    stored = read(folder) or {}
    for name, value in ours.items():
        if stored.get(name, value) != value:
            path = os.path.join(folder, LABELS_FILE)
            logger.warning("%s: the model was trained with `%s`=%s, this run has %s.", path, name, stored[name], value)


def described(content: Mapping) -> str:
    """The labels of a labels.json, for a message."""
    return label_kinds.KINDS[content["label_kind"]].described(content["labels"])
