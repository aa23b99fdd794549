"""Pre-training from records: masked LM and, unless it is left out, next sentence (section 3.1)."""

import dataclasses
import functools
import logging

from bert import files, records, reporting, sidecar
from bert.config import BertConfig
from bert.dynamic_masking import DynamicMasking, Rules
from bert.errors import InputError
from bert.flags import EvaluationFlags
from bert.heads import PretrainingModel
from bert.input_pipeline import RecordSet
from bert.options.pretraining import PretrainingOptions
from bert.training import evaluating, run
from bert.training.budget import TimeBudget
from bert.training.evaluating import Evaluation
from bert.training.model_files import ModelFiles
from bert.training.schedule import Schedule

logger = logging.getLogger(__name__)


def pretrain(settings: EvaluationFlags, options: PretrainingOptions) -> None:
    """Trains and evaluates as the settings ask for, in `output_dir`.

    Raises InputError for whatever is wrong with settings, records and checkpoints, most of it before any work.
    """
    budget = TimeBudget(options.train_minutes, settings) if settings.do_train and options.train_minutes else None
    config = run.read_config(settings.bert_config_file, settings.max_seq_length, settings.do_train)
    strategy = run.open_devices_to_train(settings, config)
    record_set = open_records(options, config, settings.max_seq_length)
    held_out = record_set
    if options.eval_file and settings.do_eval:
        held_out = open_records(options, config, settings.max_seq_length, "eval_file")
    vocabulary = check_vocabulary((*record_set.paths, *held_out.paths), config)
    masking = None
    if options.dynamic_masking and settings.do_train:
        record_set, masking = masked_anew(record_set, settings.seed)
    logger.info("  %d records", record_set.count)
    for line in record_set.statistics():
        logger.info("  %s", line)
    told = {"next_sentence": options.next_sentence, **vocabulary}
    identity = {"command": "run_pretraining", "config": config.to_dict(), **told}
    schedule = Schedule(options.num_train_steps, options.num_warmup_steps) if settings.do_train else None
    if budget:
        schedule = budget.stored_schedule(options.num_train_steps) or schedule
    build_model = functools.partial(PretrainingModel, config, options.next_sentence)
    beside = ModelFiles(config) if settings.do_train else None
    with run.opened(settings, strategy, build_model, identity, schedule, model_files=beside) as trainer:
        evaluation = Evaluation(held_out, settings.eval_batch_size, options.max_eval_steps)
        if budget and schedule:
            batches = run.batches_to_train(trainer, settings, record_set, masking)
            with record_set.faults_named():
                schedule = budget.begin(trainer, schedule, batches, evaluation if settings.do_eval else None)
        if schedule:
            run.train(trainer, settings, schedule, record_set, evaluation, rewrite=masking)
        if settings.do_eval:
            results, _ = evaluating.evaluate(trainer, evaluation)
            reporting.write_results(trainer.folder.own_file("eval_results.txt"), results)
        if budget:
            budget.note(trainer.folder)
            budget.log("At the end")


def open_records(
    options: PretrainingOptions, config: BertConfig, max_seq_length: int, name: str = "input_file"
) -> RecordSet:
    """The records of `input_file`, or of the option named, the first of each file checked."""
    logger.info("*** Input files ***" if name == "input_file" else "*** Evaluation files ***")
    paths = sidecar.without_side_cars(files.expand(getattr(options, name), name))
    for path in paths:
        logger.info("  %s", path)
    room = options.max_predictions_per_seq
    if name == "eval_file":  # which may hide another share than the training, or none could be compared
        stored = (sidecar.read(path) or {} for path in paths)
        room = next(
            (values["max_predictions_per_seq"] for values in stored if "max_predictions_per_seq" in values), room
        )
    sizes = {
        "S": max_seq_length,
        "P": room,
        "V": config.vocab_size,
        "T": config.type_vocab_size,
    }
    record_set = RecordSet(records.PRETRAINING, tuple(paths), sizes)
    record_set.check()
    return record_set


def masked_anew(record_set: RecordSet, seed: int) -> tuple[RecordSet, DynamicMasking]:
    """The records as they have to be read to hide other pieces in every epoch, and what hides them.

    Raises InputError where the side-cars do not say how.
    """
    rules = Rules.of_records(record_set.paths)
    if rules.whole_words:
        record_set = dataclasses.replace(record_set, kind=records.PRETRAINING_WORDS)
        record_set.check()
    logger.info("  Hidden anew in every epoch: %s", rules)
    if rules.dupe_factor > 1:
        logger.warning(
            "The records hold each text %d times. With `dynamic_masking` once is enough: dupe_factor 1 makes records "
            "that are as much smaller, of which an epoch is as much shorter.",
            rules.dupe_factor,
        )
    return record_set, DynamicMasking(rules, seed, record_set.sizes["S"], record_set.sizes["P"])


def check_vocabulary(paths: tuple[str, ...], config: BertConfig) -> dict[str, object]:
    """What the side-cars tell of the records' vocabulary; nothing if there is none, as beside Google's records.

    Raises InputError for records of several vocabularies, or of one with more entries than the model.
    """
    stored = next(filter(None, map(sidecar.read, paths)), {})
    vocabulary = {key: stored[key] for key in ("vocab_sha256", "do_lower_case") if key in stored}
    sidecar.check(paths, vocabulary)
    size = stored.get("vocab_size", config.vocab_size)
    if size > config.vocab_size:
        raise InputError(
            f"`input_file` was made with a vocabulary of {size} entries, but vocab_size in `bert_config_file` "
            f"is {config.vocab_size}"
        )
    if size < config.vocab_size:
        logger.warning("The records' vocabulary has %d entries, the model's %d.", size, config.vocab_size)
    return vocabulary
