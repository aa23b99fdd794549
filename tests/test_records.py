"""Records of every kind: the bytes of protobuf, the files of TensorFlow, and what a damaged file does."""

import pathlib
import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bert import records
from bert.errors import InputError
from bert.records import documentation, frames, parsing
from bert.records.serialization import serialize

ROOT = pathlib.Path(__file__).parent.parent
INTEGERS = {np.dtype(name): np.iinfo(name) for name in ("int32", "int64", "uint8", "uint32", "uint64")}
BORDERS = [0, 1, 127, 128, 16383, 16384, 2**31 - 1, 2**31, 2**32, 2**63 - 1, -1, -128, -(2**31), -(2**63)]


def protobuf(kind: records.RecordKind, features: dict[str, np.ndarray], row: int) -> bytes:
    """A record as protocol buffers make it."""
    example = tf.train.Example()
    for feature in kind.features:
        content = example.features.feature[feature.name]
        numbers = content.float_list if feature.is_float else content.int64_list
        numbers.value.extend((features[feature.name][row] + 0).tolist())  # + 0: of bool, ints
        numbers.SetInParent()
    return example.SerializeToString(deterministic=True)


@st.composite
def batches(draw) -> tuple[records.RecordKind, dict[str, np.ndarray]]:
    """A kind and rows of it, with numbers of any size in arrays of any type."""
    kind, rows = draw(st.sampled_from(records.KINDS)), draw(st.integers(1, 4))
    sizes = {letter: draw(st.integers(0, 200)) for letter in "SPC"}
    features = {}
    for feature in kind.features:
        shape = (rows, sizes.get(feature.length, feature.length))
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        if feature.is_float:
            features[feature.name] = rng.normal(size=shape).astype(np.float32)
            continue
        dtype = draw(st.sampled_from([np.dtype(bool), *INTEGERS]))
        limits = INTEGERS.get(dtype)
        low, high = (0, 1) if limits is None else (limits.min, min(limits.max, 2**63 - 1))
        chosen = [value for value in draw(st.lists(st.sampled_from(BORDERS), min_size=1)) if low <= value <= high]
        features[feature.name] = rng.choice(np.array(chosen or [low], dtype), shape)
    return kind, features


@settings(deadline=None)
@given(batches())
def test_bytes_are_those_of_protobuf(batch):
    kind, features = batch
    found = serialize(kind, features)
    assert found == [protobuf(kind, features, row) for row in range(len(found))]
    assert len(found) == len(features["input_ids"])


def test_frames_are_those_of_tensorflow(tmp_path):
    rng = random.Random(1)
    contents = [rng.randbytes(size) for size in (0, 1, 2, 3, 4, 5, 6, 7, 8, 1000, *range(50, 300, 7))]
    path = str(tmp_path / "out")
    with tf.io.TFRecordWriter(path) as writer:
        for content in contents:
            writer.write(content)
    framed = frames.frame(contents)
    assert b"".join(framed) == (tmp_path / "out").read_bytes()
    assert list(map(frames.unframe, framed)) == list(records.read(path)) == contents
    assert records.count(path) == len(contents)


def test_importing_the_records_needs_no_tensorflow():
    modules = ("records", "records.rows", "records.documentation", "pretraining_data.plan_reader", "tasks.label_kinds")
    program = f"import sys, {', '.join(f'bert.{name}' for name in modules)}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_the_page_about_records_is_that_of_the_declarations():
    assert (ROOT / "docs" / "records.md").read_text(encoding="utf-8") == documentation.describe()


@pytest.fixture
def path(tmp_path) -> str:
    """A file of ten records of 48 bytes or so."""
    shape = [10, 1]
    features = {feature.name: np.arange(10).reshape(shape) % 2 for feature in records.CLASSIFIER.features}
    records.write_rows(str(tmp_path / "rows"), records.CLASSIFIER, [features])
    return str(tmp_path / "rows")


