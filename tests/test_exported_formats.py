"""Ids in three programs, TensorFlow's loader, onnxruntime and LiteRT: the logits of the model as it is trained."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

import bert
from bert import stored_model
from bert.errors import InputError
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
    told = "(in a checkout: pip install '.[onnx]', or pip install -r requirements-onnx.txt)"
    assert error == f"--format=onnx needs onnx and tf2onnx {told}"
    assert commands.listing(tmp_path / "onnx") == {}


ROWS = {
    "class": ["the company said no", ("after the bell", "in new trade"), "old " * 40],
    "tagging": ["the company said no", "old her"],
    "questions": [("who said no", "the company said no after the bell")],
    "encoder": ["the company said no", ("after the bell", "in new trade")],
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_folder_of_onnx_answers_as_the_one_it_is_of(kind, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    folder = export_folders.write(tmp_path / "model", kind)
    options = {"max_seq_length": 24, "do_lower_case": True}
    asked = {"max_query_length": 8} if kind == "questions" else {}
    assert export(folder, tmp_path / "onnx", format="onnx", **options).status == 0
    expected, found = (
        [prediction.as_dict() for prediction in bert.load(str(place), **given).predict(ROWS[kind])]
        for place, given in ((folder, {**options, **asked}), (tmp_path / "onnx", asked))
    )
    numbers = [np.array([*numbers_in(rows)]) for rows in (expected, found)]
    assert len(numbers[0]) == len(numbers[1]) > 2
    np.testing.assert_allclose(numbers[1], numbers[0], rtol=0, atol=1e-5)
    assert shape_of(found) == shape_of(expected)


def numbers_in(value):
    """All numbers in a prediction, in their order."""
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(part)
    elif isinstance(value, int | float):
        yield value


def shape_of(value):
    """A prediction with its floating point numbers left out: names, labels, words, places."""
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [shape_of(part) for part in value]
    return float if isinstance(value, float) else value


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("pretraining", {}, "does not give words for [MASK]"),
        ("class", {"vectors": True}, "does not give vectors"),
        ("encoder", {"pooling": "cls"}, "`pooling` is cls, but"),
    ],
)
def test_what_a_graph_of_onnx_cannot_be_asked(kind, options, message, tmp_path):
    pytest.importorskip("tf2onnx")
    folder = export_folders.write(tmp_path / "model", kind)
    assert export(folder, tmp_path / "onnx", format="onnx").status == 0
    with pytest.raises(InputError, match=re.escape(message)):
        bert.load(str(tmp_path / "onnx"), **options)


def test_damaged_folders_of_onnx(tmp_path):
    pytest.importorskip("onnxruntime")
    folder = export_folders.write(tmp_path / "onnx", "class")
    (folder / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match="but no export"):
        bert.load(str(folder))
    content = {"kind": "classification", "max_seq_length": 24, "do_lower_case": True}
    (folder / "export.json").write_text(json.dumps({**content, "kind": "poetry"}))
    with pytest.raises(InputError, match="'kind' is 'poetry'"):
        bert.load(str(folder))
    (folder / "export.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="onnxruntime cannot read it"):
        bert.load(str(folder))
