"""`bert convert` as a user runs it: folders that go to another program and come back, and what it refuses."""

import json
import os
import resource

import numpy as np
import pytest
from safetensors.numpy import load_file

from bert import checkpoint
from tests import commands
from tests.formats import folders


def convert(**flags) -> commands.Outcome:
    return commands.run("bert.commands.convert", **flags)


def converted(source, target, to: str) -> None:
    outcome = convert(model_dir=source, to=to, output_dir=target)
    assert outcome.status == 0, outcome.stderr


def values_of(prefix) -> dict[str, np.ndarray]:
    return checkpoint.read_values(str(prefix), checkpoint.read_shapes(str(prefix)))


def assert_same(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == value.tobytes(), name


def test_from_google_and_back(google, tmp_path):
    converted(google, tmp_path / "theirs", "huggingface")
    config = json.loads((tmp_path / "theirs" / "config.json").read_text())
    assert (config["architectures"], config["hidden_act"]) == (["BertForPreTraining"], "gelu_new")
    assert json.loads((tmp_path / "theirs" / "tokenizer_config.json").read_text())["do_lower_case"] is False
    converted(tmp_path / "theirs", tmp_path / "back", "google")
    assert_same(values_of(tmp_path / "back" / "bert_model.ckpt"), values_of(google / "bert_model.ckpt"))
    config = json.loads((tmp_path / "back" / "bert_config.json").read_text())
    assert config == {**json.loads((google / "bert_config.json").read_text()), "pad_token_id": 0}
    assert (tmp_path / "back" / "vocab.txt").read_bytes() == (google / "vocab.txt").read_bytes()


@pytest.mark.parametrize("head", folders.BUILDERS)
def test_from_huggingface_and_back(head, tmp_path):
    source = folders.copy(head, tmp_path)
    folders.write_vocabulary(source, 60)
    converted(source, tmp_path / "google", "google")
    converted(tmp_path / "google", tmp_path / "back", "huggingface")
    assert_same(load_file(tmp_path / "back" / "model.safetensors"), load_file(source / "model.safetensors"))
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (source, tmp_path / "back"))
    for key in ("architectures", "hidden_act", "layer_norm_eps"):
        assert after[key] == before[key]
    assert after.get("id2label") == before.get("id2label")


