"""What stands under a head, by the config's `encoder`: BERT, or one of the baselines it is compared with
(docs/baselines.md).

Every encoder is a layer of the name that its variables begin with in a checkpoint, and is called as BertModel is:
`encoder(input_ids, input_mask, segment_ids, positions=None, seed=None)` gives a dict with at least `sequence_output`,
float32 [B, S, H] ([B, K, H] where `positions` [B, K] are given), `layer_outputs`, a list of which that is the last, and
`pooled_output`, float32 [B, H]. `pooler` is the part that makes the last of them. `packed` asks it to train on the
tokens of a batch alone, and `packs(input_mask, seed)` tells whether a call does, and leaves padding without an output.
"""

import keras

from bert.config import BASELINES, ENCODERS, BertConfig
from bert.encoders import word_vectors as files_of_vectors
from bert.encoders.average import AverageEncoder
from bert.encoders.base import Baseline
from bert.encoders.dssm import DSSMEncoder
from bert.encoders.recurrent import GRUEncoder, LSTMEncoder
from bert.modeling import BertModel
from bert.tokenization import Vocabulary

_ENCODERS = {
    "bert": BertModel,
    "dssm": DSSMEncoder,
    "lstm": LSTMEncoder,
    "gru": GRUEncoder,
    "average": AverageEncoder,
}

WITH_WORDS = tuple(name for name in ENCODERS if name != "dssm")  # their vectors tell one position from another
WITH_TIED_EMBEDDINGS = ("bert",)  # whose word embeddings are the output matrix of the masked LM

__all__ = ["BASELINES", "WITH_TIED_EMBEDDINGS", "WITH_WORDS", "build", "start"]


def build(config: BertConfig) -> keras.layers.Layer:
    """The encoder of a config; its variables come with its `build`."""
    return _ENCODERS[config.encoder](config)


def start(encoder: keras.layers.Layer, vocabulary: Vocabulary, word_vectors: str | None = None) -> None:
    """Gives an encoder that begins random what it takes from the vocabulary, and its word embeddings from a file.

    Raises InputError for a file that `word_vectors.fill` refuses.
    """
    if isinstance(encoder, Baseline):
        encoder.take_vocabulary(vocabulary.tokens)
    if word_vectors:
        files_of_vectors.fill(encoder, vocabulary, word_vectors)
