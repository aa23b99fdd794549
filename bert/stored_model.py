"""A model as it lies in a folder: a download of Google's, a Hugging Face folder, one that a command here trained, or
one that `bert export_model --format=onnx` wrote."""

import dataclasses
import functools
import hashlib
import logging
import os
from collections.abc import Mapping
from typing import Any

from bert import checkpoint, files, formats, heads
from bert.config import BertConfig
from bert.errors import InputError
from bert.formats import configs, huggingface, tokenizers, weights
from bert.heads import HeadedModel
from bert.retrieval import index
from bert.tasks import label_kinds, labels_file
from bert.tokenization import Vocabulary
from bert.training.run_folder import RUN_FILE, RunFolder, trained_with

logger = logging.getLogger(__name__)

ONNX_FILE, EXPORT_FILE = "model.onnx", "export.json"  # the graph, and how its rows are read and answers chosen
CLASSIFICATION, TAGGING, QUESTION_ANSWERING = "classification", "tagging", "question answering"
PRETRAINING, ENCODER, RETRIEVAL = "pre-training", "encoder", "retrieval"

# What a checkpoint is for is told by its head. Those of sequences and of tags have the same names.
_HEADS = {"output_bias": CLASSIFICATION, "cls/squad/output_bias": QUESTION_ANSWERING}
_HEADS |= {"cls/predictions/output_bias": PRETRAINING}

# What a checkpoint of other programs may lack, since it is not needed for what the model is asked.
_SPARED = {
    CLASSIFICATION: (),
    TAGGING: ("bert/pooler/",),
    QUESTION_ANSWERING: ("bert/pooler/",),
    PRETRAINING: ("bert/pooler/", "cls/seq_relationship/"),
    ENCODER: ("bert/pooler/",),
    RETRIEVAL: ("bert/pooler/",),
}

_EXPORT_SCHEMA = {"kind": str, "max_seq_length": int, "do_lower_case": bool}


@dataclasses.dataclass(frozen=True)
class StoredModel:
    """A model as it lies in a folder.

    Attributes:
      weights: a checkpoint prefix, a safetensors file, or a graph of ONNX.
      shapes: variable -> shape, the optimizer's left out; of ONNX none.
      labels: the content of a labels.json, None where the model has no classes or numbers to tell.
      has_index: whether it is that of a retrieval.
      settings: the flags that it was trained or exported with, by name, or, of a model that was not trained here, those
        of the last command; empty where a folder does not say.
    """

    folder: str
    weights: str
    shapes: Mapping[str, tuple[int, ...]]
    config: BertConfig
    vocabulary: Vocabulary
    do_lower_case: bool
    max_seq_length: int
    labels: dict | None = None
    has_index: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_onnx(self) -> bool:
        """Whether it is a graph for onnxruntime, with fixed weights and options."""
        return os.path.basename(self.weights) == ONNX_FILE

    @property
    def kind(self) -> str:
        """What it can do, by its head: one of the names above."""
        if self.is_onnx:
            return self.settings["kind"]
        found = next((kind for name, kind in _HEADS.items() if name in self.shapes), ENCODER)
        is_tagger = self.labels is not None and self.labels.get("task") == huggingface.TAGGING
        if found == ENCODER and self.has_index:
            return RETRIEVAL
        return TAGGING if found == CLASSIFICATION and is_tagger else found

    def fingerprint(self, pooling: str, layer: int, max_seq_length: int) -> dict[str, Any]:
        """What decides which vector a text has, name -> value: two vectors can be compared where all of it is equal."""
        prefix = f"{self.config.encoder}/"
        encoder = [name for name in self.shapes if name.startswith(prefix) and not name.startswith(f"{prefix}pooler/")]
        return {
            "weights_sha256": checkpoint.sha256(self.weights, sorted(encoder)),
            "config": self.config.to_dict(),
            "vocab_sha256": self.vocabulary.sha256,
            "do_lower_case": self.do_lower_case,
            "pooling": pooling,
            "layer": layer,
            "max_seq_length": max_seq_length,
            "precision": "float32",  # whatever the training computed in
        }

    @functools.cached_property
    def index(self) -> Mapping[str, Any]:
        """The content of the index.json of a retrieval, empty where there is no index. Raises InputError for a damaged
        one, which not all who ask the model need."""
        return index.require_content(self.folder) if self.has_index else {}

    @property
    def weights_sha256(self) -> str:
        """Of all its weights."""
        if self.is_onnx:
            with files.open_binary(self.weights) as file:
                return hashlib.sha256(file.read()).hexdigest()
        return checkpoint.sha256(self.weights, sorted(self.shapes))

    @property
    def label_kind(self) -> label_kinds.LabelKind:
        """What a label of a classification is."""
        return label_kinds.KINDS[(self.labels or {}).get("label_kind", label_kinds.CLASS.name)]

    @property
    def label_names(self) -> tuple[str, ...]:
        """The classes or tags in the order of their ids, with transformers' names where nobody named them; empty
        where there are none."""
        if not self.label_kind.has_classes or (self.labels is None and "output_bias" not in self.shapes):
            return ()
        named = self.labels["labels"] if self.labels else configs.labels_of(self.config.other)
        return tuple(named or huggingface.nameless(self.shapes["output_bias"][0]))

    def build(self) -> HeadedModel:
        """The model with its weights. Raises InputError where the checkpoint lacks a part of it or does not fit, and
        for ONNX, which cannot be changed any more."""
        if self.is_onnx:
            raise InputError(f"{self.weights} is a graph that only predicts, expected the folder it was exported from")
        model = self._new_model()
        report = checkpoint.warm_start({variable.path: variable for variable in model.weights}, self.weights)
        needed = [name for name in report.missing if not name.startswith(_SPARED[self.kind])]
        if needed:
            raise InputError(f"{self.weights}: has no '{needed[0]}', which a model for {self.kind} needs")
        return model

    def _new_model(self) -> HeadedModel:
        if self.kind == CLASSIFICATION:
            return getattr(heads, self.label_kind.head)(
                self.config, **self.label_kind.head_arguments(self.label_names, (), None)
            )
        if self.kind == TAGGING:
            return heads.TokenClassifier(self.config, len(self.label_names))
        others = {
            QUESTION_ANSWERING: heads.SpanModel,
            PRETRAINING: heads.PretrainingModel,
            ENCODER: heads.EncoderModel,
            RETRIEVAL: heads.EncoderModel,
        }
        return others[self.kind](self.config)


