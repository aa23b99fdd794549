"""bert export_model: SavedModels asked in a process that knows TensorFlow alone, their files, and what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import bert
from bert import stored_model
from bert.exporting.classification import ExportedClassifier
from tests import commands, export_folders, trained

LENGTH = 24
TEXTS = [
    "the company said",
    "",
    "Élan naïve COMPANY",
    "中文 the 中国人",
    "the new trade group " * 30,
    "a\u3000b \x01 \u200b c",
    "[SEP] [MASK] don't!",
    *trained.texts(10),
]
SECOND = ["", "said no", "", "new", "after the bell " * 20, *trained.texts(len(TEXTS) - 5, seed=3)]
WITH_TEXTS = ("class", "multilabel", "regression", "tagging", "encoder")
ASK = """
import json, sys
import tensorflow as tf
import tensorflow_text  # the operations of the tokenizer
assert "bert" not in sys.modules
answers = {}
for name, folder, inputs in json.load(sys.stdin):
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    outputs = signature(**{key: tf.constant(value) for key, value in inputs.items()})
    answers[name] = {key: value.numpy().tolist() for key, value in outputs.items()}
assert not [module for module in sys.modules if module.split(".")[0] == "bert"]
json.dump(answers, sys.stdout, default=bytes.decode)
"""


def export(folder, target, **flags) -> commands.Outcome:
    return commands.run("bert.commands.export_model", model_dir=folder, export_dir=target, **flags)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Name -> the folder of a model; of that name the export is `exported`."""
    place = tmp_path_factory.mktemp("models")
    kinds = {kind: export_folders.write(place / kind, kind) for kind in WITH_TEXTS}
    kinds["pairs"] = export_folders.write(place / "pairs", "class", {"pairs": True, "truncation": "head_tail"})
    return kinds


@pytest.fixture(scope="module")
def exported(folders, tmp_path_factory):
    place = tmp_path_factory.mktemp("exported")
    for name, folder in folders.items():
        outcome = export(folder, place / name / "1", max_seq_length=LENGTH, do_lower_case="true")
        assert (outcome.status, outcome.stdout) == (0, ""), outcome.stderr
        assert outcome.stderr.splitlines()[-1] == f"Wrote {place / name / '1'}"
    return place


@pytest.fixture(scope="module")
def answers(folders, exported, tmp_path_factory):
    """What the exported models say to TEXTS, and one of them to TEXTS and SECOND, in a process without this package."""
    asked = [(name, str(exported / name / "1"), {"text": TEXTS}) for name in folders]
    asked[-1][2]["text_b"] = SECOND
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=elsewhere, input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def predictions(folder, rows):
    return bert.load(str(folder), max_seq_length=LENGTH, do_lower_case=True).predict(rows)


@pytest.mark.parametrize("name", ["class", "pairs"])
def test_classes_are_those_of_the_predictor(folders, answers, name):
    rows = TEXTS if name == "class" else list(zip(TEXTS, SECOND, strict=True))
    found, expected = answers[name], predictions(folders[name], rows)
    assert found["label"] == [one.label for one in expected]
    assert len(set(found["label"])) > 1
    assert found["truncated"] == [one.truncated for one in expected]
    assert max(found["truncated"]) > 50
    np.testing.assert_allclose(found["score"], [one.score for one in expected], atol=1e-5)
    probabilities = [list(one.probabilities.values()) for one in expected]
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-5)


def test_several_classes_are_those_of_the_predictor(folders, answers):
    found, expected = answers["multilabel"], predictions(folders["multilabel"], TEXTS)
    assert found["labels"] == ["|".join(one.labels) for one in expected]
    assert len(set(found["labels"])) > 1
    np.testing.assert_allclose(found["score"], [one.score for one in expected], atol=1e-5)
    probabilities = [list(one.probabilities.values()) for one in expected]
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-5)


def test_numbers_and_vectors_are_those_of_the_predictor(folders, answers):
    expected = predictions(folders["regression"], TEXTS)
    np.testing.assert_allclose(answers["regression"]["number"], [one.number for one in expected], atol=1e-5)
    assert answers["regression"]["truncated"] == [one.truncated for one in expected]
    expected = predictions(folders["encoder"], TEXTS)
    np.testing.assert_allclose(answers["encoder"]["vector"], [one.vector for one in expected], atol=1e-5)


