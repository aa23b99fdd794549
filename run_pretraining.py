"""Pre-trains BERT on the records of create_pretraining_data.py: masked LM and next sentence.

    python run_pretraining.py --input_file=output/examples.tfrecord --output_dir=output/pretraining \\
        --bert_config_file=$BERT_BASE_DIR/bert_config.json --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt \\
        --do_train=True --do_eval=True --num_train_steps=20 --num_warmup_steps=10 --learning_rate=2e-5

Checkpoints (model.ckpt-N), metrics.jsonl and eval_results.txt go to the output folder. The same command started again
goes on from the last checkpoint.
"""

import dataclasses
import logging
import os

from bert import cli
from bert.errors import InputError

logger = logging.getLogger("bert.run_pretraining")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(cli.RunFlags):
    input_file: str = cli.required("Records of create_pretraining_data.py: names and globs, separated by commas.")
    max_predictions_per_seq: int = cli.flag(20, "Masked positions a record has room for.")
    num_train_steps: int = cli.flag(100000, "Step at which training ends, counted from the start of the whole run.")
    num_warmup_steps: int = cli.flag(10000, "Steps in which the learning rate rises from 0 to its peak.")
    max_eval_steps: int = cli.flag(100, "Evaluate on at most so many batches.")

    def check(self) -> None:
        if not (self.do_train or self.do_eval):
            raise InputError("nothing to do: give --do_train=true or --do_eval=true or both")
        super().check()
        cli.check_positive(self, "max_predictions_per_seq", "num_train_steps", "max_eval_steps")
        if self.num_warmup_steps < 0:
            raise InputError(f"--num_warmup_steps is {self.num_warmup_steps}, expected 0 or more")


def main(settings: Settings) -> None:
    from bert import files, records, reporting, runs
    from bert.heads import PretrainingModel
    from bert.input_pipeline import RecordSet

    config = runs.read_config(settings.bert_config_file, settings.max_seq_length)
    logger.info("*** Input files ***")
    paths = files.expand(settings.input_file, "input_file")
    for path in paths:
        logger.info("  %s", path)
    lengths = {"S": settings.max_seq_length, "P": settings.max_predictions_per_seq}
    record_set = RecordSet(records.PRETRAINING, tuple(paths), lengths)
    record_set.check()
    trainer = runs.start(
        settings, lambda: PretrainingModel(config), {"command": "run_pretraining", "config": config.to_dict()}
    )
    if settings.do_train:
        runs.train(trainer, settings, record_set, settings.num_train_steps, settings.num_warmup_steps)
    if settings.do_eval:
        results = runs.evaluate(trainer, record_set, settings.eval_batch_size, settings.max_eval_steps)
        reporting.write_results(os.path.join(settings.output_dir, "eval_results.txt"), results)


if __name__ == "__main__":
    cli.run(Settings, main)