def spoiled(path: str, number: int, length: int, tail: int = 0) -> None:
    """Gives a record another length with the checksum that belongs to it."""
    content = bytearray(pathlib.Path(path).read_bytes())
    size = len(content) // 10
    content[number * size : number * size + 12] = frames.header(length)
    pathlib.Path(path).write_bytes(content[: len(content) - tail])


@pytest.mark.parametrize("length", [2**20, 2**40, 2**60, 2**63, 2**64 - 1])
def test_a_length_beyond_the_file_is_told(path, length):
    spoiled(path, 7, length)
    for reader in (records.count, lambda path: list(records.read(path))):
        with pytest.raises(InputError, match=r"rows: record 7 is damaged or cut off$"):
            reader(path)
    assert len([*zip(range(7), records.read(path), strict=False)]) == 7
    with pytest.raises(InputError, match="record 7 is damaged"):
        parsing.check_all(records.CLASSIFIER, [path], {"S": 1})


@pytest.mark.parametrize("place", [0, 8, 11])
def test_a_damaged_header_is_told(path, place):
    content = bytearray(pathlib.Path(path).read_bytes())
    content[place] ^= 1
    pathlib.Path(path).write_bytes(content)
    with pytest.raises(InputError, match="record 0 is damaged, or this is no TFRecord file"):
        records.count(path)


@pytest.mark.parametrize("tail", [1, 4, 5, 40])
def test_a_file_that_is_cut_off_is_told(path, tail):
    content = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(content[:-tail])
    with pytest.raises(InputError, match="record 9 is damaged or cut off"):
        records.count(path)


def test_damage_in_a_record_is_told_by_its_checksum(path):
    content = bytearray(pathlib.Path(path).read_bytes())
    content[3 * len(content) // 10 + 20] ^= 1
    pathlib.Path(path).write_bytes(content)
    assert records.count(path) == 10
    found = []
    with pytest.raises(InputError, match="record 3 is damaged or cut off"):
        found.extend(records.read(path))


def test_a_failed_write_leaves_no_file(tmp_path):
    def failing():
        yield {feature.name: np.zeros([3, 1], int) for feature in records.CLASSIFIER.features}
        raise InputError("a bad label")

    with pytest.raises(InputError, match="a bad label"):
        records.write_rows(str(tmp_path / "rows"), records.CLASSIFIER, failing())
    assert list(tmp_path.iterdir()) == []


def test_large_records_are_read_one_by_one(tmp_path):
    """A large one among small ones: all padded to its length would not fit into memory."""
    contents = [b"a" * 10] * 1000 + [b"b" * 3_000_000] + [b"c" * 10] * 1000
    (tmp_path / "rows").write_bytes(b"".join(frame for content in contents for frame in frames.frame([content])))
    assert list(records.read(str(tmp_path / "rows"))) == contents


def test_parsing_gives_int32_and_refuses_what_is_out_of_range():
    features = {
        feature.name: np.full([2, 3 if feature.length == "S" else 1], 1) for feature in records.TAGGING.features
    }
    sizes = {"S": 3, "V": 10, "T": 2, "C": 2}
    parsed = parsing.parse(records.TAGGING, serialize(records.TAGGING, features), sizes)
    assert {name: value.numpy().tolist() for name, value in parsed.items()} == {
        name: values.tolist() for name, values in features.items()
    }
    assert {value.dtype for value in parsed.values()} == {tf.int32}
    features["label_ids"][1, 2] = 2
    serialized = serialize(records.TAGGING, features)
    with pytest.raises(tf.errors.InvalidArgumentError):
        parsing.parse(records.TAGGING, serialized, sizes)
    with pytest.raises(InputError, match=r"^x: 'label_ids' holds 2, expected 0 to 1 \(number of labels is 2\)$"):
        parsing.check_record(records.TAGGING, serialized[1], sizes, "x")
    with pytest.raises(InputError, match=r"^x: 'input_ids' has 3 values, expected `max_seq_length`=4$"):
        parsing.check_record(records.TAGGING, serialized[1], {**sizes, "S": 4}, "x")
