"""How a command that trains begins, works and ends: what pre-training and all kinds of fine-tuning share.

Between the settings and the loop: checks that need files, the folder and what it holds, the start block. Settings are
objects of the classes of `flags`, however they came about.
"""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from bert import checkpoint, distribution, files, formats, halves, measures
from bert.config import ENCODERS, BertConfig
from bert.errors import InputError
from bert.flags import EvaluationFlags, TPUFlags, TrainingFlags
from bert.heads import HeadedModel
from bert.input_pipeline import RecordSet, Rewrite, training_batches
from bert.tokenization import Tokenizer, Vocabulary
from bert.training import evaluating
from bert.training.evaluating import Evaluation
from bert.training.loop import Plan, Trainer
from bert.training.model_files import ModelFiles
from bert.training.run_folder import RunFolder
from bert.training.schedule import Schedule, optimizer_of
from bert.training.selection import Selection

logger = logging.getLogger(__name__)


def read_config(path: str, max_seq_length: int, training: bool = False) -> BertConfig:
    """Reads the model's sizes. Raises InputError where it has fewer positions than the rows, or memory is too small."""
    files.check_readable(formats.config_file(path), "`bert_config_file`")
    config = BertConfig.from_json_file(path)
    config.check_memory(path, training)
    if max_seq_length > config.max_position_embeddings:
        raise InputError(
            f"`max_seq_length` is {max_seq_length}, but the model of {path} has positions "
            f"for {config.max_position_embeddings} only"
        )
    return config


def read_tokenizer(vocab_file: str, do_lower_case: bool, config: BertConfig) -> Tokenizer:
    """Reads the vocabulary. Raises InputError where it has entries the model has no embedding for."""
    files.check_readable(formats.vocab_file(vocab_file), "`vocab_file`")
    vocabulary = Vocabulary.from_file(vocab_file)
    if len(vocabulary) > config.vocab_size:
        raise InputError(
            f"`vocab_file`={vocab_file} has {len(vocabulary)} entries, but vocab_size in `bert_config_file` "
            f"is {config.vocab_size}"
        )
    if len(vocabulary) < config.vocab_size:
        logger.warning("%s has %d entries, the model %d.", vocab_file, len(vocabulary), config.vocab_size)
    return Tokenizer(vocabulary, do_lower_case)


def open_devices(settings: TPUFlags, kind: str) -> tf.distribute.Strategy:
    """Where the run computes, `kind` being one of distribution.KINDS. Comes first: several workers can only be joined
    before TensorFlow has done anything."""
    return distribution.create_strategy(
        kind,
        settings.use_tpu,
        settings.tpu_name,
        settings.tpu_zone,
        settings.gcp_project,
        settings.master,
        settings.num_tpu_cores,
    )


def open_devices_to_train(settings: EvaluationFlags, config: BertConfig) -> tf.distribute.Strategy:
    """The same for a run of the loop, with the cores of a processor dealt out as halved batches want it."""
    strategy = open_devices(settings, settings.distribution)
    if halves.suit(config):
        halves.use_own_cores(strategy, settings.rows_together)
    return strategy


