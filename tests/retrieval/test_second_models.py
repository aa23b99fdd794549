"""A model of pairs that orders the nearest questions anew, and one that says the intent."""

import json
import os
import types

import numpy as np
import pytest

import bert
from bert import checkpoint
from bert.errors import InputError
from bert.prediction import ClassPrediction, reranking
from bert.prediction.retrieval import threshold_for
from tests import commands, trained
from tests.retrieval.runs import rows_of


@pytest.mark.slow
def test_a_model_of_pairs_orders_the_nearest_anew(copied, tmp_path_factory):
    """And is known to the threshold, and to whoever loads the folder."""
    pairs = trained.classifier(tmp_path_factory.mktemp("pairs"), ["0", "0.5", "1"], [("the company", "said no")])
    flags = {"rerank_model": os.path.relpath(pairs), "rerank_candidates": 7}
    copied.done("--do_eval", **flags)
    predictor = bert.load(str(copied.output))
    assert predictor.options.rerank_model == str(pairs)  # wherever it is asked from
    found = predictor.predict("the company trade")
    pairwise = bert.load(str(pairs))
    for each in found.answers:
        assert each.score == pytest.approx(pairwise.predict(("the company trade", each.question)).number, abs=1e-5)
    assert [each.score for each in found.answers] == sorted((each.score for each in found.answers), reverse=True)
    # Whoever predicts later uses it and its threshold, without a word of them.
    threshold = predictor.options.threshold
    (copied.folder / "ask.tsv").write_text("text\nthe company trade\nher group of\nand in and in\n")
    outcome = copied.done("--do_predict", predict_file=copied.folder / "ask.tsv")
    assert "The threshold was chosen" not in outcome.stderr
    rows = rows_of(copied.output / "predictions.tsv")
    assert float(rows[0]["score"]) == pytest.approx(found.answers[0].score, abs=1e-5)
    firsts = [float(row["score"]) for row in rows if row["place"] == "1"]
    assert [row["known"] == "true" for row in rows if row["place"] == "1"] == [each >= threshold for each in firsts]
    copied.done("--do_predict", predict_file=copied.folder / "dev.tsv")
    tested = json.loads((copied.output / "test_report.json").read_text())["measures"]
    assert tested == json.loads((copied.output / "eval_report.json").read_text())["measures"]
    # The threshold is for these scores, however the folder is spelled.
    assert bert.load(str(copied.output), rerank_model=f"{pairs}/").options.threshold == threshold
    assert bert.load(str(copied.output), rerank_model="").options.threshold == -np.inf
    error = copied("--do_eval", rerank_label="3", **flags).error
    assert error == "--rerank_label is '3', expected one of none: a number"
    before = commands.listing(copied.output / "index")
    assert copied(remove_ids="no", rerank_label="3").error == error  # of the model that is stored
    assert commands.listing(copied.output / "index") == before
    prefix = checkpoint.CheckpointFolder(str(pairs)).latest()
    values = checkpoint.read_values(prefix, checkpoint.read_shapes(prefix))
    values["output_bias"][0] += 1e-3
    checkpoint.write_variables(prefix, values)
    assert bert.load(str(copied.output)).options.threshold == -np.inf
    error = copied("--do_eval", rerank_model=copied.output).error
    assert error == f"--rerank_model={copied.output} holds a model for retrieval, expected one class or number a row"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 0.5),
        ({"rerank_model": "moved"}, 0.5),
        ({"rerank_label": "other"}, -np.inf),
        ({"rerank_sha256": "c"}, -np.inf),
    ],
)
def test_a_threshold_is_for_the_scores_it_was_chosen_by(caplog, changes, expected):
    scored_by = {"rerank_model": "pairs", "rerank_label": "same", "rerank_candidates": 20, "rerank_sha256": "a"}
    stored = {"threshold": 0.5, **scored_by}
    assert threshold_for(stored, {**scored_by, **changes}) == expected
    assert ("every question is taken for known" in caplog.text) is (expected != 0.5)
    assert threshold_for({"threshold": 0.5, "rerank_sha256": "a"}, scored_by) == -np.inf  # somebody has written it
    # An index of an older version tells the folder alone.
    older = {"threshold": 0.5, "rerank_model": "pairs", "rerank_candidates": 20}
    assert (threshold_for(older, {**scored_by, **changes}) == 0.5) is ("rerank_model" not in changes)


