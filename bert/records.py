"""The TFRecord contracts (docs/parity.md 4): one declaration a kind drives the writer, the parser and the check.

Sizes are letters: S max_seq_length, P max_predictions_per_seq, V vocab_size, T type_vocab_size, C the number of labels;
or they are numbers.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import tensorflow as tf

from bert import files
from bert.errors import InputError


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature of a record: a list of `length` values, `int64` (of 0 up to, not including, `limit`) or `float`."""

    name: str
    length: str | int
    limit: str | int = 2
    kind: str = "int64"


@dataclasses.dataclass(frozen=True)
class RecordKind:
    """The features of one kind of record, in the order the original writes them."""

    name: str
    features: tuple[Feature, ...]
    origins: Mapping[str, str]  # letter -> what sets it, for messages

    def serialize(self, values: Mapping[str, Sequence]) -> bytes:
        """One tf.train.Example; deterministic, so equal values are equal bytes (docs/parity.md 5)."""
        features = {}
        for feature in self.features:
            if feature.kind == "float":
                content = tf.train.Feature(float_list=tf.train.FloatList(value=values[feature.name]))
            else:
                content = tf.train.Feature(int64_list=tf.train.Int64List(value=values[feature.name]))
            features[feature.name] = content
        example = tf.train.Example(features=tf.train.Features(feature=features))
        return example.SerializeToString(deterministic=True)

    def parse(self, serialized: tf.Tensor, sizes: Mapping[str, int]) -> dict[str, tf.Tensor]:
        """Parses a batch of serialized records [B] into int32 or float32 tensors [B, length]; in graph ops.

        A record of other lengths, or with a value out of range, is a tf.errors.InvalidArgumentError: a GPU would read
        zeros where there is no embedding, and tell nobody. `check_all` says which record it is.
        """
        parsed = tf.io.parse_example(serialized, self._specification(sizes))
        for feature in self.features:
            limit = sizes.get(feature.limit, feature.limit)
            if feature.kind == "int64" and isinstance(limit, int):
                values = parsed[feature.name]
                tf.debugging.Assert(tf.reduce_all((values >= 0) & (values < limit)), [feature.name, "out of range"])
        return {name: tf.cast(value, tf.int32) if value.dtype == tf.int64 else value for name, value in parsed.items()}

    def check_first(self, path: str, sizes: Mapping[str, int]) -> bool:
        """Checks the first record of a file; returns whether there is one.

        Raises InputError naming the file, the feature, the flag and both values. A damaged file is named too.
        """
        files.check_readable(path, f"{self.name} records")
        try:
            first = next(iter(tf.data.TFRecordDataset(path).take(1)), None)
        except tf.errors.DataLossError:
            raise InputError(f"{path}: record 0 is damaged, or this is no TFRecord file") from None
        if first is not None:
            self.check_record(first.numpy(), sizes, f"{path}: record 0")
        return first is not None

    def check_all(self, paths: Iterable[str], sizes: Mapping[str, int]) -> None:
        """Raises InputError for the first record of the files that is damaged, of other lengths or out of range."""
        for path in paths:
            for number, serialized in enumerate(read(path)):
                self.check_record(serialized, sizes, f"{path}: record {number}")

    def check_record(self, serialized: bytes, sizes: Mapping[str, int], where: str) -> None:
        """Raises InputError, opening with `where`, for a record that is not of this kind and these sizes."""
        try:
            found = tf.train.Example.FromString(serialized).features.feature
        except Exception:  # protobuf's DecodeError lives in a private module in some releases
            raise InputError(f"{where}: is no tf.train.Example, expected a {self.name} record") from None
        for feature in self.features:
            if feature.name not in found:
                raise InputError(f"{where}: has no feature '{feature.name}', expected a {self.name} record")
            content = found[feature.name]
            values = content.float_list.value if feature.kind == "float" else content.int64_list.value
            length, limit = sizes.get(feature.length, feature.length), sizes.get(feature.limit, feature.limit)
            if len(values) != length:
                asked = f"--{self.origins[feature.length]}={length}" if feature.length in self.origins else length
                raise InputError(f"{where}: '{feature.name}' has {len(values)} values, expected {asked}")
            if feature.kind == "int64" and isinstance(limit, int) and not 0 <= min(values) <= max(values) < limit:
                wrong = next(value for value in values if not 0 <= value < limit)
                asked = f" ({self.origins[feature.limit]} is {limit})" if feature.limit in self.origins else ""
                raise InputError(f"{where}: '{feature.name}' holds {wrong}, expected 0 to {limit - 1}{asked}")

    def _specification(self, sizes: Mapping[str, int]) -> dict:
        return {
            feature.name: tf.io.FixedLenFeature(
                [sizes.get(feature.length, feature.length)], tf.float32 if feature.kind == "float" else tf.int64
            )
            for feature in self.features
        }


