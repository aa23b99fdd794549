"""A trained folder as an object that answers: loaded once, asked often.

base            what all predictors share: rows in, one prediction a row out
rows            what a row may be, and what is said of one that is none
options         how rows are read and answers chosen: as the folder says, unless asked otherwise
forward         the model as a function of rows of any number and length
lines           lines of text in, lines of answers out
classification, questions, tagging, vectors, masks, retrieval   a predictor for each kind of model
"""

import dataclasses
from typing import Any

from bert import stored_model
from bert.errors import InputError
from bert.prediction.base import Prediction, Predictor
from bert.prediction.classification import (
    ClassificationPredictor,
    ClassPrediction,
    LabelsPrediction,
    NumberPrediction,
)
from bert.prediction.masks import MaskPredictor, MasksPrediction, Word
from bert.prediction.questions import Answer, AnswerPrediction, QuestionPredictor
from bert.prediction.retrieval import FoundAnswer, RetrievalPrediction, RetrievalPredictor
from bert.prediction.tagging import Entity, TagsPrediction, TagsPredictor
from bert.prediction.vectors import VectorPrediction, VectorPredictor
from bert.stored_model import StoredModel

__all__ = [
    "Answer",
    "AnswerPrediction",
    "ClassPrediction",
    "ClassificationPredictor",
    "Entity",
    "FoundAnswer",
    "LabelsPrediction",
    "MaskPredictor",
    "MasksPrediction",
    "NumberPrediction",
    "Prediction",
    "Predictor",
    "QuestionPredictor",
    "RetrievalPrediction",
    "RetrievalPredictor",
    "TagsPrediction",
    "TagsPredictor",
    "VectorPrediction",
    "VectorPredictor",
    "Word",
    "load",
]

_PREDICTORS: dict[str, type[Predictor]] = {
    kind.kind: kind
    for kind in (
        ClassificationPredictor,
        QuestionPredictor,
        TagsPredictor,
        VectorPredictor,
        MaskPredictor,
        RetrievalPredictor,
    )
}


def load(
    folder: str,
    *,
    vocab_file: str | None = None,
    do_lower_case: bool | None = None,
    max_seq_length: int | None = None,
    vectors: bool = False,
    **options: Any,
) -> Predictor[Any, Any]:
    """Loads the model of a folder for prediction; `bert.load` is this function.

    Args:
      folder: an output folder of a training here, a Google download, a Hugging Face folder, or what `bert export_model
        --format=onnx` wrote, which onnxruntime runs.
      vocab_file: the vocabulary, where the folder does not tell where it is.
      do_lower_case: whether the model is lower-cased, where the folder does not say.
      max_seq_length: most WordPieces of a row; what the folder says if not given.
      vectors: give vectors, whatever stands on the encoder.
      options: others of the model's kind (`Predictor.options_class`), in place of what the folder says.

    Raises InputError where the folder holds no model, lacks a part, or an option is none of its kind.
    """
    stored = stored_model.read(folder, vocab_file, do_lower_case)
    if do_lower_case is not None:
        stored = dataclasses.replace(stored, do_lower_case=do_lower_case)
    if stored.is_onnx:
        _check_onnx(stored, vectors)
    elif vectors:
        encoder = {name: shape for name, shape in stored.shapes.items() if name.startswith(f"{stored.config.encoder}/")}
        stored = dataclasses.replace(stored, shapes=encoder, labels=None, has_index=False)
    return _PREDICTORS[stored.kind](stored, max_seq_length, options)


def _check_onnx(stored: StoredModel, vectors: bool) -> None:
    """Raises InputError for what a graph of ONNX, which does one thing, cannot be asked."""
    if vectors and stored.kind != stored_model.ENCODER:
        wanted = "vectors"
    elif stored.kind == stored_model.PRETRAINING:
        wanted = "words for [MASK]"
    else:
        return
    raise InputError(f"{stored.weights} does not give {wanted}, expected the folder that it was exported from")
