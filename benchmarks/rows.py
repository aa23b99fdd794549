"""The rows that programs train on: each kind in two files of one content, arrays for the peers, records for ours."""

import dataclasses
import pathlib

import numpy as np

from bert import records, tasks
from bert.config import BertConfig
from bert.errors import InputError
from bert.tasks import InputExample
from bert.tasks.encoding import ClassificationRows
from bert.training import run


def write_static(folder: pathlib.Path, config: BertConfig, count: int, length: int, seed: int) -> None:
    """`static`: random WordPieces, two classes, no padding."""
    columns = _random(config, count, length, np.random.default_rng(seed))
    columns["label_ids"] = np.random.default_rng(seed).integers(0, 2, [count, 1], np.int32)
    columns["is_real_example"] = np.ones([count, 1], np.int32)
    _write(folder, "static", records.CLASSIFIER, columns)


def write_pretraining(
    folder: pathlib.Path, config: BertConfig, count: int, length: int, masked: int, seed: int
) -> None:
    """`pretraining`: the same with `masked` positions to predict and next-sentence labels."""
    draw = np.random.default_rng(seed)
    columns = _random(config, count, length, draw)
    positions = [np.sort(draw.permutation(length - 2)[:masked] + 1) for _ in range(count)]
    columns["masked_lm_positions"] = np.stack(positions).astype(np.int32)
    columns["masked_lm_ids"] = np.take_along_axis(columns["input_ids"], columns["masked_lm_positions"], axis=1)
    columns["masked_lm_weights"] = np.ones([count, masked], np.float32)
    columns["next_sentence_labels"] = draw.integers(0, 2, [count, 1], np.int32)
    _write(folder, "pretraining", records.PRETRAINING, columns)


def write_mrpc(
    folder: pathlib.Path, config: BertConfig, count: int, length: int, seed: int, mrpc_dir: str, vocab_file: str
) -> None:
    """`mrpc`: rows drawn from MRPC's training set. Raises InputError where it has fewer."""
    examples = tasks.find("mrpc")().examples(mrpc_dir, "train")
    if len(examples) < count:
        raise InputError(f"--mrpc_dir={mrpc_dir}: train.tsv has {len(examples)} rows, --mrpc_batches asks for {count}")
    drawn = [examples[i] for i in np.random.default_rng(seed).permutation(len(examples))[:count]]
    write_examples(folder, "mrpc", config, length, drawn, vocab_file)


def write_questions(
    folder: pathlib.Path, config: BertConfig, count: int, length: int, banking77_dir: str, vocab_file: str
) -> None:
    """`questions`: those of BANKING77's training set in the order of the file, from the first again after the last."""
    task = tasks.find("banking77")()
    task.prepare(banking77_dir, str(folder), ["train"])
    examples = task.examples(banking77_dir, "train")
    chosen = [dataclasses.replace(examples[i % len(examples)], label=None) for i in range(count)]
    write_examples(folder, "questions", config, length, chosen, vocab_file)


def write_mrpc_dev(folder: pathlib.Path, config: BertConfig, length: int, mrpc_dir: str, vocab_file: str) -> None:
    """`mrpc_dev`: all of MRPC's dev set, in the order of the file."""
    examples = tasks.find("mrpc")().examples(mrpc_dir, "dev")
    write_examples(folder, "mrpc_dev", config, length, examples, vocab_file)


def write_examples(
    folder: pathlib.Path, name: str, config: BertConfig, length: int, examples: list[InputExample], vocab_file: str
) -> None:
    """Examples of two classes."""
    rows = ClassificationRows(examples, ["0", "1"], run.read_tokenizer(vocab_file, True, config), length)
    _write(folder, name, rows.record_kind, rows.features(0, len(examples)))


def _random(config: BertConfig, count: int, length: int, draw: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "input_ids": draw.integers(1, config.vocab_size, [count, length], np.int32),
        "input_mask": np.ones([count, length], np.int32),
        "segment_ids": np.zeros([count, length], np.int32),
    }


def _write(folder: pathlib.Path, name: str, kind: records.RecordKind, columns: dict[str, np.ndarray]) -> None:
    np.savez(folder / f"{name}.npz", **columns)
    records.write_rows(str(folder / f"{name}.tfrecord"), kind, [columns])
