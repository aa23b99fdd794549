"""A model from one kind of folder to another: Google's downloads, Hugging Face's, our own output folders."""

import contextlib
import dataclasses
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bert import checkpoint, files, formats
from bert.config import BertConfig
from bert.errors import InputError
from bert.formats import configs, huggingface, tokenizers, weights
from bert.tasks import labels_file
from bert.tokenization import MAX_WORD_CHARACTERS, Vocabulary
from bert.training.run_folder import RunFolder

logger = logging.getLogger(__name__)

GOOGLE_PREFIX = "bert_model.ckpt"
GOOGLE_CONFIG = "bert_config.json"


@dataclasses.dataclass(frozen=True)
class StoredModel:
    """A model as it lies in a folder: `weights` is a checkpoint prefix or a safetensors file; `labels` is the content
    of a labels.json, None where the model has no classes or numbers to tell."""

    weights: str
    config: BertConfig
    vocabulary: Vocabulary
    do_lower_case: bool
    max_seq_length: int
    labels: dict | None = None

    @property
    def is_tagger(self) -> bool:
        return self.labels is not None and self.labels.get("task") == huggingface.TAGGING


def read(folder: str, vocab_file: str | None = None) -> StoredModel:
    """Finds out what lies in a folder. Raises InputError for a folder of none of the three kinds, a missing part,
    and a vocabulary that is too large. `vocab_file` is for a folder that has none and does not say where it is."""
    if not files.is_folder(folder):
        raise InputError(f"`model_dir`: {folder} is no folder")
    run = RunFolder(folder).content()
    settings = run.get("settings", {})
    config = BertConfig.from_dict(run["config"]) if "config" in run else BertConfig.from_json_file(folder)
    vocab_path = formats.vocab_file(vocab_file or settings.get("vocab_file") or folder)
    if not files.exists(vocab_path):
        raise InputError(f"`vocab_file`: the vocabulary {vocab_path} does not exist, give the one of this model")
    vocabulary = Vocabulary.from_file(vocab_path)
    if len(vocabulary) > config.vocab_size:
        raise InputError(f"{vocab_path} has {len(vocabulary)} entries, but the model of {folder} {config.vocab_size}")
    if run.get("vocab_sha256", vocabulary.sha256) != vocabulary.sha256:
        raise InputError(f"{vocab_path} is not the vocabulary that the model of {folder} was trained with")
    lower_case = settings.get("do_lower_case", tokenizers.read_lower_case(os.path.dirname(vocab_path)))
    if lower_case is None:
        lower_case = tokenizers.is_lower_cased(vocabulary.tokens)
        logger.info("Nothing says whether the model is lower-cased; by its vocabulary it is: %s.", lower_case)
    return StoredModel(
        _find_weights(folder),
        config,
        vocabulary,
        lower_case,
        settings.get("max_seq_length") or huggingface.read_max_seq_length(folder) or config.max_position_embeddings,
        labels_file.read(folder),
    )


def _find_weights(folder: str) -> str:
    """The best checkpoint of a run, else its last; the weights of a download."""
    run_folder = RunFolder(folder)
    for checkpoints in (run_folder.best, run_folder.checkpoints):
        if latest := checkpoints.latest():
            return latest
    found = weights.find(folder, "model_dir")
    prefix = os.path.join(folder, GOOGLE_PREFIX)
    if not found and not files.exists(f"{prefix}.index"):
        raise InputError(
            f"`model_dir`: no model in {folder}, expected {weights.WEIGHTS_FILE} (Hugging Face), {GOOGLE_PREFIX}.index "
            "(Google), or model.ckpt-N.index (a run of ours)"
        )
    return found or prefix


def convert(model: StoredModel, output_dir: str, to: str) -> None:
    """Writes the model as a new folder of the kind `to`, one of formats.KINDS, whole or not at all.

    Raises InputError where the folder exists already, or the kind has no place for the model.
    """
    shapes = checkpoint.read_shapes(model.weights)
    names = [name for name in shapes if not checkpoint.is_training_state(name)]
    if to == formats.SENTENCE_TRANSFORMERS:
        heads = [name for name in names if not name.startswith("bert/")]
        names = [name for name in names if name.startswith("bert/")]
        if heads:
            logger.info("Left out, a sentence vector has no head: %s", ", ".join(heads))
    if f"bert/encoder/layer_{model.config.num_hidden_layers - 1}/output/dense/kernel" not in names:
        raise InputError(f"{model.weights}: lacks layer {model.config.num_hidden_layers}, the last that its config has")
    logger.info("Reading %d variables of %s", len(names), model.weights)
    values = checkpoint.read_values(model.weights, names)
    with _new_folder(output_dir) as folder:
        if to == formats.GOOGLE:
            _write_google(folder, model, values)
        else:
            _write_huggingface(folder, model, values)
        if to == formats.SENTENCE_TRANSFORMERS:
            huggingface.write_sentence_transformer(folder, model.config.hidden_size, model.max_seq_length)


def _write_google(folder: str, model: StoredModel, values: Mapping[str, np.ndarray]) -> None:
    checkpoint.write_variables(os.path.join(folder, GOOGLE_PREFIX), values)
    files.write_text(os.path.join(folder, GOOGLE_CONFIG), model.config.to_json())
    files.write_text(os.path.join(folder, formats.VOCAB_FILE), "".join(f"{t}\n" for t in model.vocabulary.tokens))
    if model.labels:
        labels_file.write(folder, model.labels)
    if model.config.activation == "gelu_exact":
        logger.warning(
            "hidden_act is gelu_exact, which Google's own program does not know; written as gelu, it would compute "
            "slightly other numbers."
        )


def _write_huggingface(folder: str, model: StoredModel, values: Mapping[str, np.ndarray]) -> None:
    name = huggingface.architecture(list(values), model.is_tagger)
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


@contextlib.contextmanager
def _new_folder(path: str) -> Iterator[str]:
    """Gives a temporary folder beside `path`; renamed to `path` on success, removed on any error."""
    if files.is_remote(path):
        raise InputError(f"`output_dir`: {path} is not on a local disk, where a folder can be renamed when it is whole")
    files.check_folder(path, "output_dir")
    if os.path.isdir(path) and os.listdir(path):
        raise InputError(f"`output_dir`: {path} is not empty, expected a new folder")
    temporary = f"{os.path.normpath(path)}.tmp-{os.getpid()}"
    files.make_folder(temporary)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary)
        raise
