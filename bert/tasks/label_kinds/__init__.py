"""What a label is: one class, several classes at once, or a number.

Whatever depends on that is a method of its kind: how a label is read from a cell and checked, written to records,
learned by a head, read off the model's logits, told to people and judged. Shapes: B examples, C classes.
"""

from bert.tasks.label_kinds.base import Label, LabelKind, Stratum
from bert.tasks.label_kinds.classes import MultiLabel, SingleLabel
from bert.tasks.label_kinds.names import as_number, class_name, listed
from bert.tasks.label_kinds.numbers import Regression

KINDS: dict[str, LabelKind] = {kind.name: kind for kind in (SingleLabel(), MultiLabel(), Regression())}
CLASS, MULTILABEL, REGRESSION = KINDS.values()

__all__ = [
    "CLASS",
    "KINDS",
    "MULTILABEL",
    "REGRESSION",
    "Label",
    "LabelKind",
    "MultiLabel",
    "Stratum",
    "as_number",
    "class_name",
    "listed",
]