@contextlib.contextmanager
def opened(
    settings: TrainingFlags,
    strategy: tf.distribute.Strategy,
    build_model: Callable[[], HeadedModel],
    identity: Mapping[str, object],
    schedule: Schedule | None,
    start: Callable[[keras.layers.Layer], None] | None = None,
    model_files: ModelFiles | None = None,
) -> Iterator[Trainer]:
    """Opens the output folder and brings the model to where the run stands: resumed, warm-started or new.

    While it is open no other run can have the folder.

    `identity` says whose run it is (command, task, sizes, labels...); a folder of another run is refused. With a
    `schedule` the trainer can train. `start` gives the encoder of a model that begins random what it takes from
    elsewhere; with one or the other a model may begin random. `model_files` come to lie beside the checkpoints, where
    this run makes some. Raises InputError for a missing checkpoint, and for one that does not fit.
    """
    files.check_folder(settings.output_dir, "output_dir")
    init_checkpoint = checkpoint.resolve(settings.init_checkpoint) if settings.init_checkpoint else None
    folder = RunFolder(settings.output_dir, distribution.is_chief(strategy))
    folder.check_owner(identity)
    if model_files:
        model_files.check(folder.path)
    check_batches(settings, strategy)
    keras.utils.set_random_seed(settings.seed)
    with strategy.scope(), precision(settings.mixed_precision):
        model = build_model()
        optimizer = optimizer_of(settings, schedule) if schedule else None
    model.recompute = settings.recompute
    model.halved = halves.pay(model.config, strategy)
    accumulation = settings.gradient_accumulation_steps
    trainer = Trainer(model, strategy, folder, optimizer, settings.seed, accumulation)
    resumed = trainer.restore(folder.best if folder.best.latest() and not schedule else None)
    if resumed:
        logger.info("Going on from %s (step %d).", resumed, trainer.step)
        folder.log_changes(settings)
    elif init_checkpoint:
        _warm_start(trainer, settings, init_checkpoint)
    elif schedule or start:
        logger.info("No `init_checkpoint`: every weight starts random.")
        if start:
            start(model.encoder)
    else:
        raise InputError(
            f"nothing to evaluate: no checkpoint in `output_dir`={settings.output_dir}, and no `init_checkpoint`"
        )
    with folder.claimed(identity, settings, will_train(trainer, schedule)):
        if model_files:
            model_files.write(folder.own_path)
        parameters = sum(int(np.prod(variable.shape)) for variable in model.weights)
        logger.info("Model: %s parameters. Devices: %s.", f"{parameters:,}", distribution.describe(strategy))
        yield trainer


def will_train(trainer: Trainer, schedule: Schedule | None) -> bool:
    """Whether there are steps of the schedule left."""
    return schedule is not None and trainer.step < schedule.total_steps


def _warm_start(trainer: Trainer, settings: TrainingFlags, prefix: str) -> None:
    """Takes up the weights of `init_checkpoint`. Raises InputError where they are another encoder's, or too many are
    missing."""
    encoder = trainer.model.encoder
    found = {name.split("/")[0] for name in checkpoint.read_shapes(prefix)} & set(ENCODERS)
    if found and encoder.name not in found:
        raise InputError(
            f"`init_checkpoint`={prefix} holds the encoder '{min(found)}', but that of `bert_config_file`="
            f"{settings.bert_config_file} is '{encoder.name}': one cannot start from the other"
        )
    report = checkpoint.warm_start(trainer.variables(), prefix)
    report.log()
    # A head that reads no pooled output does without the pooler, which many Hugging Face folders do not have.
    unread = () if encoder.pooler.trainable else (f"{encoder.name}/pooler/",)
    missing = [name for name in report.missing if not name.startswith(unread)]
    if missing and not settings.do_train:
        raise InputError(
            f"`init_checkpoint`={prefix} lacks '{missing[0]}' ({len(missing)} in all) and "
            f"`output_dir`={settings.output_dir} holds no checkpoint: there is no trained model to evaluate"
        )
    if report.missing_encoder and not settings.allow_partial_checkpoint:
        raise InputError(
            f"`init_checkpoint`={prefix} lacks {report.missing_encoder}; give "
            "`allow_partial_checkpoint` to start these random"
        )


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Layers made inside compute in `name`: none (float32), bfloat16 or float16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if name == "none" else f"mixed_{name}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def check_batches(settings: TrainingFlags, strategy: tf.distribute.Strategy) -> None:
    """Raises InputError for a batch that cannot be spread evenly over replicas and micro-batches."""
    replicas, micro_batches = strategy.num_replicas_in_sync, settings.gradient_accumulation_steps
    if settings.train_batch_size % (replicas * micro_batches):
        raise InputError(
            f"`train_batch_size` is {settings.train_batch_size}, expected a multiple of {replicas * micro_batches}: "
            f"{replicas} replica(s) times `gradient_accumulation_steps`={micro_batches}"
        )
    for field in dataclasses.fields(settings):
        size = getattr(settings, field.name)
        if field.name in ("eval_batch_size", "predict_batch_size") and size % replicas:
            raise InputError(f"`{field.name}` is {size}, expected a multiple of {replicas}, the number of replicas")


