"""run_retrieval as a user runs it: training, evaluation, answers; without training, and on what it is compared with."""

import json
import shutil

import numpy as np
import pytest

import bert
from bert.errors import InputError
from bert.prediction.retrieval import UNKNOWN
from bert.retrieval import index
from tests import commands, numpy_bert
from tests.retrieval.runs import rows_of


def test_it_learns_and_is_judged(run):
    results = {name: float(value) for name, value in commands.results(run.output).items()}
    assert set(results) == {
        f"eval_{name}" for name in ("hit_at_1", "hit_at_3", "hit_at_10", "recall_at_10", "mrr_at_10")
    }
    assert results["eval_hit_at_1"] > 0.6  # a guess has 0.2
    assert results["eval_hit_at_10"] == 1  # of five answers
    report = json.loads((run.output / "eval_report.json").read_text())
    assert (report["queries"], report["outside"]) == (20, 1)
    assert report["threshold"]["criterion"] == "f1"
    ranks = rows_of(run.output / "eval_ranks.tsv")
    assert len(ranks) == 21
    assert np.mean([row["rank"] == "1" for row in ranks[:20]]) == pytest.approx(results["eval_hit_at_1"])
    assert np.mean([1 / int(row["rank"]) for row in ranks[:20]]) == pytest.approx(results["eval_mrr_at_10"])
    assert (ranks[20]["answer_id"], ranks[20]["rank"]) == ("", "")
    best = max(
        map(json.loads, (run.output / "evaluations.jsonl").read_text().splitlines()), key=lambda e: e["mrr_at_10"]
    )
    assert best["mrr_at_10"] == pytest.approx(results["eval_mrr_at_10"])  # what the loop saw is what the index finds


def test_the_threshold_is_told_and_stored(run):
    stored = index.read_content(str(run.output))["threshold"]
    assert f"{stored['threshold']:.4f}" in run.outcome.stderr
    assert "threshold  coverage  precision  recall      F1" in run.outcome.stderr
    assert json.loads((run.output / "eval_report.json").read_text())["threshold"]["threshold"] == stored["threshold"]
    assert bert.load(str(run.output)).options.threshold == stored["threshold"]


def test_a_killed_run_ends_with_the_same_bits(run, tmp_path):
    flags = {
        "dev_fraction": 0.4,
        "dev_split": "questions",
        "dev_file": "",
    }  # sixteen questions, which are not trained on
    flags |= {"hard_negatives": 1, "save_checkpoints_steps": 7, "num_train_epochs": 3}
    outcome = run.done("--do_train", output_dir=tmp_path / "whole", **flags)
    assert "Num examples = 24" in outcome.stderr
    parts = tmp_path / "parts"
    shutil.copytree(tmp_path / "whole", parts)
    last = "model.ckpt-9"
    for path in parts.glob(f"{last}.*"):
        path.unlink()
    outcome = run.done("--do_train", output_dir=parts, **flags)
    assert f"Going on from {parts / 'model.ckpt-7'} (step 7)." in outcome.stderr
    whole, resumed = (numpy_bert.read_variables(folder / last) for folder in (tmp_path / "whole", parts))
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_the_predictor_answers(run):
    predictor = bert.load(str(run.output), top_k=2)
    assert predictor.kind == "retrieval"
    faq = rows_of(run.folder / "faq.tsv")
    rows = [row["question"] for row in faq]
    for row, found in zip(faq, predictor.predict(rows), strict=True):
        first, second = found.answers
        assert (first.question, first.answer_id, first.answer) == (row["question"], row["answer_id"], row["answer"])
        assert first.score == pytest.approx(1, abs=1e-5)
        assert first.score >= second.score
        assert second.answer_id != first.answer_id
        assert (found.intent, found.intent_score) == (None, None)
        assert found.known is (first.score >= predictor.options.threshold)
    assert predictor.predict({"text": rows[0]}) == predictor.predict(rows[0])
    with pytest.raises(InputError, match=r"the row: found .*, expected a question, or"):
        predictor.predict(("a", "b"))


def test_zero_is_a_threshold_and_what_is_below_is_not_known(copied):
    stored = index.read_content(str(copied.output))["threshold"]
    for threshold, known in ((0.0, True), (2.0, False)):
        index.write_threshold(str(copied.output), {**stored, "threshold": threshold})
        predictor = bert.load(str(copied.output))
        assert predictor.options.threshold == threshold
        found = predictor.predict("the company trade")
        assert found.known is known
        assert (predictor.cells(found)[0] == UNKNOWN) is not known
    assert bert.load(str(copied.output), threshold=0.0).predict("the company trade").known


def test_predictions_are_written_and_judged_where_answers_are_told(copied):
    threshold = index.read_content(str(copied.output))["threshold"]["threshold"]
    copied.done("--do_predict", predict_file=copied.folder / "ask.tsv", top_k=2)
    rows = rows_of(copied.output / "predictions.tsv")
    assert [(row["query"], row["place"]) for row in rows] == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    assert all(
        (row["known"] == "true") == (float(rows[at - at % 2]["score"]) >= threshold) for at, row in enumerate(rows)
    )
    assert not (copied.output / "test_report.json").exists()
    copied.done("--do_predict", predict_file=copied.folder / "dev.tsv")
    tested = json.loads((copied.output / "test_report.json").read_text())["measures"]
    assert tested == json.loads((copied.output / "eval_report.json").read_text())["measures"]


