"""How a command that trains begins, works and ends: what run_pretraining, run_classifier and others share.

Between the flags and the loop: checks that need files, the output folder and what it holds, the start block, then the
loop of `training`.
"""

import contextlib
import dataclasses
import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from bert import checkpoint, distribution, files, flags, formats
from bert.config import BertConfig
from bert.errors import InputError
from bert.heads import Model
from bert.input_pipeline import RecordSet, evaluation_batches, training_batches
from bert.optimization import AdamWeightDecay, WarmupLinearDecay
from bert.selection import Selection, best_checkpoints
from bert.tokenization import Tokenizer, Vocabulary
from bert.training import Plan, Trainer

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"  # in the output folder: whose run it is


def read_config(path: str, max_seq_length: int) -> BertConfig:
    """Reads the model's sizes. Raises InputError where the model has fewer positions than the flag asks for."""
    files.check_readable(formats.config_file(path), "--bert_config_file")
    config = BertConfig.from_json_file(path)
    if max_seq_length > config.max_position_embeddings:
        raise InputError(
            f"--max_seq_length is {max_seq_length}, but the model of {path} has positions "
            f"for {config.max_position_embeddings} only"
        )
    return config


def read_tokenizer(vocab_file: str, do_lower_case: bool, config: BertConfig) -> Tokenizer:
    """Reads the vocabulary. Raises InputError where it has entries the model has no embedding for."""
    files.check_readable(formats.vocab_file(vocab_file), "--vocab_file")
    vocabulary = Vocabulary.from_file(vocab_file)
    if len(vocabulary) > config.vocab_size:
        raise InputError(
            f"--vocab_file={vocab_file} has {len(vocabulary)} entries, but vocab_size in --bert_config_file "
            f"is {config.vocab_size}"
        )
    return Tokenizer(vocabulary, do_lower_case)


def open_devices(settings: flags.TrainingFlags) -> tf.distribute.Strategy:
    """Where the run computes. Comes first: several workers can only be joined before TensorFlow has done anything."""
    return distribution.create_strategy(
        settings.distribution,
        settings.use_tpu,
        settings.tpu_name,
        settings.tpu_zone,
        settings.gcp_project,
        settings.master,
        settings.num_tpu_cores,
    )


def start(
    settings: flags.TrainingFlags,
    strategy: tf.distribute.Strategy,
    build_model: Callable[[], Model],
    identity: Mapping[str, object],
) -> Trainer:
    """Opens the output folder and brings the model to where the run stands: resumed, warm-started or new.

    `identity` says whose run it is (command, task, sizes, labels...); a folder of another run is refused.
    Raises InputError for that, for a missing checkpoint, and for one that does not fit.
    """
    files.check_folder(settings.output_dir, "output_dir")
    init_checkpoint = checkpoint.resolve(settings.init_checkpoint) if settings.init_checkpoint else None
    check_identity(settings.output_dir, identity)
    check_batches(settings, strategy)
    keras.utils.set_random_seed(settings.seed)
    with strategy.scope(), precision(settings.mixed_precision):
        model = build_model()
    model.bert.encoder.recompute = settings.recompute
    trainer = Trainer(model, strategy, settings.output_dir, settings.seed)
    best = best_checkpoints(settings.output_dir)
    resumed = trainer.restore(best if best.latest() and not settings.do_train else None)
    if resumed:
        logger.info("Going on from %s (step %d).", resumed, trainer.step)
        tell_changes(settings)
    elif init_checkpoint:
        report = checkpoint.warm_start(trainer.variables(), init_checkpoint)
        report.log()
        # A head that reads no pooled output does without the pooler, which many Hugging Face folders do not have.
        unread = () if model.bert.pooler.trainable else ("bert/pooler/",)
        missing = [name for name in report.missing if not name.startswith(unread)]
        if missing and not settings.do_train:
            raise InputError(
                f"--init_checkpoint={init_checkpoint} lacks '{missing[0]}' ({len(missing)} in all) and "
                f"--output_dir={settings.output_dir} holds no checkpoint: there is no trained model to evaluate"
            )
    elif settings.do_train:
        logger.info("No --init_checkpoint: every weight starts random.")
    else:
        raise InputError(
            f"nothing to evaluate: no checkpoint in --output_dir={settings.output_dir}, and no --init_checkpoint"
        )
    files.make_folder(trainer.output_dir)
    # What an earlier command knew and this one does not, such as the dev fraction of the training, stays.
    run_file = os.path.join(settings.output_dir, RUN_FILE)
    earlier = files.read_json(run_file) if files.exists(run_file) else {}
    stored = {**earlier, **identity, "settings": dataclasses.asdict(settings)}
    files.write_json(os.path.join(trainer.output_dir, RUN_FILE), stored)
    parameters = sum(int(np.prod(variable.shape)) for variable in model.weights)
    logger.info("Model: %s parameters. Devices: %s.", f"{parameters:,}", distribution.describe(strategy))
    return trainer


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Layers made inside compute in `name`: none (float32), bfloat16 or float16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if name == "none" else f"mixed_{name}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def check_batches(settings: flags.TrainingFlags, strategy: tf.distribute.Strategy) -> None:
    """Raises InputError for a batch that cannot be spread evenly over replicas and accumulated pieces."""
    replicas, pieces = strategy.num_replicas_in_sync, settings.gradient_accumulation_steps
    if settings.train_batch_size % (replicas * pieces):
        raise InputError(
            f"--train_batch_size is {settings.train_batch_size}, expected a multiple of {replicas * pieces}: "
            f"{replicas} replica(s) times --gradient_accumulation_steps={pieces}"
        )
    for name in ("eval_batch_size", "predict_batch_size"):
        size = getattr(settings, name, replicas)
        if size % replicas:
            raise InputError(f"--{name} is {size}, expected a multiple of {replicas}, the number of replicas")


