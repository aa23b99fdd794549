"""An instance as its *plan*: a short row of numbers that says where its pieces lie in the corpus and what is hidden.

The plan of a 128-piece instance takes 200 bytes. `InstanceSampler` makes plans one by one with the original's draws;
`draw_pairs` and `BlockMasks` make those of a whole block with draws of their own. `PlanReader` turns plans into
features.
"""

from bert.pretraining_data.options import Options

# A plan's columns: A is tokens[A_START:A_STOP] of the corpus, B likewise, then 1 for a random next sentence,
# then P masked pieces as `MaskSampler` gives them, NOTHING where there are fewer.
A_START, A_STOP, B_START, B_STOP, IS_RANDOM_NEXT, MASKED = range(6)
NOTHING = 0xFFFFFFFFFFFFFFFF  # sorts behind every masked piece


def plan_width(options: Options) -> int:
    """Numbers in a plan row."""
    return MASKED + options.max_predictions_per_seq
