"""Plans to records: arrays for many instances at once, then the bytes of `tf.train.Example`, then those of TFRecord.

`records.PRETRAINING` is the contract; building protocol buffers object by object takes ten times as long, so the wire
format is written here directly: fields by their tags, numbers as varints, the map sorted by key. The tests hold both
to the same bytes. Nothing here needs TensorFlow, so a process that only does this starts at once.
"""

import functools
import itertools
import struct
from collections.abc import Sequence

import numpy as np

from bert.masking import KEEP
from bert.pretraining_data.plans import A_START, A_STOP, B_START, B_STOP, IS_RANDOM_NEXT, MASKED, NOTHING

# Those of `records.PRETRAINING`, sorted by name, as deterministic serialisation orders a map.
_FEATURES = (
    "input_ids",
    "input_mask",
    "masked_lm_ids",
    "masked_lm_positions",
    "masked_lm_weights",
    "next_sentence_labels",
    "segment_ids",
)


class PlanReader:
    """Turns plans into the features of `records.PRETRAINING`.

    Args:
      tokens: int32 [T], the corpus the plans point into.
      cls_id, sep_id: ids of [CLS] and [SEP].
      max_seq_length: S.
    """

    def __init__(self, tokens: np.ndarray, cls_id: int, sep_id: int, max_seq_length: int):
        self._tokens = tokens
        self._cls_id, self._sep_id = cls_id, sep_id
        self._places = np.arange(max_seq_length, dtype=np.int32)

    def features(self, plans: np.ndarray) -> dict[str, np.ndarray]:
        """uint64 [B, 5 + P] plans -> the seven features, each [B, length]; what is 0 or 1 is bool."""
        pairs, masked = plans[:, :MASKED].astype(np.int64), np.sort(plans[:, MASKED:], axis=1)
        ids, mask, segments = self._sequences(pairs)
        is_masked = masked != NOTHING
        pieces = (masked >> 32).astype(np.int64)
        # [CLS] stands before A, [SEP] between A and B
        positions = (pieces + 1 + (pieces >= pairs[:, A_STOP, None] - pairs[:, A_START, None])) * is_masked
        labels = np.take_along_axis(ids, positions, axis=1) * is_masked
        shown = (masked & 0xFFFFFFFF).astype(np.int64)
        shown = np.where(shown == KEEP, labels, shown)
        rows = np.broadcast_to(np.arange(len(plans))[:, None], positions.shape)
        ids[rows[is_masked], positions[is_masked]] = shown[is_masked]
        return {
            "input_ids": ids,
            "input_mask": mask,
            "segment_ids": segments,
            "masked_lm_positions": positions,
            "masked_lm_ids": labels,
            "masked_lm_weights": is_masked.astype(np.float32),
            "next_sentence_labels": pairs[:, IS_RANDOM_NEXT, None] == 1,
        }

    def _sequences(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`[CLS] A [SEP] B [SEP]` padded with 0: ids int32, mask and segments bool, all [B, S]."""
        a_start, b_start = pairs[:, A_START, None], pairs[:, B_START, None]
        middle = pairs[:, A_STOP, None] - a_start + 1  # place of the first [SEP]
        end = middle + pairs[:, B_STOP, None] - b_start + 1  # and of the second
        in_b, mask = self._places > middle.astype(np.int32), self._places <= end.astype(np.int32)
        index = np.where(in_b, b_start - middle - 1, a_start - 1)
        index += self._places
        ids = self._tokens.take(index, mode="clip")
        ids *= mask
        ids[:, 0] = self._cls_id
        np.put_along_axis(ids, middle, self._sep_id, axis=1)
        np.put_along_axis(ids, end, self._sep_id, axis=1)
        return ids, mask, in_b & mask


def serialize(features: dict[str, np.ndarray]) -> list[bytes]:
    """The records of a batch of features, each the bytes `records.PRETRAINING.serialize` makes."""
    columns: list[np.ndarray | list[bytes]] = []  # matrices of bytes [B, N] where all rows have one length
    for name in _FEATURES:
        values = features[name]
        is_float = values.dtype.kind == "f"
        payload = values.astype("<f4").view(np.uint8) if is_float else _varints(values)
        if isinstance(payload, list):
            columns.append([_entry(name, is_float, len(row)) + row for row in payload])
            continue
        start = np.frombuffer(_entry(name, is_float, payload.shape[1]), np.uint8)
        entries = np.hstack([np.broadcast_to(start, (len(payload), len(start))), payload])
        if columns and isinstance(columns[-1], np.ndarray):
            columns[-1] = np.hstack([columns[-1], entries])  # two neighbours are cut into rows at once
        else:
            columns.append(entries)
    contents = map(b"".join, zip(*map(_rows, columns), strict=True))
    return [b"\n" + _varint(len(content)) + content for content in contents]  # Example.features


def _rows(column: np.ndarray | list[bytes]) -> list[bytes]:
    if isinstance(column, list):
        return column
    content, width = column.tobytes(), column.shape[1]
    return [content[start : start + width] for start in range(0, len(content), width)]


def _varints(values: np.ndarray) -> np.ndarray | list[bytes]:
    """Rows of numbers [B, N], 0 or more, as base-128 varints: seven bits a byte, low bits first, 128 for "more".

    Returns a matrix of bytes [B, N] when each number takes one.
    """
    size = -(-int(values.max(initial=0)).bit_length() // 7)
    if size <= 1:
        return values.astype(np.uint8)
    values = values.astype(np.uint32)
    encoded = np.empty((*values.shape, size), np.uint8)
    is_used = np.ones(encoded.shape, bool)
    ends = values.shape[1] * np.arange(1, len(values) + 1)
    for place in range(size):
        rest = values >> (7 * place)
        more = rest > 127
        encoded[:, :, place] = (rest & 127) | (more * np.uint32(128))
        if place < size - 1:
            is_used[:, :, place + 1] = more
            ends += np.cumsum(np.count_nonzero(more, axis=1))
    used = encoded.reshape(-1).take(np.flatnonzero(is_used))  # faster than encoded[is_used]
    content, bounds = used.tobytes(), [0, *ends.tolist()]
    return [content[start:end] for start, end in itertools.pairwise(bounds)]


@functools.cache
def _varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


@functools.cache
def _entry(name: str, is_float: bool, size: int) -> bytes:
    """What stands before a feature's values in the map: its key, then Feature, list and packed values with sizes."""
    packed = b"\n" + _varint(size)  # FloatList.value, Int64List.value
    content = (b"\x12" if is_float else b"\x1a") + _varint(len(packed) + size) + packed
    key = b"\n" + _varint(len(name)) + name.encode()
    value = b"\x12" + _varint(len(content) + size) + content
    return b"\n" + _varint(len(key) + len(value) + size) + key + value


def frame(serialized: Sequence[bytes]) -> list[bytes]:
    """Records as they stand in a TFRecord file: length, its checksum, the bytes, their checksum."""
    lengths = map(_length_field, map(len, serialized))
    return list(map(b"".join, zip(lengths, serialized, _checksums(serialized), strict=True)))


def unframe(framed: bytes) -> bytes:
    """The record in a frame."""
    return framed[12:-4]


@functools.cache
def _length_field(length: int) -> bytes:
    content = struct.pack("<Q", length)
    return content + _checksums([content])[0]


def _checksums(contents: Sequence[bytes]) -> list[bytes]:
    """The masked CRC-32C of each content of four bytes or more; of all at once, four bytes of each a step."""
    width = -(-max(map(len, contents)) // 4) * 4
    padded = np.array([width - len(content) for content in contents])
    joined = bytearray().join([content.rjust(width, b"\0") for content in contents])
    rows = np.frombuffer(joined, np.uint8).reshape(-1, width)
    # Zeros in front change nothing in a register of 0; that it begins as ~0 is made up by the first four bytes.
    rows[np.arange(len(rows))[:, None], padded[:, None] + np.arange(4)] ^= 0xFF
    steps = rows.view("<u4").T.copy()
    low_table, high_table = _crc_tables()
    register = np.zeros(len(contents), np.uint32)
    for step in steps:
        register ^= step
        register = low_table.take(register & 0xFFFF) ^ high_table.take(register >> 16)
    crc = ~register
    masked = ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)  # so that checksums of checksums stay sound
    return _rows(masked.astype("<u4").view(np.uint8).reshape(-1, 4))


@functools.cache
def _crc_tables() -> tuple[np.ndarray, np.ndarray]:
    """What the low and the high half of the register become by 32 more bits of CRC-32C."""
    table = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(0x82F63B78), np.uint32(0))
    return table[table & 0xFFFF] ^ (table >> 16), table
