"""What run_retrieval refuses, and before which work."""

import json

import pytest

from bert.errors import InputError
from tests import commands


@pytest.mark.parametrize(
    ("arguments", "flags", "message"),
    [
        ((), {}, "nothing to do: give --do_train=true, --do_eval=true or --do_predict=true, or several"),
        (("--do_eval",), {"dev_file": ""}, "--do_eval needs --dev_file or --dev_fraction"),
        (("--do_predict",), {}, "--do_predict needs --predict_file"),
        (("--do_index",), {"knowledge_file": ""}, "--do_index needs --knowledge_file"),
        (("--do_index",), {"vocab_file": ""}, "--vocab_file must be given, but for --retriever=bm25"),
        (("--do_train",), {"layer": 1}, "--layer is 1, but --do_train trains the last layer, -1"),
        (("--do_train",), {"hard_negatives_from": "a"}, "--hard_negatives_from=a needs --hard_negatives of 1 or more"),
        (("--do_train",), {"temperature": 0}, "--temperature is 0.0, expected more than 0"),
        (("--do_eval",), {"dev_fraction": 0.5}, "--dev_fraction=0.5 and --dev_file="),
        (
            ("--do_train", "--do_index", "--do_eval"),
            {"best_metric": "loss", "eval_every_steps": 2},
            "--best_metric is 'loss', expected one of hit_at_1, hit_at_3, hit_at_10, recall_at_10, mrr_at_10",
        ),
        (("--do_train",), {"retriever": "bm25"}, "--retriever=bm25 has no model and no index, expected --do_eval"),
        (("--do_eval",), {"retriever": "bm25", "intent_model": "a"}, "--retriever=bm25 has no model and no index"),
        (
            ("--do_train", "--do_eval"),
            {},
            "--do_train makes another model, whose index --do_eval needs: give --do_index",
        ),
        (("--do_train",), {"remove_ids": "pay"}, "--do_train makes another model, whose index --remove_ids needs"),
        (("--do_eval",), {"index": "faiss"}, "--index=faiss needs --do_index=true"),
        ((), {"add_file": "a", "equal_label": "1"}, "--add_file=a is of questions and the ids of their answers"),
    ],
)
def test_what_makes_no_sense_is_refused(run, tmp_path, arguments, flags, message):
    assert run(*arguments, output_dir=tmp_path / "output", **flags).error.startswith(message)
    assert commands.listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("arguments", "flags", "message"),
    [
        (("--do_train", "--do_index"), {"index": "faiss"}, "--index=faiss needs faiss"),
        (("--do_train",), {"hard_negatives": 1}, "BM25 needs bm25s"),
        (("--do_eval",), {"retriever": "bm25"}, "BM25 needs bm25s"),
    ],
)
def test_a_package_that_is_not_there_is_missed_before_any_work(run, tmp_path, monkeypatch, arguments, flags, message):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("bert.answering.work.run", lambda settings: pytest.fail("it has begun"))
    error = run(*arguments, output_dir=tmp_path / "output", **flags).error
    told = "(in a checkout: pip install '.[retrieval]', or pip install -r requirements-retrieval.txt)"
    assert error == f"{message} {told}"


@pytest.mark.parametrize("flags", [{"do_index": True}, {"do_eval": True}, {"remove_ids": "pay"}])
def test_several_workers_only_train(run, tmp_path, monkeypatch, flags):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["localhost:1", "localhost:2"]}}))
    (asked,) = flags
    told = f"train with --do_train alone, then give --{asked} without TF_CONFIG"
    error = run("--do_train", output_dir=tmp_path / "output", **flags).error
    assert error == f"TF_CONFIG names 2 workers, and --{asked} is for one process: {told}"
    assert commands.listing(tmp_path) == {}


def test_devices_are_opened_before_a_model_looks_for_hard_negatives(run, tmp_path, monkeypatch):
    """Several workers can only be joined, and cores dealt out, before TensorFlow computes anything."""

    def none(*arguments, **options):
        raise InputError("no devices")

    monkeypatch.setattr("bert.training.run.open_devices", none)
    monkeypatch.setattr("bert.prediction.load", lambda *arguments, **options: pytest.fail("computed before"))
    error = run("--do_train", hard_negatives=1, hard_negatives_from=run.output, output_dir=tmp_path / "output").error
    assert error == "no devices"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dev_file", "text\tanswer_id\nafter\tpaid\n", ": the answer 'paid' is not in the knowledge base; for a "),
        ("dev_file", "text\tid\nafter\tpay\n", ":1: no column 'answer_id', the header has: text, id"),
        ("dev_file", "text\tanswer_id\n", ": no question"),
        ("predict_file", "text\tanswer_id\nafter\tpaid\n", ": the answer 'paid' is not in the knowledge base; for a "),
        ("predict_file", "texts\nafter\n", ":1: no column 'question', the header has: texts"),
        ("add_file", "question\tanswer_id\nafter\t\n", ":2: 'answer_id' is empty, expected a text"),
        ("remove_file", "question\n", ": no question"),
        ("rerank_model", None, " is no folder"),
        ("intent_model", None, " is no folder"),
        ("hard_negatives_from", None, " is no folder"),
    ],
)
def test_what_is_asked_is_read_before_the_training(run, tmp_path, name, text, message):
    """And not first when there is an index to ask."""
    path = tmp_path / "asked.tsv"
    if text is not None:
        path.write_text(text)
    flags = {"predict_file": run.folder / "ask.tsv", "hard_negatives": 1, "output_dir": tmp_path / "output", name: path}
    error = run("--do_train", "--do_index", "--do_eval", "--do_predict", **flags).error
    assert error.startswith(f"--{name}: {path}{message}" if text is None else f"{path}{message}")
    assert not (tmp_path / "output").exists()
