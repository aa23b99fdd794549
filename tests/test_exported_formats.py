"""Ids in three programs, TensorFlow's loader, onnxruntime and LiteRT: the logits of the model as it is trained."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bert import stored_model
from bert.options.pooling import PoolingOptions
from bert.prediction.vectors import pooled_vectors
from tests import commands, export_folders
from tests.test_exporting import export

KINDS = ("class", "tagging", "questions", "pretraining", "encoder")
SIZES = ((1, 2), (3, 17), (2, 32))


@pytest.fixture(scope="module", params=[*KINDS, "exact"])
def folder(request, tmp_path_factory):
    """A model of each kind; `exact` has the activation of Hugging Face's models."""
    place = tmp_path_factory.mktemp("model") / request.param
    if request.param == "exact":
        return export_folders.write(place, "class", hidden_act="gelu_exact")
    return export_folders.write(place, request.param)


@pytest.fixture(scope="module")
def batches(folder):
    """Batches, and what the model as it is trained makes of them."""
    model = stored_model.read(str(folder)).build()
    found = []
    for rows, length in SIZES:
        batch = export_folders.batch(rows, length, positions=3 if folder.name == "pretraining" else 0)
        tensors = {name: tf.constant(values) for name, values in batch.items()}
        if folder.name == "encoder":
            outputs = {"vector": pooled_vectors(model, tensors, PoolingOptions())}
        else:
            outputs = model(tensors)
        found.append((batch, {name: value.numpy() for name, value in outputs.items()}))
    return found


def check(run, batches) -> None:
    for batch, expected in batches:
        found = run(batch)
        assert set(found) == set(expected)
        for name, values in expected.items():
            assert len(found[name]) == len(batch["input_ids"])
            np.testing.assert_allclose(found[name], values.reshape(found[name].shape), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def saved_model(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("saved") / "1"
    outcome = export(folder, target)
    assert outcome.status == 0, outcome.stderr
    return target


def test_the_signature_of_ids(saved_model, folder, batches):
    signatures = tf.saved_model.load(str(saved_model)).signatures
    for name in ("ids", "serving_default") if folder.name in ("questions", "pretraining") else ("ids",):
        check(lambda batch, name=name: {k: v.numpy() for k, v in signatures[name](**batch).items()}, batches)


def test_litert(saved_model, batches):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=["ids"])
    runner = tf.lite.Interpreter(model_content=converter.convert()).get_signature_runner("ids")
    check(lambda batch: runner(**batch), batches)


def test_onnx(folder, batches, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    outcome = export(folder, tmp_path / "onnx", format="onnx")
    assert (outcome.status, outcome.stdout) == (0, ""), outcome.stderr
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "model.onnx"))
    assert {tuple(value.shape) for value in session.get_inputs()} <= {("rows", "length"), ("rows", "positions")}
    names = [value.name for value in session.get_outputs()]
    check(lambda batch: dict(zip(names, session.run(None, batch), strict=True)), batches)
    files = {path.name for path in (tmp_path / "onnx").iterdir()}
    has_labels = folder.name in ("class", "tagging", "exact")
    assert files == {"model.onnx", "vocab.txt", "bert_config.json", "export.json", *(["labels.json"] * has_labels)}
    told = json.loads((tmp_path / "onnx" / "export.json").read_text())
    assert (told["max_seq_length"], told["do_lower_case"]) == (32, False)
    assert folder.name != "questions" or (told["doc_stride"], told["max_query_length"]) == (128, 64)


def test_onnx_is_an_extra(tmp_path, monkeypatch):
    folder = export_folders.write(tmp_path / "model", "class")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    error = export(folder, tmp_path / "onnx", format="onnx").error
    assert error == "--format=onnx needs onnx and tf2onnx, expected the extra: pip install 'bert[onnx]'"
    assert commands.listing(tmp_path / "onnx") == {}
