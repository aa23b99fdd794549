"""A model from one kind of folder to another: Google's downloads, Hugging Face's, our own output folders."""

import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np

from bert import checkpoint, files, formats, stored_model
from bert.errors import InputError
from bert.formats import configs, huggingface
from bert.stored_model import StoredModel
from bert.tasks import labels_file
from bert.tokenization import MAX_WORD_CHARACTERS
from bert.training.model_files import ModelFiles

logger = logging.getLogger(__name__)

MASKED_LM_BIAS = "cls/predictions/output_bias"


def convert(model: StoredModel, output_dir: str, to: str) -> None:
    """Writes the model as a new folder of the kind `to`, one of formats.KINDS, whole or not at all.

    Raises InputError where the folder exists already, the weights do not fit the config, or the kind has no place for
    the model.
    """
    model.config.check_is_bert(model.folder)
    names = list(model.shapes)
    if to == formats.SENTENCE_TRANSFORMERS:
        heads = [name for name in names if not name.startswith("bert/")]
        names = [name for name in names if name.startswith("bert/")]
        if heads:
            logger.info("Left out, a sentence vector has no head: %s", ", ".join(heads))
    check_shapes(model)
    with files.new_folder(output_dir, "output_dir") as folder:
        logger.info("Reading %d variables of %s", len(names), model.weights)
        values = checkpoint.read_values(model.weights, names)
        if to == formats.GOOGLE:
            _write_google(folder, model, values)
        else:
            _write_huggingface(folder, model, values)
        if to == formats.SENTENCE_TRANSFORMERS:
            huggingface.write_sentence_transformer(folder, model.config.hidden_size, model.max_seq_length)


def check_shapes(model: StoredModel) -> None:
    """Raises InputError where the weights are none of a BERT, or of one with other sizes than the config's."""
    config, shapes = model.config, model.shapes
    last = f"bert/encoder/layer_{config.num_hidden_layers - 1}/output/dense/kernel"
    rows = {"word": config.vocab_size, "position": config.max_position_embeddings, "token_type": config.type_vocab_size}
    expected: dict[str, tuple[int, ...]] = {
        **{f"bert/embeddings/{name}_embeddings": (count, config.hidden_size) for name, count in rows.items()},
        last: (config.intermediate_size, config.hidden_size),
    }
    if MASKED_LM_BIAS in shapes:
        expected[MASKED_LM_BIAS] = (config.vocab_size,)
    for name, shape in expected.items():
        if name not in shapes and name == last:
            raise InputError(f"{model.weights}: lacks layer {config.num_hidden_layers}, the last that its config has")
        if name not in shapes:
            raise InputError(f"{model.weights}: has no '{name}', expected the weights of a BERT")
        if shapes[name] != shape:
            raise InputError(f"{model.weights}: '{name}' is {list(shapes[name])}, by the config it is {list(shape)}")


def _write_google(folder: str, model: StoredModel, values: Mapping[str, np.ndarray]) -> None:
    checkpoint.write_variables(os.path.join(folder, checkpoint.GOOGLE_PREFIX), values)
    write_beside_weights(folder, model)
    if model.config.activation == "gelu_exact":
        logger.warning(
            "hidden_act is gelu_exact, which Google's own program does not know; written as gelu, it would compute "
            "slightly other numbers."
        )


def write_beside_weights(folder: str, model: StoredModel) -> None:
    """Writes what lies beside Google's weights: config, vocabulary, and the labels where there are any."""
    ModelFiles(model.config, model.vocabulary).write(folder)
    if model.labels:
        labels_file.write(folder, model.labels)


def _write_huggingface(folder: str, model: StoredModel, values: Mapping[str, np.ndarray]) -> None:
    name = huggingface.architecture(list(values), model.kind == stored_model.TAGGING)
    labels: Sequence[str] = ()
    kind = "class"
    if "output_bias" in values:
        stored = model.labels or {"labels": configs.labels_of(model.config.other), "label_kind": kind}
        labels = stored["labels"] or huggingface.nameless(len(values["output_bias"]))
        kind = stored["label_kind"]
    logger.info("For transformers it is a %s.", name)
    config = configs.to_huggingface(model.config.to_dict(), name, labels, kind)
    tokens = model.vocabulary.tokens
    huggingface.write(folder, values, config, tokens, model.do_lower_case, MAX_WORD_CHARACTERS)
