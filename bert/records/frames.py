"""Records as they stand in a TFRecord file: length, its checksum, the bytes, their checksum. Needs no TensorFlow.

A checksum is CRC-32C, masked so that checksums of checksums stay sound. Those of many records are taken together, four
bytes of each a step.
"""

import functools
import struct
from collections.abc import Sequence

import numpy as np

HEADER = 12  # bytes before the record: 8 of its length, 4 of the length's checksum
FOOTER = 4  # bytes behind it

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, lowest bit first


def frame(serialized: Sequence[bytes]) -> list[bytes]:
    """Records with what stands around them in a file; the files' content is the frames joined."""
    return list(map(b"".join, zip(map(header, map(len, serialized)), serialized, checksums(serialized), strict=True)))


def unframe(framed: bytes) -> bytes:
    """The record in a frame."""
    return framed[HEADER:-FOOTER]


@functools.cache
def header(length: int) -> bytes:
    """What stands before a record of so many bytes."""
    content = struct.pack("<Q", length)
    return content + checksums([content])[0]


def checksums(contents: Sequence[bytes]) -> list[bytes]:
    """The masked checksum of each content. All are padded to the longest, so lengths should be alike."""
    if not contents:
        return []
    # Zeros in front change nothing in a register of 0, and then _START makes it the ~0 it has to begin with.
    width = -(-(len(_START) + max(map(len, contents))) // 4) * 4
    joined = b"".join([(_START + content).rjust(width, b"\0") for content in contents])
    steps = np.frombuffer(joined, "<u4").reshape(-1, width // 4).T.copy()
    low_table, high_table = _tables()
    register = np.zeros(len(contents), np.uint32)
    for step in steps:
        register ^= step
        register = low_table.take(register & 0xFFFF) ^ high_table.take(register >> 16)
    crc = ~register
    masked = ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
    content = masked.astype("<u4").tobytes()
    return [content[start : start + 4] for start in range(0, len(content), 4)]


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """What the low and the high half of the register become by 32 more bits of CRC-32C."""
    table: np.ndarray = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table[table & 0xFFFF] ^ (table >> 16), table


def _start() -> bytes:
    """The four bytes that make a register of 0 one of ~0: 32 bits of CRC-32C, undone."""
    register = 0xFFFFFFFF
    for _ in range(32):
        register = ((register ^ _POLYNOMIAL) << 1 | 1) if register >> 31 else register << 1
    return struct.pack("<I", register)


_START = _start()
