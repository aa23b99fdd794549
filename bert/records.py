"""The TFRecord contracts (PARITY 4): one declaration a kind drives the writer, the parser and the check.

Lengths are letters: S max_seq_length, P max_predictions_per_seq, or a number.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import tensorflow as tf

from bert import files
from bert.errors import InputError


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature of a record: a list of `length` values, `int64` or `float`."""

    name: str
    length: str | int
    kind: str = "int64"


@dataclasses.dataclass(frozen=True)
class RecordKind:
    """The features of one kind of record, in the order the original writes them."""

    name: str
    features: tuple[Feature, ...]
    flags: Mapping[str, str]  # length letter -> the flag that sets it, for messages

    def serialize(self, values: Mapping[str, Sequence]) -> bytes:
        """One tf.train.Example; deterministic, so equal values are equal bytes (PARITY 5)."""
        features = {}
        for feature in self.features:
            if feature.kind == "float":
                content = tf.train.Feature(float_list=tf.train.FloatList(value=values[feature.name]))
            else:
                content = tf.train.Feature(int64_list=tf.train.Int64List(value=values[feature.name]))
            features[feature.name] = content
        example = tf.train.Example(features=tf.train.Features(feature=features))
        return example.SerializeToString(deterministic=True)

    def parse(self, serialized: tf.Tensor, lengths: Mapping[str, int]) -> dict[str, tf.Tensor]:
        """Parses a batch of serialized records [B] into int32 or float32 tensors [B, length]; in graph ops."""
        parsed = tf.io.parse_example(serialized, self._specification(lengths))
        return {name: tf.cast(value, tf.int32) if value.dtype == tf.int64 else value for name, value in parsed.items()}

    def check(self, path: str, lengths: Mapping[str, int]) -> None:
        """Compares the first record of a file with the lengths that the flags ask for.

        Raises InputError naming the file, the feature, the flag and both values. A damaged file is named too.
        """
        try:
            first = next(iter(tf.data.TFRecordDataset(path).take(1)), None)
        except tf.errors.DataLossError:
            raise InputError(f"{path}: record 0 is damaged, or this is no TFRecord file") from None
        if first is None:
            raise InputError(f"{path}: holds no record, expected {self.name} records")
        self.check_record(first.numpy(), lengths, f"{path}: record 0")

    def check_record(self, serialized: bytes, lengths: Mapping[str, int], where: str) -> None:
        """Raises InputError, opening with `where`, for a record that is not of this kind and these lengths."""
        try:
            found = tf.train.Example.FromString(serialized).features.feature
        except Exception:  # protobuf's DecodeError lives in a private module in some releases
            raise InputError(f"{where}: is no tf.train.Example, expected a {self.name} record") from None
        for feature in self.features:
            if feature.name not in found:
                raise InputError(f"{where}: has no feature '{feature.name}', expected a {self.name} record")
            content = found[feature.name]
            size = len(content.float_list.value if feature.kind == "float" else content.int64_list.value)
            expected = lengths.get(feature.length, feature.length)
            if size != expected:
                flag = self.flags.get(feature.length)
                asked = f"--{flag}={expected}" if flag else f"{expected}"
                raise InputError(f"{where}: '{feature.name}' has {size} values, expected {asked}")

    def _specification(self, lengths: Mapping[str, int]) -> dict:
        return {
            feature.name: tf.io.FixedLenFeature(
                [lengths.get(feature.length, feature.length)], tf.float32 if feature.kind == "float" else tf.int64
            )
            for feature in self.features
        }


PRETRAINING = RecordKind(
    "pre-training",
    (
        Feature("input_ids", "S"),
        Feature("input_mask", "S"),
        Feature("segment_ids", "S"),
        Feature("masked_lm_positions", "P"),
        Feature("masked_lm_ids", "P"),
        Feature("masked_lm_weights", "P", "float"),
        Feature("next_sentence_labels", 1),  # 1: a random next sentence, 0: the actual one
    ),
    flags={"S": "max_seq_length", "P": "max_predictions_per_seq"},
)

CLASSIFIER = RecordKind(
    "classifier",
    (
        Feature("input_ids", "S"),
        Feature("input_mask", "S"),
        Feature("segment_ids", "S"),
        Feature("label_ids", 1),
        Feature("is_real_example", 1),  # 0: padding, weighs nothing
    ),
    flags={"S": "max_seq_length"},
)


def write(path: str, serialized: Iterable[bytes]) -> int:
    """Writes serialized records to one TFRecord file, atomically; returns how many."""
    count = 0
    with files.replaced(path) as temporary, tf.io.TFRecordWriter(temporary) as writer:
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