@pytest.mark.parametrize(
    ("names", "label", "expected"),
    [(("0", "0.5", "1"), "", 0.5 * 0.3 + 0.5), (("0", "1"), "", 0.3), (("other", "same"), "same", 0.3)],
)
def test_classes_are_a_score(monkeypatch, names, label, expected):
    """The expected value of numbers, or the probability of the class that means equal."""
    probabilities = dict(zip(names, (0.2, 0.3, 0.5), strict=False))
    found = ClassPrediction(names[0], 0.5, probabilities, 0)
    stored = types.SimpleNamespace(labels={"pairs": True}, label_names=names, weights_sha256="a")
    predictor = types.SimpleNamespace(iterate=lambda pairs: [found for _ in pairs])
    monkeypatch.setattr(reranking, "_stored", lambda folder, flag: stored)
    monkeypatch.setattr(reranking, "ClassificationPredictor", lambda *arguments: predictor)
    assert reranking.Reranker("folder", label)([("a", "b"), ("a", "c")]) == pytest.approx([expected, expected])
    if label:
        with pytest.raises(InputError, match="has the classes other, same: give `rerank_label`"):
            reranking.Reranker("folder", "")
    stored.labels["pairs"] = False
    with pytest.raises(InputError, match="was trained on single texts, expected pairs"):
        reranking.Reranker("folder", label)


def test_a_second_model_that_is_none_is_refused_before_it_is_stored(copied):
    with pytest.raises(InputError, match="`rerank_model` is 5, expected a text"):
        bert.load(str(copied.output), rerank_model=5)
    before = commands.listing(copied.output / "index")
    error = copied(remove_ids="no", rerank_model=copied.output).error
    assert error == f"--rerank_model={copied.output} holds a model for retrieval, expected one class or number a row"
    assert commands.listing(copied.output / "index") == before


def test_a_second_model_that_is_none_is_refused_before_the_training(run, tmp_path):
    """Told by what lies in its folder; the first model's own is one for retrieval."""
    flags = {"output_dir": tmp_path / "output", "rerank_model": run.output}
    error = run("--do_train", "--do_index", "--do_eval", **flags).error
    assert error == f"--rerank_model={run.output} holds a model for retrieval, expected one class or number a row"
    assert commands.listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("header", "labels", "message"),
    [
        ("text\tlabel", ("0.5", "1"), "says a number, expected a class"),
        ("text\ttext_b\tlabel", ("no", "yes"), "was trained on pairs, expected single texts"),
    ],
)
def test_a_model_for_intents_says_a_class_of_a_text(run, tmp_path, header, labels, message):
    cells = ["the company"] * (header.count("\t"))
    lines = ["\t".join([*cells, label]) for label in labels * 4]
    (tmp_path / "train.tsv").write_text("\n".join([header, *lines]) + "\n")
    model = {**run.model, "output_dir": tmp_path / "other", "train_batch_size": 8, "num_train_epochs": 1}
    outcome = commands.run("run_classifier", "--do_train", task_name="table", data_dir=tmp_path, **model)
    assert outcome.status == 0, outcome.stderr
    error = run("--do_train", "--do_index", output_dir=tmp_path / "output", intent_model=tmp_path / "other").error
    assert error == f"--intent_model={tmp_path / 'other'} {message}"
    with pytest.raises(InputError) as refused:
        bert.load(str(run.output), intent_model=str(tmp_path / "other"))
    assert str(refused.value) == f"`intent_model`={tmp_path / 'other'} {message}"