def read(
    folder: str, vocab_file: str | None = None, do_lower_case: bool | None = None, flag: str = "model_dir"
) -> StoredModel:
    """Finds out what lies in a folder. Raises InputError for a folder of none of the four kinds, a missing part,
    and a vocabulary that is too large. `vocab_file` is for a folder that has none and does not say where it is,
    `do_lower_case` for one that does not say whether the model is lower-cased; `flag` names the folder in messages."""
    if not files.is_folder(folder):
        raise InputError(f"`{flag}`: {folder} is no folder")
    if files.exists(os.path.join(folder, ONNX_FILE)):
        return _read_onnx(folder, vocab_file, flag)
    run, labels = RunFolder(folder).content(), labels_file.read(folder)
    settings = trained_with(run) or _told_of_training(run, labels or {})
    if "config" not in run and not files.exists(formats.config_file(folder)):
        expected = f"{formats.GOOGLE_CONFIG_FILE} (Google) or {formats.CONFIG_FILE} (Hugging Face)"
        raise InputError(f"`{flag}`: no model in {folder}, expected {expected} beside the weights")
    config, config_path = _read_config(folder, run)
    named = vocab_file or _vocabulary_of(folder, settings)
    vocabulary, vocab_path = _read_vocabulary(folder, named, config, run)
    lower_case = settings.get("do_lower_case", tokenizers.read_lower_case(os.path.dirname(vocab_path)))
    if lower_case is None:
        lower_case = do_lower_case
    if lower_case is None:
        lower_case = tokenizers.is_lower_cased(vocabulary.tokens)
        logger.info("Nothing says whether the model is lower-cased; by its vocabulary it is: %s.", lower_case)
    found = _find_weights(folder, flag)
    shapes = checkpoint.read_shapes(found)
    _check_classes(shapes, found, config if labels is None else None, config_path)
    return StoredModel(
        folder,
        found,
        {name: shape for name, shape in shapes.items() if not checkpoint.is_training_state(name)},
        config,
        vocabulary,
        lower_case,
        settings.get("max_seq_length") or huggingface.read_max_seq_length(folder) or config.max_position_embeddings,
        labels,
        files.exists(index.path_of(folder)),
        {"pooling": huggingface.read_pooling(folder), **settings},
    )


