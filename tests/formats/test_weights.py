"""Weights of Hugging Face folders: the same answers as transformers, however they are named and stored."""

import json
import logging
import re

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert import checkpoint
from bert.errors import InputError
from bert.formats import names, weights
from tests.formats import folders

POOLER = ("bert/pooler/dense/kernel", "bert/pooler/dense/bias")


@pytest.mark.parametrize(
    ("head", "missing"), [("pretraining", ()), ("classifier", ()), ("tagger", POOLER), ("squad", POOLER)]
)
def test_the_answers_are_those_of_transformers(head, missing):
    model, report = folders.started(head)
    assert (report.missing, report.unused) == (missing, ())
    assert folders.largest_difference(head, model) < 1e-5


def test_the_tanh_gelu_would_answer_otherwise(tmp_path):
    """So the test above can tell the two; the same for the epsilon of the normalization."""
    for key, value in {"hidden_act": "gelu_new", "layer_norm_eps": 1e-12}.items():
        folder = folders.copy("classifier", tmp_path / key)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, key: value}))
        assert folders.largest_difference("classifier", folders.started("classifier", folder)[0]) > 1e-4


@pytest.mark.parametrize("head", folders.BUILDERS)
def test_names_come_back_and_kernels_are_turned_twice(head):
    stored = folders.tensors(head)
    for name, value in stored.items():
        there = names.to_google(name)
        back = names.to_huggingface(there.name)
        assert there.name != name
        assert back == (name, there.is_transposed)
        assert np.array_equal(back.put(there.put(value)), value)
        assert there.put(value).flags.c_contiguous


def test_names_that_no_rule_knows_stay():
    for name in ("pre_classifier.weight", "classifier.dense.weight", "crf.transitions", "cls.predictions.decoder.bias"):
        assert names.to_google(name) == (name, False)
    for name in ("new_head/kernel", "global_step", "cls/other/bias"):
        assert names.to_huggingface(name) == (name, False)


def rewrite(folder, change) -> None:
    """Writes the tensors of a folder anew, each as `change(name, value)` says."""
    stored = load_file(folder / "model.safetensors")
    save_file(dict(change(*item) for item in stored.items()), folder / "model.safetensors")


def old_names(name: str, value: np.ndarray):
    name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    return name, value


CHANGES = {
    "without bert.": lambda name, value: (name.removeprefix("bert."), value),
    "gamma and beta": old_names,
    "float64": lambda name, value: (name, value.astype(np.float64)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_names_and_types_mean_the_same(change, tmp_path):
    folder = folders.copy("classifier", tmp_path)
    rewrite(folder, change)
    assert folders.largest_difference("classifier", folders.started("classifier", folder)[0]) < 1e-5


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_cast(dtype, tmp_path):
    folder = folders.copy("classifier", tmp_path)
    rewrite(folder, lambda name, value: (name, value.astype(dtype)))
    model, _ = folders.started("classifier", folder)
    found = {variable.path: variable.numpy() for variable in model.weights}
    for name, value in folders.tensors("classifier").items():
        place = names.to_google(name)
        assert found[place.name].dtype == np.float32
        assert np.array_equal(found[place.name], place.put(value).astype(dtype).astype(np.float32))


def test_constants_are_no_weights(tmp_path):
    folder = folders.copy("classifier", tmp_path)
    stored = load_file(folder / "model.safetensors")
    positions = {"bert.embeddings.position_ids": np.arange(20)[np.newaxis]}
    save_file({**stored, **positions}, folder / "model.safetensors")
    assert folders.started("classifier", folder)[1].unused == ()


def shard(folder) -> list[str]:
    """Cuts the weights of a folder into two files with an index; returns the names of the files."""
    stored = load_file(folder / "model.safetensors")
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    where = {name: parts[index % 2] for index, name in enumerate(sorted(stored))}
    for part in parts:
        save_file({name: stored[name] for name in stored if where[name] == part}, folder / part)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return parts


def test_shards(tmp_path):
    folder = folders.copy("squad", tmp_path)
    parts = shard(folder)
    assert folders.largest_difference("squad", folders.started("squad", folder)[0]) < 1e-5
    (folder / parts[1]).unlink()
    with pytest.raises(InputError, match=f"{parts[1]} does not exist"):
        folders.started("squad", folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match="'weight_map' is None"):
        folders.started("squad", folder)


def test_the_output_matrix_of_the_masked_lm(tmp_path, caplog):
    """Stored twice it is left out in silence; another one than the word embedding table is told."""
    folder = folders.copy("pretraining", tmp_path)
    stored = load_file(folder / "model.safetensors")
    table = stored["bert.embeddings.word_embeddings.weight"]
    del stored["cls.predictions.bias"]
    bias = {"cls.predictions.decoder.bias": folders.tensors("pretraining")["cls.predictions.bias"]}
    save_file({**stored, **bias, "cls.predictions.decoder.weight": table}, folder / "model.safetensors")
    model, report = folders.started("pretraining", folder)
    assert (report.missing, report.unused, caplog.messages) == ((), (), [])
    assert folders.largest_difference("pretraining", model) < 1e-5
    save_file({**stored, **bias, "cls.predictions.decoder.weight": table + 1}, folder / "model.safetensors")
    with caplog.at_level(logging.WARNING, logger="bert"):
        _, report = folders.started("pretraining", folder)
    assert report.unused == ("cls.predictions.decoder.weight",)
    assert "is not the word embedding table" in caplog.text


def test_a_file_and_an_index_do_as_well_as_their_folder(tmp_path):
    folder = folders.copy("squad", tmp_path)
    file = str(folder / "model.safetensors")
    assert checkpoint.resolve(file) == checkpoint.resolve(str(folder)) == file
    shard(folder)
    index = str(folder / "model.safetensors.index.json")
    assert checkpoint.resolve(index) == checkpoint.resolve(str(folder)) == index


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_pickles_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"no matter what")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(InputError, match=re.escape(f"{tmp_path / name}: a pickle, ") + ".*safe_serialization=True"):
            checkpoint.resolve(str(path))


def test_damaged_files_are_told(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(InputError, match=r"`init_checkpoint`: .*model\.safetensors does not exist"):
        checkpoint.resolve(str(path))
    path.write_bytes((folders.GOLDEN / "squad" / "model.safetensors").read_bytes()[:-10])
    with pytest.raises(InputError, match="damaged, or no safetensors file"):
        checkpoint.read_shapes(str(path))
    save_file({"bert.pooler.dense.weight": np.zeros([2, 2], np.int8)}, path)
    with pytest.raises(InputError, match=r"bert\.pooler\.dense\.weight is I8, expected one of F64, F32, F16, BF16"):
        checkpoint.read_shapes(str(path))


def test_written_files_hold_what_was_given(tmp_path):
    """safetensors writes a transposed array as it lies in memory, under the other shape."""
    path = str(tmp_path / "model.safetensors")
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    weights.write(path, {"bert/pooler/dense/kernel": kernel, "output_weights": kernel.T})
    found = load_file(path)
    assert np.array_equal(found["bert.pooler.dense.weight"], kernel.T)
    assert np.array_equal(found["classifier.weight"], kernel.T)
    assert np.array_equal(weights.read_values(path, ["bert/pooler/dense/kernel"])["bert/pooler/dense/kernel"], kernel)
