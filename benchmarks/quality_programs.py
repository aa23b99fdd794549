"""What benchmarks/quality.py compares: ours and transformers as they are, and each with one thing of the other's or
one flag more, or with all that is known to differ, so that a difference at equal settings can be given its cause."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Program:
    """Who trains, and what is different.

    Attributes:
      is_peer: transformers on torch, not run_classifier.py.
      flags: those of run_classifier.py beside the usual ones.
      config: values of bert_config.json to change.
      peer: what the peer's specification says beside the usual.
    """

    is_peer: bool = False
    flags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    config: Mapping[str, str] = dataclasses.field(default_factory=dict)
    peer: Mapping[str, object] = dataclasses.field(default_factory=dict)


CORRECTED = {"adam_bias_correction": "true"}  # as the peer does; the original does not, its early steps are larger
PROGRAMS = {
    "ours": Program(flags=CORRECTED),
    "uncorrected": Program(),
    "transformers": Program(is_peer=True),
    "ours-grouped": Program(flags={**CORRECTED, "length_grouping": "true"}),
    "ours-bfloat16": Program(flags={**CORRECTED, "mixed_precision": "bfloat16"}),
    "ours-tanh": Program(flags=CORRECTED, config={"hidden_act": "gelu"}),  # Google's gelu for weights of the exact one
    "transformers-schedule": Program(is_peer=True, peer={"as_here": ["schedule"]}),
    "transformers-epsilon": Program(is_peer=True, peer={"as_here": ["epsilon"]}),
    "transformers-as-ours": Program(is_peer=True, peer={"as_here": ["schedule", "epsilon", "head"]}),
}
USUAL = ("ours", "uncorrected", "transformers")