def batches_to_train(
    trainer: Trainer, settings: TrainingFlags, record_set: RecordSet, rewrite: Rewrite | None = None
) -> tf.data.Dataset:
    """Training batches from the trainer's step on, which the encoder packs where they have much padding; `rewrite`
    changes rows as `training_batches` says."""
    is_random = not settings.length_grouping and not distribution.is_tpu(trainer.strategy)  # it wants one shape
    trainer.model.encoder.packed = is_random and record_set.has_much_padding()
    return training_batches(
        record_set,
        record_set.count,
        settings.train_batch_size,
        settings.seed,
        start_step=trainer.step,
        cut=not distribution.is_tpu(trainer.strategy),
        length_grouping=settings.length_grouping,
        rewrite=rewrite,
    )


def train(
    trainer: Trainer,
    settings: EvaluationFlags,
    schedule: Schedule,
    record_set: RecordSet,
    evaluation: Evaluation | None = None,
    rewrite: Rewrite | None = None,
) -> None:
    """Trains to the end of the schedule with the optimizer of the paper, from wherever the trainer stands.

    With an `evaluation`, and `eval_every_steps`, the best checkpoint is kept and the trainer stands at it at the end.
    `rewrite` changes rows as `training_batches` says.
    """
    every = settings.eval_every_steps if evaluation else 0
    selection = _selection(trainer, settings, evaluation) if evaluation and every else None
    plan = Plan(schedule.total_steps, settings.save_checkpoints_steps, every, settings.iterations_per_loop)
    values = functools.partial(evaluating.values, trainer, evaluation) if evaluation else None
    if not will_train(trainer, schedule):
        logger.info(
            "%s is at step %d of %d: this run has finished, nothing to train. To train further, ask for more steps; "
            "to train anew, choose another `output_dir`.",
            trainer.source,
            trainer.step,
            schedule.total_steps,
        )
        if selection and values:
            trainer.catch_up(plan, values, selection)
            trainer.save(selection)
    else:
        _log_training(trainer, settings, record_set, schedule)
        batches = batches_to_train(trainer, settings, record_set, rewrite)
        with record_set.faults_named():
            trainer.train(batches, plan, values, selection, record_set.describe)
        last = trainer.folder.checkpoints.latest()
        logger.info("Trained to step %d; the last checkpoint is %s.", trainer.step, last)
    if selection and selection.best:
        trainer.restore(trainer.folder.best)
        logger.info("The best by %s is step %d: %s.", selection.measure.name, trainer.step, trainer.source)


def _selection(trainer: Trainer, settings: EvaluationFlags, evaluation: Evaluation) -> Selection:
    return Selection(
        trainer.folder,
        evaluating.deciding_measure(trainer, settings, evaluation),
        settings.early_stopping_patience,
        start_step=trainer.step,
        expected_checksum=trainer.evaluations_checksum,
    )


def _log_training(trainer: Trainer, settings: TrainingFlags, record_set: RecordSet, schedule: Schedule) -> None:
    """The start block: what is trained on, how far, and what a model that guesses would lose."""
    if schedule.warmup_steps >= schedule.total_steps:
        logger.warning(
            "The learning rate rises over %d steps, but training ends at step %d: it never reaches its peak.",
            schedule.warmup_steps,
            schedule.total_steps,
        )
    logger.info("***** Running training *****")
    logger.info("  Num examples = %d", record_set.count)
    logger.info("  Batch size = %d", settings.train_batch_size)
    logger.info("  Num steps = %d (%d warmup)", schedule.total_steps, schedule.warmup_steps)
    losses = trainer.model.declared_losses
    guess = measures.total(losses).guess
    if guess is not None:
        terms = " + ".join(f"{loss.guess:.3f} ({loss.name})" for loss in losses)
        logger.info("  A model that guesses has loss %.3f%s", guess, f" = {terms}" if len(losses) > 1 else "")
