"""Arrays for many rows to the bytes of `tf.train.Example`, those of protobuf's deterministic serialization.

Building protocol buffers object by object takes ten times as long, so the wire format is written here directly: fields
by their tags, numbers as varints, the map sorted by key. Nothing here needs TensorFlow, so a process that only does
this starts at once.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping

import numpy as np

from bert.records.kinds import RecordKind


def serialize(kind: RecordKind, features: Mapping[str, np.ndarray]) -> list[bytes]:
    """The records of B rows: each feature of the kind is an array [B, length] of numbers."""
    parts: list[Iterable[bytes]] = []  # of each row; joined they are its features
    fixed: list[np.ndarray] = []  # matrices of bytes [B, N], not cut into rows yet: neighbours are cut at once
    for feature in kind.sorted_features:
        values = features[feature.name]
        payload = values.astype("<f4").view(np.uint8) if feature.is_float else _varints(values)
        if isinstance(payload, np.ndarray):
            start = np.frombuffer(_entry(feature.name, feature.is_float, payload.shape[1]), np.uint8)
            fixed += [np.broadcast_to(start, (len(payload), len(start))), payload]
            continue
        parts += [*_rows(fixed), [_entry(feature.name, False, size) for size in map(len, payload)], payload]
        fixed = []
    contents = map(b"".join, zip(*parts, *_rows(fixed), strict=True))
    return [b"\n" + _varint(len(content)) + content for content in contents]  # Example.features


def _rows(matrices: list[np.ndarray]) -> list[list[bytes]]:
    """The rows of some matrices side by side, in a list; an empty one without matrices."""
    if not matrices:
        return []
    matrix = np.hstack(matrices)
    return [np.frombuffer(matrix.tobytes(), f"V{matrix.shape[1]}").tolist()]


def _varints(values: np.ndarray) -> np.ndarray | list[bytes]:
    """Rows of numbers [B, N] as base-128 varints: seven bits a byte, low bits first, 128 for "more".

    Returns a matrix of bytes [B, N] when each number takes one.
    """
    values, largest = _unsigned(values)
    size = -(-largest.bit_length() // 7)
    if size <= 1:
        return values.astype(np.uint8)
    values = values.astype(np.uint32 if largest < 2**32 else np.uint64)
    encoded = np.empty((*values.shape, size), np.uint8)
    is_used = np.ones(encoded.shape, bool)
    ends = values.shape[1] * np.arange(1, len(values) + 1)
    for byte in range(size):
        rest = values >> (7 * byte)
        more = rest > 127
        encoded[:, :, byte] = (rest & 127) | (more * np.uint8(128))
        if byte < size - 1:
            is_used[:, :, byte + 1] = more
            ends += np.cumsum(np.count_nonzero(more, axis=1))
    used = encoded.reshape(-1).take(np.flatnonzero(is_used))  # faster than encoded[is_used]
    content, bounds = used.tobytes(), [0, *ends.tolist()]
    return [content[start:end] for start, end in itertools.pairwise(bounds)]


def _unsigned(values: np.ndarray) -> tuple[np.ndarray, int]:
    """The numbers as varints count them, a negative one as the 64 bits of its two's complement; and the largest."""
    if values.dtype.kind != "i":
        return values, int(values.max(initial=0))
    unsigned = values.view(values.dtype.str.replace("i", "u"))
    largest = int(unsigned.max(initial=0))
    if largest > np.iinfo(values.dtype).max:  # the sign bit of one is set
        unsigned = values.astype(np.int64).view(np.uint64)
        largest = int(unsigned.max())
    return unsigned, largest


@functools.cache
def _varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


@functools.cache
def _entry(name: str, is_float: bool, size: int) -> bytes:
    """What stands before a feature's values in the map: its key, then Feature, list and packed values with sizes."""
    packed = b"\n" + _varint(size) if size else b""  # FloatList.value, Int64List.value
    content = (b"\x12" if is_float else b"\x1a") + _varint(len(packed) + size) + packed
    key = b"\n" + _varint(len(name)) + name.encode()
    value = b"\x12" + _varint(len(content) + size) + content
    return b"\n" + _varint(len(key) + len(value) + size) + key + value