def test_tags_are_those_of_the_predictor_for_all_words_of_long_texts_too(folders, answers):
    found = answers["tagging"]
    for row, one in enumerate(predictions(folders["tagging"], TEXTS)):
        count = len(one.words)
        assert found["words"][row] == [*one.words, *[""] * (120 - count)]
        assert found["tags"][row] == [*one.tags, *[""] * (120 - count)]
        np.testing.assert_allclose(found["scores"][row][:count], one.scores, atol=1e-5)
        assert not any(found["scores"][row][count:])


def test_the_assets_tell_what_a_program_needs(folders, exported):
    assets = exported / "pairs" / "1" / "assets.extra"
    names = {path.name for path in assets.iterdir()}
    assert names == {"vocab.txt", "bert_config.json", "labels.json", "export.json"}
    assert (assets / "vocab.txt").read_bytes() == (folders["pairs"] / "vocab.txt").read_bytes()
    assert json.loads((assets / "labels.json").read_text())["labels"] == export_folders.CLASSES
    told = json.loads((assets / "export.json").read_text())
    assert told == {
        "bert_version": bert.__version__,
        "kind": "classification",
        "max_seq_length": LENGTH,
        "do_lower_case": True,
        "truncation": "head_tail",
        "long_text": "truncate",
        "label_separator": "|",
        "pairs": True,
    }
    assert json.loads((assets / "bert_config.json").read_text())["hidden_size"] == 32


def test_others_may_read_the_folder_and_each_weight_is_in_it_once(folders, exported):
    folder = exported / "tagging" / "1"
    assert folder.stat().st_mode & 0o055 == 0o055
    stored = stored_model.read(str(folders["tagging"]))
    shapes = [shape for _, shape in tf.train.list_variables(str(folder / "variables" / "variables"))]
    assert sorted(map(tuple, shapes)) == sorted([*stored.shapes.values(), ()])  # and the count of saves


@pytest.mark.parametrize(
    ("kind", "labels", "flags", "message"),
    [
        (
            "class",
            {"long_text": "windows"},
            {},
            "--long_text is windows, but an exported graph reads one row a text; --long_text=truncate exports the "
            "model so that it reads a part of a longer text",
        ),
        (
            "tagging",
            {},
            {"constrained_decoding": "true"},
            "--constrained_decoding is on, but an exported graph gives each word its best tag; "
            "--constrained_decoding=false exports the model so",
        ),
        ("encoder", {}, {"layer": 3}, "--layer is 3, expected -1 to -2 or 1 to 2"),
        ("class", {}, {"max_seq_length": 33}, "--max_seq_length is 33, expected 3 to 32, the positions of the model"),
        ("questions", {}, {"pairs": "true"}, "--pairs is no option of this kind of model, expected some of: "),
    ],
)
def test_what_no_graph_does_is_refused_and_nothing_is_left(tmp_path, kind, labels, flags, message):
    folder = export_folders.write(tmp_path / "model", kind, labels)
    assert export(folder, tmp_path / "export", **flags).error.startswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_without_segments_takes_no_pairs(tmp_path):
    folder = export_folders.write(tmp_path / "model", "class", type_vocab_size=1)
    error = export(folder, tmp_path / "export", pairs="true").error
    assert error == "--pairs: the model has type_vocab_size 1, expected at least 2"


def test_a_folder_that_is_there_is_left_alone(folders, exported):
    before = commands.listing(exported)
    target = exported / "class" / "1"
    assert export(folders["class"], target).error == f"--export_dir: {target} is not empty, expected a new folder"
    assert export(folders["class"], "gs://bucket/1").error.startswith("--export_dir: gs://bucket/1 is not on a local")
    assert commands.listing(exported) == before


def test_the_graph_of_ids_is_one_of_plain_operations(folders):
    """Nothing in it is compiled, or a function of its own."""
    model = ExportedClassifier(stored_model.read(str(folders["class"])), LENGTH, {})
    graph = model.ids.graph().get_concrete_function().graph.as_graph_def()
    assert not graph.library.function
    assert not [node.name for node in graph.node if "Call" in node.op or "XlaMustCompile" in str(node.attr)]


def test_what_a_killed_export_left_goes_with_the_next(folders, tmp_path):
    left = tmp_path / "1.tmp-0123456789abcdef" / "1"
    left.mkdir(parents=True)
    (left / "saved_model.pb").touch()
    outcome = export(folders["regression"], tmp_path / "1")
    assert outcome.status == 0, outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
