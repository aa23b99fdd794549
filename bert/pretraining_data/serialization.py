"""Plans to records: arrays for many instances at once, then the bytes of `tf.train.Example`.

`records.PRETRAINING` is the contract; building protocol buffers object by object takes ten times as long, so the wire
format is written here directly: fields by their tags, numbers as varints, the map sorted by key. The tests hold both
to the same bytes.
"""

import functools
from collections.abc import Iterator

import numpy as np

from bert import records
from bert.masking import KEEP
from bert.pretraining_data.instances import A_START, A_STOP, B_START, B_STOP, IS_RANDOM_NEXT, MASKED
from bert.tokenization import Vocabulary

# Sorted by name, as deterministic serialisation orders a map.
_FEATURES = sorted(records.PRETRAINING.features, key=lambda feature: feature.name)


class PlanReader:
    """Turns plans into the features of `records.PRETRAINING`.

    Args:
      tokens: int32 [T], the corpus the plans point into.
      vocabulary: for the ids of [CLS] and [SEP].
      max_seq_length: S.
    """

    def __init__(self, tokens: np.ndarray, vocabulary: Vocabulary, max_seq_length: int):
        self._tokens = tokens
        self._cls_id, self._sep_id = vocabulary.cls_id, vocabulary.sep_id
        self._places = np.arange(max_seq_length)

    def features(self, plans: np.ndarray) -> dict[str, np.ndarray]:
        """uint64 [B, 5 + P] plans -> the seven features, each [B, length]."""
        pairs, entries = plans[:, :MASKED].astype(np.int64), plans[:, MASKED:]
        ids, mask, segments = self._sequences(pairs)
        positions = (entries >> 32).astype(np.int64)  # [B, P]
        is_masked = positions > 0  # [CLS] at 0 is never hidden
        labels = np.take_along_axis(ids, positions, axis=1) * is_masked
        shown = (entries & 0xFFFFFFFF).astype(np.int64)
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
            "next_sentence_labels": pairs[:, IS_RANDOM_NEXT, None],
        }

    def _sequences(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`[CLS] A [SEP] B [SEP]` padded with 0: ids, mask and segments, int64 [B, S]."""
        places = self._places[None, :]
        a_start, b_start = pairs[:, A_START, None], pairs[:, B_START, None]
        middle = pairs[:, A_STOP, None] - a_start + 1  # place of the first [SEP]
        end = middle + pairs[:, B_STOP, None] - b_start + 1  # and of the second
        in_b = places > middle
        source = places + np.where(in_b, b_start - middle - 1, a_start - 1)
        ids = self._tokens.take(source, mode="clip").astype(np.int64)
        mask = places <= end
        ids *= mask
        ids[:, 0] = self._cls_id
        np.put_along_axis(ids, middle, self._sep_id, axis=1)
        np.put_along_axis(ids, end, self._sep_id, axis=1)
        return ids, mask.astype(np.int64), (in_b & mask).astype(np.int64)


def serialize(features: dict[str, np.ndarray]) -> Iterator[bytes]:
    """The records of a batch of features, each the bytes `records.PRETRAINING.serialize` makes."""
    columns = []
    for feature in _FEATURES:
        payloads = _floats(features[feature.name]) if feature.kind == "float" else _varints(features[feature.name])
        columns.append([_entry(feature.name, feature.kind, len(payload)) + payload for payload in payloads])
    for entries in zip(*columns, strict=True):
        content = b"".join(entries)
        yield b"\n" + _varint(len(content)) + content  # Example.features


def _floats(values: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in values.astype("<f4")]


def _varints(values: np.ndarray) -> list[bytes]:
    """Rows of numbers [B, N], 0 or more, as base-128 varints: seven bits a byte, low bits first, 128 for "more"."""
    size = max(1, -(-int(values.max(initial=0)).bit_length() // 7))
    if size == 1:
        encoded, width = values.astype(np.uint8).tobytes(), values.shape[1]
        return [encoded[start : start + width] for start in range(0, len(encoded), width)]
    rest = values[:, :, None] >> (7 * np.arange(size))  # [B, N, size]
    is_used = rest > 0
    is_used[:, :, 0] = True
    more = np.zeros_like(is_used)
    more[:, :, :-1] = is_used[:, :, 1:]
    encoded = ((rest & 127) | (more << 7)).astype(np.uint8)[is_used].tobytes()
    ends = np.cumsum(is_used.sum(axis=(1, 2))).tolist()
    return [encoded[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@functools.cache
def _varint(number: int) -> bytes:
    return _varints(np.array([[number]]))[0]


@functools.cache
def _entry(name: str, kind: str, size: int) -> bytes:
    """What stands before the values of a feature in the map: key, then Feature, list and packed values with their sizes."""
    packed = b"\n" + _varint(size)  # FloatList.value, Int64List.value
    content = (b"\x12" if kind == "float" else b"\x1a") + _varint(len(packed) + size) + packed
    key = b"\n" + _varint(len(name)) + name.encode()
    value = b"\x12" + _varint(len(content) + size) + content
    return b"\n" + _varint(len(key) + len(value) + size) + key + value