def count_steps(settings: flags.FineTuningFlags, count: int, noun: str) -> int:
    """Training steps of the epochs asked for; `count` and `noun` say what an epoch has. Raises InputError below one.

    For question answering these are questions, not windows, as the original counts them.
    """
    steps = int(count / settings.train_batch_size * settings.num_train_epochs)
    if settings.do_train and steps < 1:
        raise InputError(
            f"{count} {noun} make no step with --train_batch_size={settings.train_batch_size} "
            f"and --num_train_epochs={settings.num_train_epochs}"
        )
    return steps


def tell_changes(settings: flags.TrainingFlags) -> None:
    """Says which flags are others than those the folder's run was last started with."""
    path = os.path.join(settings.output_dir, RUN_FILE)
    before = files.read_json(path).get("settings", {}) if files.exists(path) else {}
    for name, value in dataclasses.asdict(settings).items():
        if name in before and before[name] != value and not name.startswith("do_"):
            logger.warning("--%s was %s, now it is %s.", name, before[name], value)


def check_identity(folder: str, identity: Mapping[str, object]) -> None:
    """Raises InputError, with both values, if the folder's run file tells of another run."""
    path = os.path.join(folder, RUN_FILE)
    if not files.exists(path):
        return
    stored, ours = _flat(files.read_json(path)), _flat(json.loads(json.dumps(identity)))
    for name in (name for name in ours if name in stored and stored[name] != ours[name]):
        raise InputError(
            f"--output_dir={folder} holds another run: its {name} is {_brief(stored[name])}, this run's is "
            f"{_brief(ours[name])}; choose another folder or delete that one"
        )


