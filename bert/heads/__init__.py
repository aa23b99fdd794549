"""What stands on the encoder, and what it learns: masked LM and next sentence, sequence classes, spans, tags."""

from bert.heads.base import HeadedModel, Mean, Tensors
from bert.heads.pretraining import PretrainingModel
from bert.heads.sequence import MultiLabelClassifier, Regressor, SequenceClassifier
from bert.heads.span import SpanModel
from bert.heads.token import TokenClassifier

__all__ = [
    "HeadedModel",
    "Mean",
    "MultiLabelClassifier",
    "PretrainingModel",
    "Regressor",
    "SequenceClassifier",
    "SpanModel",
    "Tensors",
    "TokenClassifier",
]
