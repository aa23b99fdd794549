"""How a command that trains begins, works and ends: what run_pretraining, run_classifier and others share.

Between the flags and the loop: checks that need files, the output folder and what it holds, the start block, then the
loop of `training`.
"""

import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np

from bert import checkpoint, cli, distribution, files
from bert.config import BertConfig
from bert.errors import InputError
from bert.heads import Model
from bert.input_pipeline import RecordSet, evaluation_batches, training_batches
from bert.optimization import AdamWeightDecay, WarmupLinearDecay
from bert.tokenization import Tokenizer, Vocabulary
from bert.training import Trainer

logger = logging.getLogger(__name__)

RUN_FILE = "run.json"  # in the output folder: whose run it is


def read_config(path: str, max_seq_length: int) -> BertConfig:
    """Reads the model's sizes. Raises InputError where the model has fewer positions than the flag asks for."""
    config = BertConfig.from_json_file(path)
    if max_seq_length > config.max_position_embeddings:
        raise InputError(
            f"--max_seq_length is {max_seq_length}, but the model of {path} has positions "
            f"for {config.max_position_embeddings} only"
        )
    return config


def read_tokenizer(vocab_file: str, do_lower_case: bool, config: BertConfig) -> Tokenizer:
    """Reads the vocabulary. Raises InputError where it has entries the model has no embedding for."""
    vocabulary = Vocabulary.from_file(vocab_file)
    if len(vocabulary) > config.vocab_size:
        raise InputError(
            f"--vocab_file={vocab_file} has {len(vocabulary)} entries, but vocab_size in --bert_config_file "
            f"is {config.vocab_size}"
        )
    return Tokenizer(vocabulary, do_lower_case)


def start(settings: cli.TrainingFlags, build_model: Callable[[], Model], identity: Mapping[str, object]) -> Trainer:
    """Opens the output folder and brings the model to where the run stands: resumed, warm-started or new.

    `identity` says whose run it is (command, task, sizes, labels...); a folder of another run is refused.
    Raises InputError for that, for a missing checkpoint, and for one that does not fit.
    """
    files.check_folder(settings.output_dir, "output_dir")
    init_checkpoint = checkpoint.resolve(settings.init_checkpoint) if settings.init_checkpoint else None
    check_identity(settings.output_dir, identity)
    strategy = distribution.create_strategy(
        settings.use_tpu,
        settings.tpu_name,
        settings.tpu_zone,
        settings.gcp_project,
        settings.master,
        settings.num_tpu_cores,
    )
    keras.utils.set_random_seed(settings.seed)
    with strategy.scope():
        model = build_model()
    trainer = Trainer(model, strategy, settings.output_dir, settings.seed)
    resumed = trainer.restore()
    if resumed:
        logger.info("Going on from %s (step %d).", resumed, trainer.step)
    elif init_checkpoint:
        report = checkpoint.warm_start(trainer.variables(), init_checkpoint)
        report.log()
        if report.missing and not settings.do_train:
            raise InputError(
                f"--init_checkpoint={init_checkpoint} lacks '{report.missing[0]}' ({len(report.missing)} in all) and "
                f"--output_dir={settings.output_dir} holds no checkpoint: there is no trained model to evaluate"
            )
    elif settings.do_train:
        logger.info("No --init_checkpoint: every weight starts random.")
    else:
        raise InputError(
            f"nothing to evaluate: no checkpoint in --output_dir={settings.output_dir}, and no --init_checkpoint"
        )
    files.make_folder(settings.output_dir)
    files.write_text(os.path.join(settings.output_dir, RUN_FILE), json.dumps(identity, indent=2, sort_keys=True) + "\n")
    parameters = sum(int(np.prod(variable.shape)) for variable in model.weights)
    logger.info("Model: %s parameters. Devices: %s.", f"{parameters:,}", distribution.describe(strategy))
    return trainer


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


def train(
    trainer: Trainer, settings: cli.TrainingFlags, record_set: RecordSet, total_steps: int, warmup_steps: int
) -> None:
    """Trains to `total_steps` with the optimizer of the paper, from wherever the trainer stands."""
    optimizer = AdamWeightDecay(WarmupLinearDecay(settings.learning_rate, total_steps, warmup_steps))
    trainer.build_optimizer(optimizer)
    resumed = trainer.restore()
    if resumed and trainer.step >= total_steps:
        logger.info(
            "%s is at step %d of %d: this run has finished, nothing to train. To train further, ask for more steps; "
            "to train anew, choose another --output_dir.",
            resumed,
            trainer.step,
            total_steps,
        )
        return
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
    batches = training_batches(
        record_set,
        record_set.count,
        settings.train_batch_size,
        settings.seed,
        start_step=trainer.step,
        cut=not distribution.is_tpu(trainer.strategy),
    )
    with record_set.faults_named():
        trainer.train(batches, total_steps, settings.save_checkpoints_steps, settings.iterations_per_loop)
    logger.info("Trained to step %d; the last checkpoint is %s.", trainer.step, trainer.checkpoints.latest())


def evaluate(
    trainer: Trainer, record_set: RecordSet, batch_size: int, max_batches: int | None = None
) -> dict[str, object]:
    """Every record once (the first `max_batches` batches of them): means by name, `loss`, and `global_step`."""
    total = math.ceil(record_set.count / batch_size)
    if max_batches is not None and max_batches < total:
        logger.info("  Only %d of %d batches are evaluated (--max_eval_steps).", max_batches, total)
        total = max_batches
    logger.info("***** Running evaluation *****")
    logger.info("  Num examples = %d", min(record_set.count, total * batch_size))
    logger.info("  Batch size = %d", batch_size)
    batches = evaluation_batches(record_set, batch_size, cut=not distribution.is_tpu(trainer.strategy)).take(total)
    with record_set.faults_named():
        return {**trainer.evaluate(batches, total), "global_step": trainer.step}


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
