"""What pre-training runs on, and how long."""

import dataclasses

from bert.options import option, required


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingOptions:
    """Records, and steps instead of epochs."""

    input_file: str = required("Records of create_pretraining_data: names and globs, separated by commas.")
    eval_file: str | None = option(
        None, "Records to evaluate on, held out from training; the original evaluates on those of `input_file`."
    )
    max_predictions_per_seq: int = option(20, "Masked positions a record has room for.")
    dynamic_masking: bool = option(
        False, "Hide other pieces of a record in every epoch; evaluation keeps the records' own masks."
    )
    next_sentence: bool = option(True, "Learn to tell next sentences from random ones, too; false: masked LM alone.")
    num_train_steps: int = option(100000, "Step at which training ends, counted from the start of the whole run.")
    num_warmup_steps: int = option(10000, "Steps in which the learning rate rises from 0 to its peak.")
    train_minutes: float = option(
        0.0,
        "Not 0: measure the speed, then train as many steps as fit into so many minutes, `num_train_steps` at most, "
        "of which the same share is warmup.",
    )
    max_eval_steps: int = option(100, "Evaluate on at most so many batches.")
