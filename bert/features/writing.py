"""Features to files: JSON lines as the original writes them (docs/parity.md 3), or one array in an .npz file.

Both are written as they come, so that memory does not grow with the output.
"""

import contextlib
import gzip
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Protocol

import numpy as np

from bert import files
from bert.features.extractor import Extractor, Features
from bert.features.options import NPZ

ARRAY = "vectors"  # the name of the array in an .npz file
_DECIMALS = 6


class Writer(Protocol):
    def write(self, number: int, features: Features) -> None:
        """Takes up the features of the line with this number; the lines come in their order."""


@contextlib.contextmanager
def open_writer(path: str, extractor: Extractor, count: int) -> Iterator[Writer]:
    """A writer for `count` lines; the file appears under its name when all of them are in it."""
    with files.replaced(path) as temporary, files.named(path), files.open_binary(temporary, "wb") as file:
        if extractor.options.output_format == NPZ:
            with _array_in_zip(file, (count, extractor.width), is_seekable=not files.is_remote(path)) as array:
                yield _VectorWriter(array)
        elif path.endswith(".gz"):
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
                yield _LineWriter(packed, extractor)
        else:
            yield _LineWriter(file, extractor)


class _LineWriter:
    """`{"linex_index": 0, "features": [...]}`, with a pooling `{"linex_index": 0, "values": [...]}`."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, extractor: Extractor) -> None:
        self._file, self._tokens = file, extractor.tokens
        self._layers, self._is_pooled = extractor.options.layer_numbers, extractor.options.is_pooled

    def write(self, number: int, features: Features) -> None:
        values = np.round(features.values.astype(np.float64), _DECIMALS).tolist()
        content = {"values": values} if self._is_pooled else {"features": self._pieces(features.ids, values)}
        self._file.write(json.dumps({"linex_index": number, **content}).encode() + b"\n")

    def _pieces(self, ids: np.ndarray, values: list[list[list[float]]]) -> list[dict]:
        return [
            {"token": self._tokens[index], "layers": self._layers_of(vectors)}
            for index, *vectors in zip(ids, *values, strict=True)
        ]

    def _layers_of(self, vectors: Sequence[list[float]]) -> list[dict]:
        layers = zip(self._layers, vectors, strict=True)
        return [{"index": layer, "values": vector} for layer, vector in layers]


class _VectorWriter:
    """Rows of the array."""

    def __init__(self, array: IO[bytes]) -> None:
        self._array = array

    def write(self, number: int, features: Features) -> None:
        self._array.write(features.values.astype("<f4").tobytes())


class _Unseekable:
    """A remote file, which zipfile may only append to."""

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.flush = file.write, file.flush


@contextlib.contextmanager
def _array_in_zip(file: IO[bytes], shape: tuple[int, int], is_seekable: bool) -> Iterator[IO[bytes]]:
    """An .npz file with one float32 array of this shape, whose values are to be written into what is given."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    target = file if is_seekable else _Unseekable(file)
    # Neither packed, which would gain little, nor dated, so that equal vectors are equal bytes.
    name = zipfile.ZipInfo(f"{ARRAY}.npy")
    with zipfile.ZipFile(target, "w") as archive, archive.open(name, "w", force_zip64=True) as array:  # type: ignore
        np.lib.format.write_array_header_1_0(array, header)
        yield array
