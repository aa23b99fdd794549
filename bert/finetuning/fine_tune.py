"""Trains, evaluates and predicts, whatever the kind of fine-tuning."""

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import SupportsFloat

import tensorflow as tf

from bert import distribution, encoders, files, reporting
from bert.config import BertConfig
from bert.finetuning import trials
from bert.finetuning.base import FineTuning
from bert.flags import FineTuningFlags
from bert.input_pipeline import RecordSet
from bert.measures import Measure, Report
from bert.records.rows import write
from bert.tasks import advice
from bert.tokenization import Tokenizer
from bert.training import evaluating, run
from bert.training.evaluating import Evaluation
from bert.training.loop import Trainer
from bert.training.model_files import ModelFiles
from bert.training.schedule import schedule_of

logger = logging.getLogger(__name__)


Kind = Callable[[FineTuningFlags, BertConfig, Tokenizer], FineTuning]


def fine_tune(settings: FineTuningFlags, kind: Kind) -> None:
    """Does what the settings ask for: train, evaluate, predict, in this order, in `output_dir`; with several trials so
    often, in folders there.

    Raises InputError for whatever is wrong with settings, files and checkpoints, most of it before any work.
    """
    config = run.read_config(settings.bert_config_file, settings.max_seq_length, settings.do_train)
    strategy = run.open_devices_to_train(settings, config)
    if settings.num_trials == 1:
        fine_tune_once(settings, kind, config, strategy)
    else:
        trial = functools.partial(fine_tune_once, kind=kind, config=config, strategy=strategy, is_compared=True)
        trials.repeat(settings, trial, distribution.is_chief(strategy))


def fine_tune_once(
    settings: FineTuningFlags,
    kind: Kind,
    config: BertConfig,
    strategy: tf.distribute.Strategy,
    is_compared: bool = False,
) -> trials.Values:
    """One run on the devices that are open. Returns what the evaluation at its end gave, if there is one; where that
    `is_compared` by `best_metric`, raises InputError for one that it will not have."""
    values: trials.Values = {}
    tokenizer = run.read_tokenizer(settings.vocab_file, settings.do_lower_case, config)
    task = kind(settings, config, tokenizer)
    advice.warn_of_multilingual_vocabulary(tokenizer.vocabulary, task.texts())
    schedule = schedule_of(settings, task.count("train"), task.unit) if settings.do_train else None
    read_as = {"vocab_sha256": tokenizer.vocabulary.sha256, "do_lower_case": settings.do_lower_case}
    identity = {"command": task.command, "config": config.to_dict(), **read_as, **task.identity()}
    start = beside = None
    if settings.do_train:
        start = functools.partial(encoders.start, vocabulary=tokenizer.vocabulary, word_vectors=settings.word_vectors)
        beside = ModelFiles(config, tokenizer.vocabulary)
    with run.opened(settings, strategy, task.build_model, identity, schedule, start, beside) as trainer:
        labels = task.labels()
        if labels is not None and (run.will_train(trainer, schedule) or not trainer.folder.has_labels):
            trainer.folder.write_labels({**labels, "max_seq_length": settings.max_seq_length, **read_as})
        sets = {split: write_records(trainer, task, split) for split in settings.splits}
        evaluation = dev_evaluation(task, sets["dev"]) if settings.do_eval else None
        if evaluation and is_compared:
            evaluating.deciding_measure(trainer, settings, evaluation)
        if schedule:
            run.train(trainer, settings, schedule, sets["train"], evaluation, task.rewrite())
        if evaluation and task.is_judged_at_the_end:
            means, report = evaluating.evaluate(trainer, evaluation)
            told = {**means, **(report.measures if report else {})}
            known = evaluating.evaluated_measures(trainer, evaluation).items()
            values = {measure: float(told[name]) for name, measure in known if name in told}
            if report:
                write_report(trainer.folder.own_path, task, "eval", report, means, trainer.model.declared_losses)
        if settings.do_predict:
            predict(trainer, task, sets["test"])
    return values


def write_records(trainer: Trainer, task: FineTuning, split: str) -> RecordSet:
    """Writes a split's records to the run's folder and tells what they are."""
    settings, rows = task.settings, task.rows(split)
    path = trainer.folder.own_file(task.record_files[split])
    batch_size = {"dev": settings.eval_batch_size, "test": settings.predict_batch_size}.get(split, 1)
    padding = -len(rows) % batch_size if distribution.is_tpu(trainer.strategy) else 0
    write(path, rows, padding, verbose=settings.verbose_logging)
    for line in rows.describe(task.config.max_position_embeddings):
        logger.info(line)
    return RecordSet(rows.record_kind, (path,), {"S": settings.max_seq_length, **task.sizes()})


def dev_evaluation(task: FineTuning, record_set: RecordSet) -> Evaluation:
    """How the dev split is evaluated, on the way and at the end."""
    return Evaluation(
        record_set,
        task.settings.eval_batch_size,
        judge=functools.partial(task.judge, "dev"),
        judged=task.measures,
        length_grouping=True,
    )


def predict(trainer: Trainer, task: FineTuning, record_set: RecordSet) -> None:
    """Predicts the test split, and judges it where its file says what is right."""
    settings = task.settings
    outputs = evaluating.predict(trainer, record_set, settings.predict_batch_size)
    paths = task.write_predictions(trainer.folder.own_path, outputs)
    logger.info("Wrote the predictions to %s", " and ".join(paths))
    report = task.judge("test", outputs)
    if report:
        means, losses = {"global_step": trainer.step}, trainer.model.declared_losses
        write_report(trainer.folder.own_path, task, task.test_name, report, means, losses)


def write_report(
    folder: str,
    task: FineTuning,
    name: str,
    report: Report,
    means: Mapping[str, SupportsFloat],
    losses: Sequence[Measure],
    **notes: object,
) -> None:
    """Writes NAME_results.txt and NAME_report.json, and tells what is in them. `means` have `global_step`, and `losses`
    are the terms that training minimises; `notes` come into the report beside them."""
    for line in report.table():
        logger.info("  %s", line)
    results = task.results(name, report, means, losses)
    reporting.write_results(os.path.join(folder, f"{name}_results.txt"), *results)
    logger.info("%s: %s", task.name, task.headline(report))
    path = os.path.join(folder, f"{name}_report.json")
    told = {"loss": float(means["loss"])} if "loss" in means else {}
    content = {"task": task.name, **notes, "global_step": means["global_step"], **told, **report.values()}
    files.write_json(path, content)
    logger.info("Wrote %s", path)
