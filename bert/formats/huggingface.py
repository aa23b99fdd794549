"""Writes a model as a folder that transformers loads, or sentence-transformers."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from bert import files
from bert.errors import InputError
from bert.formats import CONFIG_FILE, VOCAB_FILE, configs, tokenizers, weights

TAGGING = "tagging"  # the task in a labels.json that says that the labels are of words
_SEQUENCE_CLASSIFIER, _TOKEN_CLASSIFIER = "BertForSequenceClassification", "BertForTokenClassification"
_SENTENCE_FILE = "sentence_bert_config.json"
_POOLING_FOLDER = "1_Pooling"
_POOLING_MODES = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max"}
_LABELS_SCHEMA = {"architectures?": (list, None), "id2label?": (dict, None), "problem_type?": (str, None)}
_NAMELESS = "LABEL_{}"  # what transformers calls the labels of a model that was not told theirs


def read_labels(folder: str) -> dict | None:
    """What a labels.json would say of a classifier in the folder; None where there is none, or its labels are nameless.

    Raises InputError, naming the file, for values of another type, and where the labels lack an id.
    """
    path = os.path.join(folder, CONFIG_FILE)
    values = files.checked(files.read_json(path), _LABELS_SCHEMA, path) if files.exists(path) else {}
    kinds = values.get("architectures") or ()
    if _SEQUENCE_CLASSIFIER not in kinds and _TOKEN_CLASSIFIER not in kinds:
        return None
    try:
        labels = configs.labels_of(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    task = {"task": TAGGING} if _TOKEN_CLASSIFIER in kinds else {}
    kind = "class" if task else configs.label_kind_of(values, labels)
    if kind == "regression":
        return {"label_kind": kind, "labels": []}
    return {**task, "label_kind": kind, "labels": list(labels)} if labels != nameless(len(labels)) else None


def read_max_seq_length(folder: str) -> int | None:
    """The pieces that a sentence-transformers folder cuts a text to, None where it does not say. Raises InputError,
    naming the file, for what is no number of pieces."""
    path = os.path.join(folder, _SENTENCE_FILE)
    values = files.checked(files.read_json(path), {"max_seq_length?": (int, None)}, path) if files.exists(path) else {}
    length = values.get("max_seq_length")
    if length is not None and length < 1:
        raise InputError(f"{path}: 'max_seq_length' is {length}, expected at least 1")
    return length


def read_pooling(folder: str) -> str | None:
    """How a sentence-transformers folder makes one vector of many: cls, mean or max; None where it does not say.

    Raises InputError, naming the file, for a way that is none of these.
    """
    path = os.path.join(folder, _POOLING_FOLDER, CONFIG_FILE)
    values = files.read_json(path) if files.exists(path) else {}
    chosen = [name for name, is_chosen in values.items() if name.startswith("pooling_mode_") and is_chosen is True]
    if not chosen:
        return None
    if len(chosen) > 1 or chosen[0] not in _POOLING_MODES:
        raise InputError(f"{path}: asks for {' and '.join(chosen)}, expected one of {', '.join(_POOLING_MODES)}")
    return _POOLING_MODES[chosen[0]]


def nameless(count: int) -> tuple[str, ...]:
    """The names that transformers gives to labels without a name."""
    return tuple(map(_NAMELESS.format, range(count)))


def architecture(names: Sequence[str], is_tagger: bool = False) -> str:
    """The class of transformers that has these variables (Google's names); tags and classes have the same."""
    has_masked_lm = "cls/predictions/output_bias" in names
    has_next_sentence = "cls/seq_relationship/output_bias" in names
    if "output_bias" in names:
        return _TOKEN_CLASSIFIER if is_tagger else _SEQUENCE_CLASSIFIER
    if "cls/squad/output_bias" in names:
        return "BertForQuestionAnswering"
    if has_masked_lm and has_next_sentence:
        return "BertForPreTraining"
    if has_masked_lm:
        return "BertForMaskedLM"
    return "BertForNextSentencePrediction" if has_next_sentence else "BertModel"


def write(
    folder: str,
    values: Mapping[str, np.ndarray],
    config: Mapping,
    tokens: Sequence[str],
    do_lower_case: bool,
    max_word_characters: int,
) -> None:
    """Writes weights, config (a Hugging Face one) and the tokenizer; vocab.txt with them."""
    weights.write(os.path.join(folder, weights.WEIGHTS_FILE), values)
    files.write_json(os.path.join(folder, CONFIG_FILE), dict(sorted(config.items())))
    files.write_lines(os.path.join(folder, VOCAB_FILE), tokens)
    tokenizers.write(folder, tokens, do_lower_case, config["max_position_embeddings"], max_word_characters)


def write_sentence_transformer(folder: str, hidden_size: int, max_seq_length: int) -> None:
    """Adds what makes a folder of an encoder one of sentence-transformers: the mean over the tokens, no [PAD] in it."""
    kind = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{kind}.Transformer"},
        {"idx": 1, "name": "1", "path": _POOLING_FOLDER, "type": f"{kind}.Pooling"},
    ]
    pooling = {
        "word_embedding_dimension": hidden_size,
        **{name: way == "mean" for name, way in _POOLING_MODES.items()},
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    files.write_json(os.path.join(folder, "modules.json"), modules)
    files.make_folder(os.path.join(folder, _POOLING_FOLDER))
    files.write_json(os.path.join(folder, _POOLING_FOLDER, CONFIG_FILE), pooling)
    # The tokenizer lower-cases where it should; this asks for it once more, in Python.
    settings = {"max_seq_length": max_seq_length, "do_lower_case": False}
    files.write_json(os.path.join(folder, _SENTENCE_FILE), settings)
