"""What stands on the encoder, and what it learns: masked LM and next sentence, sequence classes, spans, tags, likeness
of questions; or nothing, where its vectors are wanted."""

from bert.heads.base import HeadedModel, Mean, Tensors
from bert.heads.encoder import EncoderModel
from bert.heads.pretraining import PretrainingModel
from bert.heads.sequence import MultiLabelClassifier, Regressor, SequenceClassifier
from bert.heads.span import SpanModel
from bert.heads.token import TokenClassifier
from bert.heads.two_tower import TwoTower

__all__ = [
    "EncoderModel",
    "HeadedModel",
    "Mean",
    "MultiLabelClassifier",
    "PretrainingModel",
    "Regressor",
    "SequenceClassifier",
    "SpanModel",
    "Tensors",
    "TokenClassifier",
    "TwoTower",
]