def test_bert_predict_tells_them(run, tmp_path):
    (tmp_path / "ask.txt").write_text("the company trade\nand and and\n")
    flags = {"model_dir": run.output, "input_file": tmp_path / "ask.txt", "output_file": tmp_path / "told.tsv"}
    for threshold, known in ((-1.0, True), (2.0, False)):
        outcome = commands.run("bert.commands.predict", top_k=2, threshold=threshold, **flags)
        assert outcome.status == 0, outcome.stderr
        expected = bert.load(str(run.output), top_k=2).predict(["the company trade", "and and and"])
        for line, found in zip((tmp_path / "told.tsv").read_text().splitlines(), expected, strict=True):
            first, *others = line.split("\t")
            assert first == (found.answers[0].answer if known else UNKNOWN)
            told = [(each.answer_id, f"{each.score:.4f}", each.question) for each in found.answers]
            assert others == [cell for cells in told for cell in cells]


def test_an_encoder_needs_no_training(run, tmp_path):
    """Its folder then holds the model, and the split of the knowledge base asks itself."""
    flags = {"init_checkpoint": run.output / "best", "output_dir": tmp_path / "plain", "dev_file": ""}
    outcome = run.done("--do_index", "--do_eval", dev_fraction=0.4, **flags)
    assert "Num queries = 16" in outcome.stderr  # two of five answers with eight questions each
    asked = {row["answer_id"] for row in rows_of(tmp_path / "plain" / "eval_ranks.tsv")}
    assert len(asked) == 2
    assert (tmp_path / "plain" / "model.ckpt-0.index").exists()
    assert bert.load(str(tmp_path / "plain")).predict("the company").answers


def test_an_average_of_word_vectors_needs_no_training(run, tmp_path):
    (tmp_path / "vectors.txt").write_text("the 1 0 0 0 0 0 0 0\nold 0 1 0 0 0 0 0 0\n")
    config = commands.write_config(tmp_path, encoder="average", hidden_size=8)
    flags = {"bert_config_file": config, "word_vectors": tmp_path / "vectors.txt", "output_dir": tmp_path / "output"}
    run.done("--do_index", "--do_eval", **flags)
    values = numpy_bert.read_variables(tmp_path / "output" / "model.ckpt-0")["average/embeddings/word_embeddings"]
    tokens = commands.VOCABULARY.read_text().splitlines()
    assert np.array_equal(values[[tokens.index("the"), tokens.index("old")]], np.eye(8)[:2])
    assert bert.load(str(tmp_path / "output")).predict("the company").answers
    config = commands.write_config(tmp_path, encoder="lstm", hidden_size=8)
    error = run("--do_index", **flags | {"bert_config_file": config, "output_dir": tmp_path / "other"}).error
    assert error.startswith("nothing to evaluate: no checkpoint in --output_dir")  # its other weights would be random


def test_bm25_is_a_row_of_the_same_table(run, tmp_path):
    pytest.importorskip("bm25s")
    flags = {"knowledge_file": run.folder / "faq.tsv", "dev_file": run.folder / "dev.tsv", "output_dir": tmp_path}
    (tmp_path / "ask.tsv").write_text("text\nzebra\nthe company trade\n")
    flags |= {"retriever": "bm25", "predict_file": tmp_path / "ask.tsv", "top_k": 1}
    outcome = commands.run("bert.commands.run_retrieval", "--do_eval", "--do_predict", **flags)
    assert outcome.status == 0, outcome.stderr
    report = json.loads((tmp_path / "eval_report.json").read_text())
    assert report["measures"].keys() == json.loads((run.output / "eval_report.json").read_text())["measures"].keys()
    assert report["measures"]["hit_at_1"] > 0.6
    assert report["retriever"] == "bm25"
    without, found = rows_of(tmp_path / "predictions.tsv")
    assert (without["text"], without["known"], without["answer_id"]) == ("zebra", "false", "")
    assert (found["known"], found["answer_id"]) == ("true", "pay")


def test_a_baseline_stands_under_the_same_head(run, tmp_path):
    """DSSM, whose hash tables come from the vocabulary and are part of the fingerprint."""
    config = {"encoder": "dssm", "vocab_size": 473, "hidden_size": 16, "intermediate_size": 24, "hash_buckets": 500}
    (tmp_path / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 128}))
    flags = {"bert_config_file": tmp_path / "config.json", "output_dir": tmp_path / "output", "num_train_epochs": 20}
    run.done("--do_train", "--do_index", "--do_eval", **flags)
    assert float(commands.results(tmp_path / "output")["eval_hit_at_1"]) > 0.6
    faq = rows_of(run.folder / "faq.tsv")
    found = bert.load(str(tmp_path / "output")).predict(faq[0]["question"])
    assert found.answers[0].answer_id == faq[0]["answer_id"]