def test_a_run_of_ours_answers_the_same_from_its_export(golden, tmp_path):
    """Trained, exported, judged and used for prediction from the exported folder alone."""
    flags = {"task_name": "MRPC", "data_dir": golden / "classifier" / "mrpc_in", "max_seq_length": 48}
    trained, export = tmp_path / "trained", tmp_path / "export"
    files = {"vocab_file": commands.VOCABULARY, "bert_config_file": commands.write_config(tmp_path)}
    common = {**flags, **files, "do_lower_case": True, "output_dir": trained}
    outcome = commands.run(
        "run_classifier", "--do_train", "--do_eval", **common, num_train_epochs=1, learning_rate=1e-3
    )
    assert outcome.status == 0, outcome.stderr
    other = tmp_path / "other.txt"
    other.write_text(commands.VOCABULARY.read_text().replace("engine", "motor"))
    refused = convert(model_dir=trained, output_dir=export, vocab_file=other)
    assert "is not the vocabulary that the model of" in refused.error
    converted(trained, export, "huggingface")
    config = json.loads((export / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "0", "1": "1"}
    theirs = {"vocab_file": export, "bert_config_file": export, "init_checkpoint": export}
    outcome = commands.run("run_classifier", "--do_eval", **flags, **theirs, output_dir=tmp_path / "judged")
    assert outcome.status == 0, outcome.stderr
    assert "0 missing, 0 unused" in outcome.stderr
    ours, found = commands.results(trained), commands.results(tmp_path / "judged")
    assert {**found, "global_step": ours["global_step"]} == ours


def test_labels_of_a_table_come_from_the_config(tmp_path, folder):
    """A classifier of transformers predicts without a training file."""
    source = folders.copy("classifier", tmp_path)
    folders.write_vocabulary(source, 60)
    data = folder(test="text\n12 13 14\n20 21\n")
    flags = {"task_name": "table", "data_dir": data, "max_seq_length": 20, "do_lower_case": False}
    theirs = {"vocab_file": source, "bert_config_file": source, "init_checkpoint": source}
    outcome = commands.run("run_classifier", "--do_predict", **flags, **theirs, output_dir=tmp_path / "output")
    assert outcome.status == 0, outcome.stderr
    header = (tmp_path / "output" / "predictions.tsv").read_text().splitlines()[0]
    assert header.endswith("sport\ttrade\tweather")


def test_answers_need_no_pooler(golden, tmp_path):
    """transformers' folders for question answering have none, and the head reads none."""
    source = folders.copy("squad", tmp_path)
    folders.write_vocabulary(source, 60)
    questions = {"context": "1 2 3 4", "qas": [{"id": "q", "question": "5 6", "answers": []}]}
    article = {"title": "t", "paragraphs": [questions]}
    (tmp_path / "test.json").write_text(json.dumps({"version": "1.1", "data": [article]}))
    outcome = commands.run(
        "run_squad",
        "--do_predict",
        vocab_file=source / "vocab.txt",
        bert_config_file=source / "config.json",
        init_checkpoint=source / "model.safetensors",
        predict_file=tmp_path / "test.json",
        do_lower_case=False,
        max_seq_length=20,
        max_query_length=6,
        doc_stride=8,
        output_dir=tmp_path / "output",
    )
    assert outcome.status == 0, outcome.stderr
    assert list(json.loads((tmp_path / "output" / "predictions.json").read_text())) == ["q"]


def test_for_sentence_transformers(google, tmp_path):
    converted(google, tmp_path / "vectors", "sentence-transformers")
    stored = load_file(tmp_path / "vectors" / "model.safetensors")
    assert not [name for name in stored if not name.startswith("bert.")]
    modules = json.loads((tmp_path / "vectors" / "modules.json").read_text())
    assert [module["type"].rsplit(".", 1)[-1] for module in modules] == ["Transformer", "Pooling"]
    pooling = json.loads((tmp_path / "vectors" / modules[1]["path"] / "config.json").read_text())
    assert [key for key, value in pooling.items() if value is True] == ["pooling_mode_mean_tokens"]
    assert pooling["word_embedding_dimension"] == 32


def test_refuses(google, tmp_path):
    target = tmp_path / "target"
    assert convert(model_dir=tmp_path / "nowhere", output_dir=target).error.startswith("--model_dir: ")
    (google / "vocab.txt").rename(tmp_path / "words.txt")
    assert "give the one of this model" in convert(model_dir=google, output_dir=target).error
    assert convert(model_dir=google, output_dir=target, vocab_file=tmp_path / "words.txt").status == 0
    again = convert(model_dir=google, output_dir=target, vocab_file=tmp_path / "words.txt")
    assert again.error == f"--output_dir: {target} is not empty, expected a new folder"
    assert "Reading" not in again.stderr  # of weights, which may be gigabytes
    (google / "bert_model.ckpt.index").unlink()
    outcome = convert(model_dir=google, output_dir=tmp_path / "other", vocab_file=tmp_path / "words.txt")
    assert "no model in" in outcome.error
    assert "expected model.safetensors (Hugging Face), bert_model.ckpt.index (Google)" in outcome.error


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("config.json", {"id2label": True}, "'id2label' is true, expected an object or null"),
        (
            "config.json",
            {"id2label": {"0": "A", "1": "A", "2": "B"}},
            "label 'A' occurs twice, expected different ones",
        ),
        ("config.json", {"architectures": 2.5}, "'architectures' is 2.5, expected a list or null"),
        (
            "sentence_bert_config.json",
            {"max_seq_length": "16"},
            "'max_seq_length' is \"16\", expected a whole number or ",
        ),
        ("sentence_bert_config.json", {"max_seq_length": -1}, "'max_seq_length' is -1, expected at least 1"),
    ],
)
def test_values_of_wrong_types_in_a_folder_of_huggingface(name, change, problem, tmp_path):
    source = folders.copy("classifier", tmp_path)
    folders.write_vocabulary(source, 60)
    path = source / name
    values = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**values, **change}))
    error = convert(model_dir=source, to="sentence-transformers", output_dir=tmp_path / "target").error
    assert error.startswith(f"{path}: {problem}")
    assert not (tmp_path / "target").exists()