def _flat(identity: Mapping[str, object]) -> dict[str, object]:
    """The entries of the config beside the others, so that a message can name the one that differs."""
    config = identity.get("config")
    return {**identity, **(config if isinstance(config, dict) else {}), "config": None}


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "..."


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a run is evaluated on: every record once, or the first `max_batches` batches of them.

    `score` makes further results, those of `score_names`, of the model's outputs: a dict of rows a batch, in order.
    """

    record_set: RecordSet
    batch_size: int
    max_batches: int | None = None
    score: Callable[[Sequence[dict[str, np.ndarray]]], Mapping[str, float]] | None = None
    score_names: Sequence[str] = ()

    @property
    def batch_count(self) -> int:
        whole = math.ceil(self.record_set.count / self.batch_size)
        return whole if self.max_batches is None else min(whole, self.max_batches)


def train(
    trainer: Trainer,
    settings: flags.TrainingFlags,
    record_set: RecordSet,
    total_steps: int,
    warmup_steps: int,
    evaluation: Evaluation | None = None,
) -> None:
    """Trains to `total_steps` with the optimizer of the paper, from wherever the trainer stands.

    With an `evaluation`, and --eval_every_steps, the best checkpoint is kept and the trainer stands at it at the end.
    """
    schedule = WarmupLinearDecay(settings.learning_rate, total_steps, warmup_steps)
    with trainer.strategy.scope():
        optimizer = AdamWeightDecay(
            schedule,
            bias_correction=settings.adam_bias_correction,
            loss_scaling=settings.mixed_precision == "float16",
        )
    trainer.build_optimizer(optimizer, settings.gradient_accumulation_steps)
    resumed = trainer.restore()
    every = getattr(settings, "eval_every_steps", 0) if evaluation else 0
    selection = _selection(trainer, settings, evaluation) if every else None
    if resumed and trainer.step >= total_steps:
        logger.info(
            "%s is at step %d of %d: this run has finished, nothing to train. To train further, ask for more steps; "
            "to train anew, choose another --output_dir.",
            resumed,
            trainer.step,
            total_steps,
        )
    else:
        _tell_training(trainer, settings, record_set, total_steps, warmup_steps)
        batches = training_batches(
            record_set,
            record_set.count,
            settings.train_batch_size,
            settings.seed,
            start_step=trainer.step,
            cut=not distribution.is_tpu(trainer.strategy),
            length_grouping=settings.length_grouping,
        )
        plan = Plan(total_steps, settings.save_checkpoints_steps, every, settings.iterations_per_loop)
        with record_set.faults_named():
            trainer.train(
                batches, plan, lambda: _means(trainer, evaluation), selection, describe_records=record_set.describe
            )
        logger.info("Trained to step %d; the last checkpoint is %s.", trainer.step, trainer.checkpoints.latest())
    if selection and selection.best:
        trainer.restore(selection.checkpoints)
        logger.info("The best by %s is step %d: %s.", selection.metric, trainer.step, trainer.source)


def _selection(trainer: Trainer, settings: flags.EvaluationFlags, evaluation: Evaluation) -> Selection:
    """Raises InputError for a --best_metric that the evaluations will not have, before any work."""
    names = {"loss", *trainer.model.chance_losses, *trainer.model.reported, *evaluation.score_names}
    if settings.best_metric not in names:
        raise InputError(f"--best_metric is '{settings.best_metric}', expected one of {', '.join(sorted(names))}")
    return Selection(
        settings.output_dir,
        settings.best_metric,
        settings.early_stopping_patience,
        start_step=trainer.step,
        output_dir=trainer.output_dir,
    )


def _tell_training(trainer, settings, record_set: RecordSet, total_steps: int, warmup_steps: int) -> None:
    """The start block: what is trained on, how far, and what a model that guesses would lose."""
    if warmup_steps >= total_steps:
        logger.warning(
            "The learning rate rises over %d steps, but training ends at step %d: it never reaches its peak.",
            warmup_steps,
            total_steps,
        )
    logger.info("***** Running training *****")
    logger.info("  Num examples = %d", record_set.count)
    logger.info("  Batch size = %d", settings.train_batch_size)
    logger.info("  Num steps = %d (%d warmup)", total_steps, warmup_steps)
    chance = trainer.model.chance_losses
    parts = " + ".join(f"{loss:.3f} ({name})" for name, loss in chance.items())
    detail = f" = {parts}" if len(chance) > 1 else ""
    if all(map(math.isfinite, chance.values())):
        logger.info("  A model that guesses has loss %.3f%s", sum(chance.values()), detail)


def _means(trainer: Trainer, evaluation: Evaluation) -> dict[str, np.float32]:
    cut = not distribution.is_tpu(trainer.strategy)
    batches = evaluation_batches(evaluation.record_set, evaluation.batch_size, cut=cut).take(evaluation.batch_count)
    with evaluation.record_set.faults_named():
        return trainer.evaluate(batches, evaluation.batch_count, evaluation.score)


def evaluate(trainer: Trainer, evaluation: Evaluation) -> dict[str, object]:
    """Means by name, `loss`, and `global_step`, for the checkpoint the trainer stands at."""
    count, total = evaluation.record_set.count, evaluation.batch_count
    if total * evaluation.batch_size < count:
        logger.info("  Only %d of %d records are evaluated (--max_eval_steps).", total * evaluation.batch_size, count)
    logger.info("***** Running evaluation *****")
    logger.info("  Num examples = %d", min(count, total * evaluation.batch_size))
    logger.info("  Batch size = %d", evaluation.batch_size)
    logger.info("  Checkpoint = %s", trainer.source)
    return {**_means(trainer, evaluation), "global_step": trainer.step}


def predict(
    trainer: Trainer, record_set: RecordSet, batch_size: int, length_grouping: bool = False
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the model's outputs, a dict of rows a batch, for every record once: in order, or, with
    `length_grouping`, with rows of like length together."""
    logger.info("***** Running prediction *****")
    logger.info("  Num examples = %d", record_set.count)
    logger.info("  Batch size = %d", batch_size)
    cut = not distribution.is_tpu(trainer.strategy)
    batches = evaluation_batches(record_set, batch_size, cut=cut, length_grouping=length_grouping)
    with record_set.faults_named():
        yield from trainer.predict(batches, math.ceil(record_set.count / batch_size))
