"""Fine-tunes BERT to classify a sentence or a pair of sentences, evaluates it, and predicts.

    python run_classifier.py --task_name=MRPC --data_dir=$GLUE_DIR/MRPC --output_dir=output/mrpc \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --do_train=true --do_eval=true \\
        --max_seq_length=128 --train_batch_size=32 --learning_rate=2e-5 --num_train_epochs=3.0

For data of your own: --task_name=table, and train.tsv, dev.tsv, test.tsv with a header line that names the columns
text, label and, for pairs, text_b. Checkpoints, eval_results.txt and test_results.tsv go to the output folder; the same
command started again goes on from the last checkpoint.
"""

import dataclasses
import logging
import os

from bert import cli
from bert.errors import InputError

logger = logging.getLogger("bert.run_classifier")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(cli.FineTuningFlags):
    task_name: str = cli.required("What is learned: cola, mnli, mrpc, xnli, or table for files of your own.")
    data_dir: str = cli.required("Folder with the task's files: train.tsv, dev.tsv, test.tsv in most tasks.")


def main(settings: Settings) -> None:
    from bert import runs, tasks
    from bert.heads import SequenceClassifier

    strategy = runs.open_devices(settings)
    config = runs.read_config(settings.bert_config_file, settings.max_seq_length)
    task = tasks.find(settings.task_name)()
    task.prepare(settings.data_dir, settings.output_dir, settings.splits)
    tokenizer = runs.read_tokenizer(settings.vocab_file, settings.do_lower_case, config)
    examples = {split: task.examples(settings.data_dir, split) for split in settings.splits}
    check_pairs(settings, config, [example for part in examples.values() for example in part])
    total_steps = count_steps(settings, len(examples.get("train", ())))
    identity = {
        "command": "run_classifier",
        "task": task.name,
        "labels": list(task.labels),
        "config": config.to_dict(),
        "vocabulary": tokenizer.vocabulary.sha256,
        "do_lower_case": settings.do_lower_case,
    }
    trainer = runs.start(settings, strategy, lambda: SequenceClassifier(config, len(task.labels)), identity)
    task.save_labels(trainer.output_dir)
    record_sets = {
        split: encode_split(settings, trainer.output_dir, task, examples[split], tokenizer, split)
        for split in settings.splits
    }
    evaluation = runs.Evaluation(record_sets["dev"], settings.eval_batch_size) if settings.do_eval else None
    if settings.do_train:
        warmup_steps = int(total_steps * settings.warmup_proportion)
        runs.train(trainer, settings, record_sets["train"], total_steps, warmup_steps, evaluation)
    if settings.do_eval:
        evaluate(trainer, evaluation)
    if settings.do_predict:
        predict(trainer, settings, record_sets["test"])


def check_pairs(settings: Settings, config, examples) -> None:
    """Raises InputError where the examples are text pairs that the lengths or the model have no room for."""
    from bert.tasks import encoding

    has_pair = any(example.text_b and example.text_b.strip() for example in examples)
    encoding.check_room(settings.max_seq_length, has_pair)
    if has_pair and config.type_vocab_size < 2:
        raise InputError(
            f"task {settings.task_name} has text pairs, but type_vocab_size in --bert_config_file="
            f"{settings.bert_config_file} is {config.type_vocab_size}, expected at least 2"
        )


def count_steps(settings: Settings, examples: int) -> int:
    """Training steps of the epochs asked for. Raises InputError where they are less than one."""
    steps = int(examples / settings.train_batch_size * settings.num_train_epochs)
    if settings.do_train and steps < 1:
        raise InputError(
            f"{examples} training examples make no step with --train_batch_size={settings.train_batch_size} "
            f"and --num_train_epochs={settings.num_train_epochs}"
        )
    return steps


def encode_split(settings: Settings, output_dir: str, task, examples, tokenizer, split: str):
    """Writes a split's records to the output folder and returns them as a RecordSet."""
    from bert import records
    from bert.input_pipeline import RecordSet
    from bert.tasks import encoding

    names = {"train": "train.tf_record", "dev": "eval.tf_record", "test": "predict.tf_record"}
    batch_sizes = {"train": 1, "dev": settings.eval_batch_size, "test": settings.predict_batch_size}
    path = os.path.join(output_dir, names[split])
    statistics = encoding.write_records(
        path,
        examples,
        task.labels,
        tokenizer,
        settings.max_seq_length,
        pad_to_multiple=batch_sizes[split] if settings.use_tpu else 1,
    )
    for line in statistics.describe():
        logger.info(line)
    return RecordSet(records.CLASSIFIER, (path,), {"S": settings.max_seq_length})


def evaluate(trainer, evaluation) -> None:
    """Writes eval_results.txt under the original's four names."""
    from bert import reporting, runs

    means = runs.evaluate(trainer, evaluation)
    results = {
        "eval_accuracy": means["accuracy"],
        "eval_loss": means["cross_entropy"],
        "global_step": means["global_step"],
        "loss": means["loss"],
    }
    reporting.write_results(os.path.join(trainer.output_dir, "eval_results.txt"), results)


def predict(trainer, settings: Settings, record_set) -> None:
    """Writes test_results.tsv: a line an example, the probabilities in the order of the labels."""
    import tensorflow as tf

    from bert import files, runs

    lines = []
    for outputs in runs.predict(trainer, record_set, settings.predict_batch_size):
        probabilities = tf.nn.softmax(outputs["logits"]).numpy()  # [B, C]
        lines += ["\t".join(str(value) for value in row) + "\n" for row in probabilities]
    path = os.path.join(trainer.output_dir, "test_results.tsv")
    files.write_text(path, "".join(lines))
    logger.info("Wrote %d predictions to %s", len(lines), path)


if __name__ == "__main__":
    cli.run(Settings, main)