_ORIGINS = {
    "S": "max_seq_length",
    "P": "max_predictions_per_seq",
    "V": "vocab_size in --bert_config_file",
    "T": "type_vocab_size in --bert_config_file",
}

PRETRAINING = RecordKind(
    "pre-training",
    (
        Feature("input_ids", "S", "V"),
        Feature("input_mask", "S"),
        Feature("segment_ids", "S", "T"),
        Feature("masked_lm_positions", "P", "S"),
        Feature("masked_lm_ids", "P", "V"),
        Feature("masked_lm_weights", "P", kind="float"),
        Feature("next_sentence_labels", 1),  # 1: a random next sentence, 0: the actual one
    ),
    _ORIGINS,
)


def _sequence(name: str, label_ids: Feature) -> RecordKind:
    """Records of one answer a row; they differ in `label_ids` only."""
    row = (Feature("input_ids", "S", "V"), Feature("input_mask", "S"), Feature("segment_ids", "S", "T"))
    real = Feature("is_real_example", 1)  # 0: padding, weighs nothing
    return RecordKind(name, (*row, label_ids, real), _ORIGINS)


CLASSIFIER = _sequence("classifier", Feature("label_ids", 1, "C"))
MULTI_LABEL = _sequence("multi-label classifier", Feature("label_ids", "C"))  # 1: has the class
REGRESSION = _sequence("regression", Feature("label_ids", 1, kind="float"))

_WINDOW = (
    Feature("unique_ids", 1, 2**31),  # from 0 up; in question answering from 1000000000 up
    Feature("input_ids", "S", "V"),
    Feature("input_mask", "S"),
    Feature("segment_ids", "S", "T"),
)

SQUAD_TRAINING = RecordKind(
    "question answering training",
    (
        *_WINDOW,
        Feature("start_positions", 1, "S"),  # 0: the answer is not in this window, or there is none
        Feature("end_positions", 1, "S"),
        Feature("is_impossible", 1),  # written, never read (docs/parity.md 4)
    ),
    _ORIGINS,
)

SQUAD_PREDICTION = RecordKind("question answering", _WINDOW, _ORIGINS)

TAGGING = RecordKind(
    "tagging",
    (
        *_WINDOW,
        Feature("label_ids", "S", "C"),
        Feature("label_weights", "S"),  # 1: a word's first WordPiece, in the one window that counts for the word
    ),
    _ORIGINS,
)


def write(path: str, serialized: Iterable[bytes]) -> int:
    """Writes serialized records to one TFRecord file, atomically; returns how many."""
    count = 0
    with (
        files.replaced(path) as temporary,
        files.written_by_tensorflow(path),
        tf.io.TFRecordWriter(temporary) as writer,
    ):
        for record in serialized:
            writer.write(record)
            count += 1
    return count


def read(path: str) -> Iterator[bytes]:
    """Yields the serialized records of a file. Raises InputError with the record's number where it is damaged."""
    count = 0
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield record
            count += 1
    except tf.errors.DataLossError:
        raise InputError(f"{path}: record {count} is damaged or cut off") from None
