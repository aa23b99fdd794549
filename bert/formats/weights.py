"""Weights in safetensors files, one or several with an index, read and written under Google's names."""

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from bert import files
from bert.errors import InputError
from bert.formats import names

logger = logging.getLogger(__name__)

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
PICKLES = (".bin", ".bin.index.json", ".pt", ".pth", ".pkl")
_FOLDER_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_CONSTANTS = ("position_ids", "token_type_ids")  # 0, 1, 2, ... and 0, 0, 0, ...: no weights
_DECODER = "cls.predictions.decoder.weight"
_DECODER_BIAS = "cls.predictions.decoder.bias"
_FLOATS = ("F64", "F32", "F16", "BF16")


class Tensor(NamedTuple):
    """A tensor of a file: where it lies, its own name, and its place in Google's checkpoint."""

    path: str
    name: str
    place: names.Place
    shape: tuple[int, ...]


def is_safetensors(path: str) -> bool:
    """Whether the name is that of a safetensors file or of the index of several."""
    return path.endswith((".safetensors", ".safetensors.index.json"))


def find(path: str, option: str = "init_checkpoint") -> str | None:
    """The weights that `path` means, a safetensors file, an index, or the folder of one; None for anything else.

    Raises InputError for a file that is missing, and for a pickle, which runs code of its own when it is read.
    """
    if is_safetensors(path):
        files.check_readable(path, f"`{option}`")
        return path
    if files.is_folder(path) and not files.exists(os.path.join(path, "checkpoint")):
        for name in (WEIGHTS_FILE, INDEX_FILE):
            if files.exists(os.path.join(path, name)):
                return os.path.join(path, name)
        pickles = [name for name in _FOLDER_PICKLES if files.exists(os.path.join(path, name))]
        if pickles:
            raise _refused(os.path.join(path, pickles[0]))
    if path.endswith(PICKLES) and not files.exists(f"{path}.index"):
        files.check_readable(path, f"`{option}`")
        raise _refused(path)
    return None


def read_shapes(path: str) -> dict[str, tuple[int, ...]]:
    """Google name -> shape, as it is there, of the weights in a file or behind an index. Raises InputError."""
    tensors = _tensors(path)
    if _DECODER in tensors and _is_tied(tensors):
        del tensors[_DECODER]
    return {name: _shape(tensor) for name, tensor in tensors.items()}


def read_values(path: str, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """The values of the given Google names, as float32. Raises InputError for a damaged file."""
    tensors = _tensors(path)
    by_file: dict[str, list[str]] = {}
    for name in wanted:
        by_file.setdefault(tensors[name].path, []).append(name)
    values = {}
    for part, part_names in by_file.items():
        with _opened(part) as reader:
            for name in part_names:
                value = reader.get_tensor(tensors[name].name).astype(np.float32)
                values[name] = tensors[name].place.put(value)
    return values


def write(path: str, values: Mapping[str, np.ndarray]) -> None:
    """Writes values given by Google's names under Hugging Face's, atomically. Raises OSError for a full disk."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    places = {name: names.to_huggingface(name) for name in values}
    tensors = {places[name].name: places[name].put(value) for name, value in values.items()}
    with files.replaced(path) as temporary:
        files.open_binary(temporary, "wb").close()
        mode = os.stat(temporary).st_mode
        try:
            save_file(tensors, temporary, metadata={"format": "pt"})  # transformers reads no file without it
        except SafetensorError as error:
            raise OSError(f"{path}: cannot be written: {error}") from error
        os.chmod(temporary, mode)  # what a new file may be read by; save_file lets only its owner read


def _refused(path: str) -> InputError:
    return InputError(
        f"{path}: a pickle, which can run any code when it is read; expected {WEIGHTS_FILE}. Convert it where you "
        "trust it: transformers' AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER, safe_serialization=True)"
    )


def _tensors(path: str) -> dict[str, Tensor]:
    """Google name -> tensor. Of the files only the headers are read."""
    tensors = {}
    for part in _parts(path):
        with _opened(part) as reader:
            for name in reader.keys():  # noqa: SIM118, it is no dict
                header = reader.get_slice(name)
                if name.rsplit(".", 1)[-1] in _CONSTANTS:
                    continue
                if header.get_dtype() not in _FLOATS:
                    raise InputError(f"{part}: {name} is {header.get_dtype()}, expected one of {', '.join(_FLOATS)}")
                place = names.to_google(name)
                tensors[place.name] = Tensor(part, name, place, tuple(header.get_shape()))
    if _DECODER_BIAS in tensors:  # the same bias under its second name
        bias = tensors.pop(_DECODER_BIAS)
        tensors.setdefault("cls/predictions/output_bias", bias)
    return tensors


def _parts(path: str) -> list[str]:
    """The files that hold the weights. Raises InputError for an index without a map, or a file it names in vain."""
    if not path.endswith(".index.json"):
        return [path]
    weight_map = files.read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(f"{path}: 'weight_map' is {weight_map!r}, expected tensor names with the files they are in")
    parts = [os.path.join(os.path.dirname(path), os.path.basename(str(name))) for name in weight_map.values()]
    parts = sorted(set(parts))
    for part in parts:
        files.check_readable(part, path)
    return parts


@contextlib.contextmanager
def _opened(path: str) -> Iterator:
    """A safetensors file, open for reading. Raises InputError for one that is damaged, no regular file, or on another
    machine."""
    import ml_dtypes  # noqa: F401, it is where numpy has bfloat16 from
    from safetensors import SafetensorError, safe_open

    if files.is_remote(path):
        raise InputError(f"{path}: safetensors files are read from a local disk only; copy the folder there")
    files.check_readable(path)  # a pipe would be waited for
    try:
        with safe_open(path, framework="numpy") as reader:
            yield reader
    except SafetensorError as error:
        raise InputError(f"{path}: damaged, or no safetensors file: {error}") from None


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tensor.shape[::-1] if tensor.place.is_transposed else tensor.shape


def _is_tied(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the masked LM's output matrix, which some files hold, is the word embedding table; warns if not."""
    pair = [tensors.get(name) for name in (_DECODER, "bert/embeddings/word_embeddings")]
    values = []
    for tensor in filter(None, pair):
        with _opened(tensor.path) as reader:
            values.append(reader.get_tensor(tensor.name))
    tied = len(values) == 2 and np.array_equal(*values)
    if not tied:
        logger.warning(
            "%s: %s is not the word embedding table; the masked LM here reads that table, so its scores are others.",
            tensors[_DECODER].path,
            _DECODER,
        )
    return tied
