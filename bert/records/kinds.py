"""The kinds of records (docs/parity.md 4): one declaration each drives the writer, the parser, the check and the page
docs/records.md. Pure data: nothing here needs TensorFlow.

Sizes are letters, see `SIZES`, or numbers.
"""

import dataclasses
import functools

SIZES = {  # letter: what sets it, for messages and for the documentation
    "S": "`max_seq_length`",
    "P": "`max_predictions_per_seq`",
    "V": "vocab_size in `bert_config_file`",
    "T": "type_vocab_size in `bert_config_file`",
    "C": "number of labels",
}


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature of a record: `length` values, whole numbers of 0 up to, not including, `limit`, or floats."""

    name: str
    length: str | int
    meaning: str
    limit: str | int = 2
    is_float: bool = False


@dataclasses.dataclass(frozen=True)
class RecordKind:
    """The features of one kind of record, in the order the original writes them."""

    name: str
    features: tuple[Feature, ...]

    @functools.cached_property
    def sorted_features(self) -> tuple[Feature, ...]:
        """By name, the order in which deterministic serialization writes them (docs/parity.md 5)."""
        return tuple(sorted(self.features, key=lambda feature: feature.name))

    @functools.cached_property
    def long_features(self) -> tuple[str, ...]:
        """The names of the features that have a value for each of the S positions."""
        return tuple(feature.name for feature in self.features if feature.length == "S")


_ROW = (
    Feature("input_ids", "S", "WordPieces; 0 behind the last", "V"),
    Feature("input_mask", "S", "1: a WordPiece, 0: padding"),
    Feature("segment_ids", "S", "1: the second text and its [SEP], 0: everything else", "T"),
)

PRETRAINING = RecordKind(
    "pre-training",
    (
        *_ROW,
        Feature("masked_lm_positions", "P", "positions to predict, in ascending order; 0 behind the last", "S"),
        Feature("masked_lm_ids", "P", "the WordPieces that stood there; 0 behind the last", "V"),
        Feature("masked_lm_weights", "P", "1.0: a position to predict, 0.0: padding", is_float=True),
        Feature("next_sentence_labels", 1, "1: a random next sentence, 0: the actual one"),
    ),
)

PRETRAINING_WORDS = RecordKind(
    "pre-training with words",
    (
        *PRETRAINING.features,
        Feature("word_starts", "S", "1: a word's first WordPiece; 0: the others, [CLS], [SEP] and padding"),
    ),
)


def _sequence(name: str, label_ids: Feature) -> RecordKind:
    """Records of one answer a row; they differ in `label_ids` only."""
    return RecordKind(name, (*_ROW, label_ids, Feature("is_real_example", 1, "0: padding, which weighs nothing")))


CLASSIFIER = _sequence("classifier", Feature("label_ids", 1, "the class; 0 where there is no label", "C"))
MULTI_LABEL = _sequence("multi-label classifier", Feature("label_ids", "C", "1: has the class, 0: has it not"))
REGRESSION = _sequence("regression", Feature("label_ids", 1, "the number; 0.0 where there is none", is_float=True))

_WINDOW = (Feature("unique_ids", 1, "the number of the row, in question answering from 1000000000 up", 2**31), *_ROW)

SQUAD_TRAINING = RecordKind(
    "question answering training",
    (
        *_WINDOW,
        Feature("start_positions", 1, "the answer's first WordPiece; 0 where it is not in this window", "S"),
        Feature("end_positions", 1, "the answer's last WordPiece; 0 where it is not in this window", "S"),
        Feature("is_impossible", 1, "1: a question without an answer; written, never read"),
    ),
)

SQUAD_PREDICTION = RecordKind("question answering", _WINDOW)

TAGGING = RecordKind(
    "tagging",
    (
        *_WINDOW,
        Feature("label_ids", "S", "the label of the word that begins here; 0 elsewhere", "C"),
        Feature("label_weights", "S", "1: a word's first WordPiece, in the one window in which the word counts"),
    ),
)

KINDS = (PRETRAINING, PRETRAINING_WORDS, CLASSIFIER, MULTI_LABEL, REGRESSION, SQUAD_TRAINING, SQUAD_PREDICTION, TAGGING)
