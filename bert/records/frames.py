"""Records as they stand in a TFRecord file: length, its checksum, the bytes, their checksum. Needs no TensorFlow.

A checksum is CRC-32C, masked so that checksums of checksums stay sound.
"""

import functools
import struct
from collections.abc import Sequence

import google_crc32c

HEADER = 12  # bytes before the record: 8 of its length, 4 of the length's checksum
FOOTER = 4  # bytes behind it


def frame(serialized: Sequence[bytes]) -> list[bytes]:
    """Records with what stands around them in a file; the files' content is the frames joined."""
    return [header(len(content)) + content + checksum(content) for content in serialized]


def unframe(framed: bytes) -> bytes:
    """The record in a frame."""
    return framed[HEADER:-FOOTER]


@functools.cache
def header(length: int) -> bytes:
    """What stands before a record of so many bytes."""
    content = struct.pack("<Q", length)
    return content + checksum(content)


def checksum(content: bytes) -> bytes:
    """The masked checksum."""
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")
