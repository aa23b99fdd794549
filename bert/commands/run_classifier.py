"""Fine-tunes BERT on sentences or pairs of sentences, evaluates it, and predicts.

    python run_classifier.py --task_name=MRPC --data_dir=$GLUE_DIR/MRPC --output_dir=output/mrpc \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --do_train=true --do_eval=true \\
        --max_seq_length=128 --train_batch_size=32 --learning_rate=2e-5 --num_train_epochs=3.0

For data of your own: --task_name=table, and train.tsv, dev.tsv, test.tsv (or .csv, .jsonl) with a header line that
names the columns text, label and, for pairs, text_b. Labels may be classes, several classes (a|b), or numbers.

Checkpoints, eval_results.txt, eval_report.json, test_results.tsv and predictions.tsv go to the output folder; the same
command started again goes on from the last checkpoint.
"""

import dataclasses
import logging
import os

from bert import flags
from bert.errors import InputError
from bert.options import option, required

logger = logging.getLogger("bert.run_classifier")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableFlags:
    """Where in one's own files what stands; bert.tasks.table.TableOptions has the same fields."""

    train_file: str | None = option(None, "Table: the training file in --data_dir, if not train.tsv, .csv...")
    dev_file: str | None = option(None, "Table: the dev file in --data_dir, if not dev.tsv, .csv, .txt, .jsonl.")
    test_file: str | None = option(None, "Table: the test file in --data_dir, if not test.tsv, .csv, .txt, .jsonl.")
    header: bool = option(True, "Table: the first line of a TSV or CSV file names the columns.")
    text_column: str = option("text", "Table: column of the text; a name, or a number counted from 1.")
    text_b_column: str | None = option(None, "Table: column of the second text; text_b where the header has it.")
    label_column: str = option("label", "Table: column of the label.")
    id_column: str | None = option(None, "Table: column of an id for predictions; id where the header has it.")
    label_kind: str = option(
        "auto",
        "Table: one class, several classes, or a number; auto reads it from the training file.",
        ("auto", "class", "multilabel", "regression"),
    )
    label_separator: str = option("|", "Table: stands between several classes in one field.")
    dev_fraction: float = option(0.0, "Table: take this part of the training file as the dev set, class by class.")
    dev_seed: int = option(0, "Table: fixes which rows --dev_fraction takes.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(TableFlags, flags.FineTuningFlags):
    task_name: str = required("What is learned: table for files of your own, or a GLUE or CLUE task such as MRPC.")
    data_dir: str = required("Folder with the task's files: train.tsv, dev.tsv, test.tsv in most tasks.")
    task_file: str | None = option(None, "Python file that registers a task of your own.")
    class_weights: str = option(
        "none",
        "What an example of each class weighs in training: none, balanced, or a file of `label TAB weight` lines.",
    )

    def check(self) -> None:
        super().check()
        if not 0 <= self.dev_fraction < 1:
            raise InputError(f"--dev_fraction is {self.dev_fraction}, expected 0 or more and less than 1")
        if self.dev_fraction and self.dev_file:
            raise InputError(f"--dev_fraction={self.dev_fraction} and --dev_file={self.dev_file}: expected only one")
        if not self.label_separator:
            raise InputError("--label_separator is empty, expected what stands between two labels")


def main(settings: Settings) -> None:
    from bert import runs
    from bert.tasks import advice, reports

    strategy = runs.open_devices(settings)
    config = runs.read_config(settings.bert_config_file, settings.max_seq_length)
    task = open_task(settings)
    tokenizer = runs.read_tokenizer(settings.vocab_file, settings.do_lower_case, config)
    check_model_folder(settings, tokenizer)
    examples = {split: task.examples(settings.data_dir, split) for split in settings.splits}
    judge = reports.Judge(task, examples.get("dev", ()))
    every = [example for part in examples.values() for example in part]
    check_pairs(settings, config, every)
    advice.warn_of_multilingual_vocabulary(tokenizer.vocabulary, (example.text_a for example in every))
    total_steps = runs.count_steps(settings, len(examples.get("train", ())), "training examples")
    trainer = runs.start(
        settings,
        strategy,
        model_builder(settings, config, task, examples.get("train", ())),
        identity_of(settings, config, task, tokenizer),
    )
    task.save_labels(
        trainer.output_dir,
        max_seq_length=settings.max_seq_length,
        do_lower_case=settings.do_lower_case,
        vocab_sha256=tokenizer.vocabulary.sha256,
    )
    record_sets = {
        split: encode_split(settings, trainer, task, examples[split], tokenizer, split) for split in settings.splits
    }
    evaluation = None
    if settings.do_eval:
        evaluation = runs.Evaluation(record_sets["dev"], settings.eval_batch_size, score=judge, score_names=judge.names)
    if settings.do_train:
        warmup_steps = int(total_steps * settings.warmup_proportion)
        runs.train(trainer, settings, record_sets["train"], total_steps, warmup_steps, evaluation)
    if settings.do_eval:
        evaluate(trainer, evaluation, judge)
    if settings.do_predict:
        predict(trainer, settings, task, examples["test"], record_sets["test"])


def open_task(settings: Settings):
    """The task of --task_name, its labels settled. Raises InputError for files that are missing or do not fit."""
    from bert import tasks
    from bert.tasks import table

    if settings.task_file:
        tasks.load(settings.task_file)
    options = table.TableOptions(
        **{field.name: getattr(settings, field.name) for field in dataclasses.fields(table.TableOptions)}
    )
    found = tasks.find(settings.task_name)
    if issubclass(found, table.Table):
        task = found(options)
    else:
        table.check_unused(options, settings.task_name)
        task = found()
    task.prepare(settings.data_dir, model_folder(settings), settings.splits)
    return task


def model_folder(settings: Settings) -> str:
    """Where the model's labels.json lies: beside --init_checkpoint, if that is what is judged, not trained."""
    from bert import checkpoint

    own = checkpoint.CheckpointFolder(settings.output_dir).latest()
    if settings.do_train or own or not settings.init_checkpoint:
        return settings.output_dir
    return os.path.dirname(checkpoint.resolve(settings.init_checkpoint))


def check_model_folder(settings: Settings, tokenizer) -> None:
    """Raises InputError where the labels.json beside --init_checkpoint tells of another vocabulary or casing.

    What lies in the output folder itself is compared by `runs.start`.
    """
    from bert.tasks import base

    folder = model_folder(settings)
    stored = base.read_labels_file(folder)
    if folder == settings.output_dir or not stored:
        return
    ours = {"vocab_sha256": tokenizer.vocabulary.sha256, "do_lower_case": settings.do_lower_case}
    for name, value in ours.items():
        if stored.get(name, value) != value:
            raise InputError(
                f"{os.path.join(folder, base.LABELS_FILE)}: the model was trained with {name} {stored[name]}, "
                f"this run has {value} (--vocab_file={settings.vocab_file})"
            )


def identity_of(settings: Settings, config, task, tokenizer) -> dict[str, object]:
    """Whose run it is: a folder that holds another one is refused."""
    identity = {
        "command": "run_classifier",
        "task": task.name,
        "labels": list(task.labels),
        "label_kind": task.label_kind.name,
        "config": config.to_dict(),
        "vocabulary": tokenizer.vocabulary.sha256,
        "do_lower_case": settings.do_lower_case,
    }
    if settings.do_train or settings.do_eval:  # another split would evaluate on rows of the training
        identity |= {"dev_fraction": settings.dev_fraction, "dev_seed": settings.dev_seed}
    return identity


def model_builder(settings: Settings, config, task, training_examples):
    """What makes the model, called where its variables belong. Raises InputError for class weights that do not fit."""
    import numpy as np

    from bert import heads
    from bert.tasks import class_weights, label_kinds

    labels = [example.label for example in training_examples]
    if task.label_kind is label_kinds.REGRESSION:
        class_weights.check_none(settings.class_weights)
        return lambda: heads.Regressor(config, float(np.var(labels)) if labels else float("nan"))
    weights = class_weights.read(settings.class_weights, task.label_kind, task.labels, labels) if labels else None
    several = task.label_kind is label_kinds.MULTILABEL
    model = heads.MultiLabelClassifier if several else heads.SequenceClassifier
    return lambda: model(config, len(task.labels), weights)


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


def encode_split(settings: Settings, trainer, task, examples, tokenizer, split: str):
    """Writes a split's records to the output folder and returns them as a RecordSet."""
    from bert.input_pipeline import RecordSet
    from bert.records import rows
    from bert.tasks.encoding import ClassificationRows

    names = {"train": "train.tf_record", "dev": "eval.tf_record", "test": "predict.tf_record"}
    batch_sizes = {"train": 1, "dev": settings.eval_batch_size, "test": settings.predict_batch_size}
    path = os.path.join(trainer.output_dir, names[split])
    built = ClassificationRows(examples, task.labels, tokenizer, settings.max_seq_length, task.label_kind)
    rows.write(path, built, padding=-len(built) % batch_sizes[split] if settings.use_tpu else 0)
    for line in built.describe(trainer.model.config.max_position_embeddings):
        logger.info(line)
    sizes = {"S": settings.max_seq_length, "C": len(task.labels)}
    return RecordSet(built.record_kind, (path,), sizes)


def evaluate(trainer, evaluation, judge) -> None:
    """Writes eval_results.txt, the original's four names first, and eval_report.json."""
    import numpy as np

    from bert import files, reporting, runs

    means = runs.evaluate(trainer, evaluation)
    measures = judge.report.measures
    loss = next(iter(trainer.model.chance_losses))
    first = next(iter(measures))  # accuracy; of numbers their correlation
    results = {
        f"eval_{first}": np.float32(measures[first]),
        "eval_loss": means[loss],
        "global_step": means["global_step"],
        "loss": means["loss"],
    }
    for line in judge.report.table():
        logger.info("  %s", line)
    others = {f"eval_{name}": np.float32(value) for name, value in measures.items() if name != first}
    reporting.write_results(os.path.join(trainer.output_dir, "eval_results.txt"), results, others)
    headline = ", ".join(f"{name} {measures[name]:.4f}" for name in judge.told)
    logger.info("%s: %s", judge.task.name, headline)
    content = {"task": judge.task.name, "global_step": trainer.step, "loss": float(means[loss])}
    path = os.path.join(trainer.output_dir, "eval_report.json")
    files.write_json(path, {**content, **judge.report.values()})
    logger.info("Wrote %s", path)


def predict(trainer, settings: Settings, task, examples, record_set) -> None:
    """Writes test_results.tsv, predictions.tsv and, for a benchmark, the file its server takes."""
    import numpy as np

    from bert import runs
    from bert.tasks import predictions, submission

    batches = runs.predict(trainer, record_set, settings.predict_batch_size)
    logits = np.concatenate([outputs["logits"] for outputs in batches])  # [N, C]
    probabilities = task.label_kind.probabilities(logits)
    answers = task.label_kind.answers(probabilities, task.labels, settings.label_separator)
    predictions.warn_of_one_answer(answers)
    paths = [os.path.join(trainer.output_dir, name) for name in ("test_results.tsv", "predictions.tsv")]
    predictions.write_columns(paths[0], probabilities)
    predictions.write_table(paths[1], examples, probabilities, answers, task.labels, task.label_kind)
    if task.submission:
        paths.append(os.path.join(trainer.output_dir, task.submission))
        submission.write(paths[2], task, answers)
    logger.info("Wrote %d predictions to %s", len(answers), " and ".join(paths))