def test_half_a_character_in_a_label_is_refused(tmp_path):
    source = folders.copy("classifier", tmp_path)
    path = source / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "id2label": {"0": "\ud83d", "1": "A", "2": "B"}}))
    error = convert(model_dir=source, to="sentence-transformers", output_dir=tmp_path / "target").error
    assert error == f"{path}:1: JSON that cannot be read: '\\ud83d' is half of a surrogate pair"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"hidden_size": 10**9},
            "'bert/embeddings/word_embeddings' is [100, 32], by the config it is [100, 1000000000]",
        ),
        (
            {"intermediate_size": 65},
            "'bert/encoder/layer_2/output/dense/kernel' is [64, 32], by the config it is [65, 32]",
        ),
        ({"num_hidden_layers": 4}, "lacks layer 4, the last that its config has"),
    ],
)
def test_weights_of_other_sizes_than_the_config(google, change, problem, tmp_path):
    path = google / "bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    error = convert(model_dir=google, output_dir=tmp_path / "target").error
    assert error == f"{google / 'bert_model.ckpt'}: {problem}"


def test_a_head_of_no_classes_and_labels_that_name_none(google, tmp_path):
    weights, config = google / "bert_model.ckpt", google / "bert_config.json"
    values = values_of(weights)
    checkpoint.write_variables(str(weights), {**values, "output_bias": np.float32(0)})
    target = tmp_path / "target"
    error = convert(model_dir=google, output_dir=target).error
    assert error == f"{weights}: 'output_bias' is [], expected a number for each class"
    checkpoint.write_variables(str(weights), {**values, "output_bias": np.zeros(2, np.float32)})
    config.write_text(json.dumps({**json.loads(config.read_text()), "id2label": ["a", "b"]}))
    error = convert(model_dir=google, output_dir=target).error
    assert error == f"{config}: id2label is ['a', 'b'], expected an object: a name for each id"
    assert not target.exists()


def test_a_bad_config_of_a_run_is_told_with_its_file(google, tmp_path):
    (google / "run.json").write_text(json.dumps({"config": {"vocab_size": "many"}}))
    error = convert(model_dir=google, output_dir=tmp_path / "target").error
    assert error == f"{google / 'run.json'}: 'config': vocab_size is 'many', expected a positive whole number"


def test_a_pipe_is_not_waited_for(tmp_path):
    source = folders.copy("classifier", tmp_path)
    folders.write_vocabulary(source, 60)
    (source / "model.safetensors").unlink()
    os.mkfifo(source / "model.safetensors")
    keeps_it_from_waiting = os.open(source / "model.safetensors", os.O_RDWR)
    try:
        error = convert(model_dir=source, to="google", output_dir=tmp_path / "target").error
    finally:
        os.close(keeps_it_from_waiting)
    assert error == f"file: {source / 'model.safetensors'} is a pipe, expected a file"


def test_a_full_disk_is_told(google, tmp_path):
    """A limit on the size of files stands for the full disk; both are an error of the write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        outcome = convert(model_dir=google, output_dir=tmp_path / "target")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "model.safetensors: cannot be written: " in outcome.error
    assert "File too large" in outcome.error
    assert {path.name for path in tmp_path.iterdir()} == {google.name}


def test_what_cannot_be_finished_leaves_nothing(google, tmp_path):
    data = google / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1000])
    before = set(tmp_path.iterdir())
    assert "damaged" in convert(model_dir=google, output_dir=tmp_path / "target").error
    assert set(tmp_path.iterdir()) == before
