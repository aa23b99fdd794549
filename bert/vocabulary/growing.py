"""A model with words added to its vocabulary: a row more, or another row, in all that has one for each entry."""

import dataclasses
import logging
import os
from collections.abc import Mapping

import numpy as np

from bert import checkpoint, conversion, files
from bert.stored_model import StoredModel
from bert.training.run_folder import RUN_FILE, RunFolder
from bert.vocabulary.adding import Addition

logger = logging.getLogger(__name__)

WORDS_FILE = "added_words.tsv"
_WORD_EMBEDDINGS = "bert/embeddings/word_embeddings"
_BY_ENTRY = (_WORD_EMBEDDINGS, conversion.MASKED_LM_BIAS)
# Where the run found its inputs. Another folder is made, which has a vocabulary and a config of its own.
_PLACES = ("vocab_file", "bert_config_file", "output_dir", "init_checkpoint")


def grow(model: StoredModel, addition: Addition, folder: str) -> None:
    """Writes the model with the words of `addition` into an empty folder.

    A new word's vector, its bias in the masked LM and Adam's moments of both are the means of those of the pieces it
    was split into. A run's folder becomes one that the run goes on in; anything else becomes a folder like Google's.
    Raises InputError where the weights do not fit the config.
    """
    model.config.check_is_bert(model.folder)
    size = max(len(addition.vocabulary), model.config.vocab_size)
    conversion.check_shapes(model)
    names = list(checkpoint.read_shapes(model.weights))
    logger.info("Reading %d variables of %s", len(names), model.weights)
    values = checkpoint.read_values(model.weights, names)
    for name in filter(_is_by_entry, names):
        values[name] = with_rows(values[name], addition.pieces, size)
    grown = _grown(model, addition, size)
    _write_weights(folder, model, values)
    conversion.write_beside_weights(folder, grown)
    _write_run(folder, model, grown)
    files.write_text(os.path.join(folder, WORDS_FILE), _table(model, addition))


def with_rows(values: np.ndarray, pieces: Mapping[int, tuple[int, ...]], size: int) -> np.ndarray:
    """`size` rows: the old ones, and at each key of `pieces` the mean of the old rows that it names.

    float32 [V] or [V, H] -> [size] or [size, H]
    """
    grown = np.zeros((size, *values.shape[1:]), values.dtype)
    grown[: len(values)] = values
    for place, parts in pieces.items():
        grown[place] = values[list(parts)].mean(axis=0, dtype=np.float64)
    return grown


def _is_by_entry(name: str) -> bool:
    for suffix in checkpoint.SLOT_SUFFIXES:
        name = name.removesuffix(suffix)
    return name in _BY_ENTRY


def _grown(model: StoredModel, addition: Addition, size: int) -> StoredModel:
    config = dataclasses.replace(model.config, vocab_size=size)
    labels = model.labels
    if labels and "vocab_sha256" in labels:
        labels = {**labels, "vocab_sha256": addition.vocabulary.sha256}
    return dataclasses.replace(model, config=config, vocabulary=addition.vocabulary, labels=labels)


def _is_run(model: StoredModel) -> bool:
    return os.path.basename(model.weights).startswith("model.ckpt-")


def _write_weights(folder: str, model: StoredModel, values: dict[str, np.ndarray]) -> None:
    if not _is_run(model):
        checkpoint.write_variables(os.path.join(folder, checkpoint.GOOGLE_PREFIX), values)
        return
    step = int(os.path.basename(model.weights).removeprefix("model.ckpt-"))
    values.pop(checkpoint.EVALUATIONS_CHECKSUM, None)  # the evaluations on the way are those of another model
    checkpoint.CheckpointFolder(folder).save(step, values)


def _write_run(folder: str, model: StoredModel, grown: StoredModel) -> None:
    """Writes run.json, if there was one, for the run as it goes on."""
    run = RunFolder(model.folder).content()
    if not run or not _is_run(model):
        return
    run["config"] = grown.config.to_dict()
    if "vocab_sha256" in run:
        run["vocab_sha256"] = grown.vocabulary.sha256
    for name in ("settings", "trained_with"):
        if name in run:
            run[name] = {key: value for key, value in run[name].items() if key not in _PLACES}
    files.write_json(os.path.join(folder, RUN_FILE), run)


def _table(model: StoredModel, addition: Addition) -> str:
    """A line for each new word: the word, its id, the pieces it was split into."""
    old, new = model.vocabulary.tokens, addition.vocabulary.tokens
    rows = ((new[place], str(place), " ".join(old[part] for part in parts)) for place, parts in addition.pieces.items())
    return "".join("\t".join(row) + "\n" for row in rows)
