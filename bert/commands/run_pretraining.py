"""Pre-trains BERT on the records of create_pretraining_data.py: masked LM and next sentence.

    bert run_pretraining --input_file=output/examples.tfrecord --output_dir=output/pretraining \\
        --bert_config_file=$BERT_BASE_DIR/bert_config.json --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt \\
        --do_train=True --do_eval=True --num_train_steps=20 --num_warmup_steps=10 --learning_rate=2e-5

Checkpoints (model.ckpt-N), metrics.jsonl and eval_results.txt go to the output folder. The same command started again
goes on from the last checkpoint.
"""

import dataclasses
import logging
import os

from bert import flags
from bert.errors import InputError
from bert.options import option, required

logger = logging.getLogger("bert.run_pretraining")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(flags.EvaluationFlags):
    input_file: str = required("Records of create_pretraining_data.py: names and globs, separated by commas.")
    max_predictions_per_seq: int = option(20, "Masked positions a record has room for.")
    num_train_steps: int = option(100000, "Step at which training ends, counted from the start of the whole run.")
    num_warmup_steps: int = option(10000, "Steps in which the learning rate rises from 0 to its peak.")
    max_eval_steps: int = option(100, "Evaluate on at most so many batches.")

    def check(self) -> None:
        if not (self.do_train or self.do_eval):
            raise InputError("nothing to do: give --do_train=true or --do_eval=true or both")
        super().check()
        flags.check_positive(self, "max_predictions_per_seq", "num_train_steps", "max_eval_steps")
        if self.num_warmup_steps < 0:
            raise InputError(f"--num_warmup_steps is {self.num_warmup_steps}, expected 0 or more")


def main(settings: Settings) -> None:
    from bert import files, records, reporting, runs, sidecar
    from bert.heads import PretrainingModel
    from bert.input_pipeline import RecordSet

    strategy = runs.open_devices(settings)
    config = runs.read_config(settings.bert_config_file, settings.max_seq_length)
    logger.info("*** Input files ***")
    paths = sidecar.without_side_cars(files.expand(settings.input_file, "input_file"))
    for path in paths:
        logger.info("  %s", path)
    sizes = {
        "S": settings.max_seq_length,
        "P": settings.max_predictions_per_seq,
        "V": config.vocab_size,
        "T": config.type_vocab_size,
    }
    record_set = RecordSet(records.PRETRAINING, tuple(paths), sizes)
    record_set.check()
    vocabulary = check_vocabulary(paths, config)
    logger.info("  %d records", record_set.count)
    for line in record_set.statistics():
        logger.info("  %s", line)
    identity = {"command": "run_pretraining", "config": config.to_dict(), **vocabulary}
    trainer = runs.start(settings, strategy, lambda: PretrainingModel(config), identity)
    evaluation = runs.Evaluation(record_set, settings.eval_batch_size, settings.max_eval_steps)
    if settings.do_train:
        runs.train(trainer, settings, record_set, settings.num_train_steps, settings.num_warmup_steps, evaluation)
    if settings.do_eval:
        results = runs.evaluate(trainer, evaluation)
        reporting.write_results(os.path.join(trainer.output_dir, "eval_results.txt"), results)


def check_vocabulary(paths: list[str], config) -> dict:
    """What the side-cars tell of the records' vocabulary; nothing if there is none, as beside Google's records.

    Raises InputError for records of several vocabularies, or of one with more entries than the model.
    """
    from bert import sidecar

    told = next(filter(None, map(sidecar.read, paths)), {})
    vocabulary = {key: told[key] for key in ("vocab_sha256", "do_lower_case") if key in told}
    sidecar.check(paths, vocabulary)
    size = told.get("vocab_size", config.vocab_size)
    if size > config.vocab_size:
        raise InputError(
            f"--input_file was made with a vocabulary of {size} entries, but vocab_size in --bert_config_file "
            f"is {config.vocab_size}"
        )
    if size < config.vocab_size:
        logger.warning("The records' vocabulary has %d entries, the model's %d.", size, config.vocab_size)
    return vocabulary
