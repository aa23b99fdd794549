"""Pre-trains BERT on the records of create_pretraining_data.py: masked LM and next sentence.

    bert run_pretraining --input_file=output/examples.tfrecord --output_dir=output/pretraining \\
        --bert_config_file=$BERT_BASE_DIR/bert_config.json --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt \\
        --do_train=True --do_eval=True --num_train_steps=20 --num_warmup_steps=10 --learning_rate=2e-5

Checkpoints (model.ckpt-N), metrics.jsonl and eval_results.txt go to the output folder. The same command started again
goes on from the last checkpoint.
"""

import dataclasses

from bert.errors import InputError
from bert.flags import EvaluationFlags, check_positive
from bert.options.pretraining import PretrainingOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(PretrainingOptions, EvaluationFlags):
    """The flags of run_pretraining."""

    def check(self) -> None:
        if not (self.do_train or self.do_eval):
            raise InputError("nothing to do: give --do_train=true or --do_eval=true or both")
        super().check()
        check_positive(self, "max_predictions_per_seq", "num_train_steps", "max_eval_steps")
        if not 0 <= self.train_minutes < float("inf"):
            raise InputError(f"--train_minutes is {self.train_minutes}, expected a number above 0, or 0 for no budget")
        if self.num_warmup_steps < 0:
            raise InputError(f"--num_warmup_steps is {self.num_warmup_steps}, expected 0 or more")


def main(settings: Settings) -> None:
    from bert.pretraining import pretrain  # TensorFlow: --help does not wait for it

    pretrain(settings, settings)