def _read_config(folder: str, run: Mapping[str, Any]) -> tuple[BertConfig, str]:
    """The config of a run, or else of the folder, and the file it is in. Raises InputError naming that."""
    if "config" not in run:
        return BertConfig.from_json_file(folder), formats.config_file(folder)
    path = os.path.join(folder, RUN_FILE)
    try:
        return BertConfig.from_dict(run["config"]), path
    except InputError as error:
        raise InputError(f"{path}: 'config': {error}") from None


def _check_classes(shapes: Mapping[str, tuple[int, ...]], found: str, named_by: BertConfig | None, path: str) -> None:
    """Raises InputError where a classifier's weights do not say how many classes there are, or the config `named_by`,
    read from `path`, not what they are called."""
    if "output_bias" not in shapes:
        return
    if len(shapes["output_bias"]) != 1:
        raise InputError(f"{found}: 'output_bias' is {list(shapes['output_bias'])}, expected a number for each class")
    try:
        configs.labels_of(named_by.other if named_by else {})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read_onnx(folder: str, vocab_file: str | None, flag: str) -> StoredModel:
    path = os.path.join(folder, EXPORT_FILE)
    if not files.exists(path):
        raise InputError(f"`{flag}`: {folder} has {ONNX_FILE} but no {EXPORT_FILE}, expected what export_model wrote")
    settings = files.checked(files.read_json(path), _EXPORT_SCHEMA, path)
    if settings["kind"] not in _SPARED:
        raise InputError(f"{path}: 'kind' is {settings['kind']!r}, expected one of {', '.join(_SPARED)}")
    config = BertConfig.from_json_file(folder)
    vocabulary, _ = _read_vocabulary(folder, vocab_file or folder, config, {})
    return StoredModel(
        folder,
        os.path.join(folder, ONNX_FILE),
        {},
        config,
        vocabulary,
        settings["do_lower_case"],
        settings["max_seq_length"],
        labels_file.read(folder),
        settings=settings,
    )


def _told_of_training(run: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
    """Settings where run.json does not tell those of the training: there is none beside a model that was published, and
    older versions wrote those of the last command. labels.json says some of the training."""
    told = {name: labels[name] for name in ("max_seq_length", "do_lower_case") if name in labels}
    return {**run.get("settings", {}), **told}


def _vocabulary_of(folder: str, settings: Mapping[str, Any]) -> str:
    """Where the vocabulary of a folder is: there, and of runs of older versions where they found it."""
    own = formats.vocab_file(folder)
    return own if files.exists(own) else settings.get("vocab_file") or folder


def _read_vocabulary(folder: str, named: str, config: BertConfig, run: Mapping[str, Any]) -> tuple[Vocabulary, str]:
    """The vocabulary and its path. Raises InputError where there is none or it is not the model's."""
    path = formats.vocab_file(named)
    if not files.exists(path):
        raise InputError(f"`vocab_file`: the vocabulary {path} does not exist, give the one of this model")
    vocabulary = Vocabulary.from_file(path)
    if len(vocabulary) > config.vocab_size:
        raise InputError(f"{path} has {len(vocabulary)} entries, but the model of {folder} {config.vocab_size}")
    if run.get("vocab_sha256", vocabulary.sha256) != vocabulary.sha256:
        raise InputError(f"{path} is not the vocabulary that the model of {folder} was trained with")
    return vocabulary, path


def _find_weights(folder: str, flag: str) -> str:
    """The best checkpoint of a run, else its last; the weights of a download."""
    run_folder = RunFolder(folder)
    for checkpoints in (run_folder.best, run_folder.checkpoints):
        if latest := checkpoints.latest():
            return latest
    found = weights.find(folder, flag)
    prefix = os.path.join(folder, checkpoint.GOOGLE_PREFIX)
    if not found and not files.exists(f"{prefix}.index"):
        raise InputError(
            f"`{flag}`: no model in {folder}, expected {weights.WEIGHTS_FILE} (Hugging Face), "
            f"{checkpoint.GOOGLE_PREFIX}.index (Google), or model.ckpt-N.index (a run of ours)"
        )
    return found or prefix
