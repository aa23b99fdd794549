"""How one vector is made of the vectors of a text's WordPieces."""

import dataclasses

from bert.options import option

POOLINGS = ("mean", "max", "cls")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolingOptions:
    """How the vectors of WordPieces become one."""

    pooling: str = option(
        "mean",
        "How vectors become one: the mean over all WordPieces, [CLS] and [SEP] among them, the largest value of each "
        "component, or the vector of [CLS].",
        POOLINGS,
    )
    layer: int = option(-1, "Whose vectors: -1 is the last layer, -2 the one before it, 1 the first.")
