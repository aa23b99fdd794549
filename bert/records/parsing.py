"""Records to tensors, and the check that names the first record that is not what its kind says."""

from collections.abc import Iterable, Mapping

import tensorflow as tf

from bert import files
from bert.errors import InputError
from bert.records.kinds import SIZES, Feature, RecordKind
from bert.records.storage import read

Values = dict[str, list[int] | list[float]]


def parse(kind: RecordKind, serialized: tf.Tensor, sizes: Mapping[str, int]) -> dict[str, tf.Tensor]:
    """Parses a batch of serialized records [B] into int32 or float32 tensors [B, length]; in graph operations.

    `sizes` gives the numbers behind the letters; a limit that it does not give is not checked. A record of other
    lengths, or with a value out of range, is a tf.errors.InvalidArgumentError: a GPU would read zeros where there is
    no embedding, and tell nobody. `check_all` says which record it is.
    """
    lengths = {feature.name: _size(feature.length, sizes) for feature in kind.features}
    dtypes = {feature.name: tf.float32 if feature.is_float else tf.int64 for feature in kind.features}
    parsed = tf.io.parse_example(
        serialized, {name: tf.io.FixedLenFeature([lengths[name]], dtypes[name]) for name in lengths}
    )
    for feature in kind.features:
        limit = _size(feature.limit, sizes)
        if not feature.is_float and isinstance(limit, int):
            values = parsed[feature.name]
            tf.debugging.Assert(tf.reduce_all((values >= 0) & (values < limit)), [feature.name, "out of range"])
    return {name: tf.cast(value, tf.int32) if value.dtype == tf.int64 else value for name, value in parsed.items()}


def _size(size: str | int, sizes: Mapping[str, int]) -> str | int:
    """The number behind a letter; numbers, and letters without one, as they are."""
    return sizes.get(size, size) if isinstance(size, str) else size


def values_of(serialized: bytes) -> Values:
    """The features of one record, whatever its kind. Raises ValueError where it is no tf.train.Example."""
    try:
        features = tf.train.Example.FromString(serialized).features.feature
    except Exception:  # protobuf's DecodeError lives in a private module in some releases
        raise ValueError("no tf.train.Example") from None
    return {
        name: list(feature.float_list.value or feature.int64_list.value) for name, feature in sorted(features.items())
    }


def check_first(kind: RecordKind, path: str, sizes: Mapping[str, int]) -> bool:
    """Checks the first record of a file; returns whether there is one.

    Raises InputError naming the file, the feature, the option and both values. A damaged file is named too.
    """
    files.check_readable(path, f"{kind.name} records")
    first = next(read(path), None)
    if first is not None:
        check_record(kind, first, sizes, f"{path}: record 0")
    return first is not None


def check_all(kind: RecordKind, paths: Iterable[str], sizes: Mapping[str, int]) -> None:
    """Raises InputError for the first record of the files that is damaged, of other lengths or out of range."""
    for path in paths:
        for number, serialized in enumerate(read(path)):
            check_record(kind, serialized, sizes, f"{path}: record {number}")


def check_record(kind: RecordKind, serialized: bytes, sizes: Mapping[str, int], where: str) -> None:
    """Raises InputError, opening with `where`, for a record that is not of this kind and these sizes."""
    try:
        found = values_of(serialized)
    except ValueError as error:
        raise InputError(f"{where}: is {error}, expected a {kind.name} record") from None
    for feature in kind.features:
        if feature.name not in found:
            raise InputError(f"{where}: has no feature '{feature.name}', expected a {kind.name} record")
        _check_values(feature, found[feature.name], sizes, where)


def _check_values(feature: Feature, values: list[int] | list[float], sizes: Mapping[str, int], where: str) -> None:
    length, limit = _size(feature.length, sizes), _size(feature.limit, sizes)
    if len(values) != length:
        asked = f"{SIZES[feature.length]}={length}" if feature.length in SIZES else length
        raise InputError(f"{where}: '{feature.name}' has {len(values)} values, expected {asked}")
    if not feature.is_float and isinstance(limit, int):
        wrong = next((value for value in values if not 0 <= value < limit), None)
        if wrong is not None:
            asked = f" ({SIZES[feature.limit]} is {limit})" if feature.limit in SIZES else ""
            raise InputError(f"{where}: '{feature.name}' holds {wrong}, expected 0 to {limit - 1}{asked}")
