"""run_retrieval as a user runs it: training, index, evaluation, changes of the index, answers, and what it refuses."""

import io
import json
import pathlib
import random
import re
import shutil
import types
import zlib
from collections.abc import Callable

import numpy as np
import pytest

import bert
from bert import checkpoint
from bert.errors import InputError
from bert.prediction import ClassPrediction, reranking
from bert.prediction.retrieval import UNKNOWN
from bert.retrieval import index
from tests import commands, numpy_bert, trained

LENGTH = 16
TOPICS = {"pay": "the company trade", "time": "after bell", "who": "her group", "new": "new old", "no": "said no in"}


def question(topic: str, chance: random.Random) -> str:
    """The words of a topic and others around them, in any order."""
    parts = [*TOPICS[topic].split(), *chance.sample(trained.WORDS, 2)]
    chance.shuffle(parts)
    return " ".join(parts)


def table(count: int, seed: int, column: str = "question") -> str:
    """Questions of all topics in turn, with their answers."""
    chance = random.Random(seed)
    topics = [list(TOPICS)[row % len(TOPICS)] for row in range(count)]
    lines = [f"{question(topic, chance)}\t{topic}\tabout {topic}\n" for topic in topics]
    return f"{column}\tanswer_id\tanswer\n" + "".join(lines)


class Run:
    """A knowledge base and questions, a tiny model's config, and an output folder that the command fills."""

    def __init__(self, folder, **flags):
        self.folder, self.output = folder, folder / "output"
        (folder / "faq.tsv").write_text(table(40, seed=1))
        (folder / "dev.tsv").write_text(table(20, seed=2, column="text") + "and and and\t\t\n")
        (folder / "ask.tsv").write_text("text\nthe company trade\nher group of\n")
        self.model = {
            "vocab_file": commands.VOCABULARY,
            "bert_config_file": commands.write_config(folder, initializer_range=0.1),
            "max_seq_length": LENGTH,
            "output_dir": self.output,
        }
        self.flags = {"knowledge_file": folder / "faq.tsv", "dev_file": folder / "dev.tsv", **flags}
        self.flags |= {"train_batch_size": 8, "learning_rate": 2e-3, "num_train_epochs": 4}

    def __call__(self, *arguments: str, **flags):
        return commands.run("bert.commands.run_retrieval", *arguments, **{**self.model, **self.flags, **flags})

    def done(self, *arguments: str, **flags):
        outcome = self(*arguments, **flags)
        assert outcome.status == 0, outcome.stderr
        return outcome


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Trained, indexed and evaluated; what other tests change they change in copies."""
    run = Run(tmp_path_factory.mktemp("retrieval"))
    run.outcome = run.done("--do_train", "--do_index", "--do_eval", eval_every_steps=10, hard_negatives=1)
    return run


@pytest.fixture
def copied(run, tmp_path) -> Run:
    copy = Run(tmp_path)
    shutil.copytree(run.output, copy.output)
    return copy


def rows_of(path) -> list[dict[str, str]]:
    header, *lines = path.read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


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


# Answers


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


# The index


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"max_seq_length": 12}, "the index was made with max_seq_length 16, this search has 12; make it anew with "),
        ({"layer": 1}, "the index was made with layer -1, this search has 1; make it anew with --do_index"),
    ],
)
def test_an_index_of_another_reading_is_refused(copied, flags, message):
    """And answers as before: the folder may be in service."""
    expected = bert.load(str(copied.output)).predict("the company trade")
    before = (copied.output / "run.json").read_bytes()
    for ask in ({"do_eval": True}, {"remove_ids": "pay"}):
        assert f"{index.path_of(str(copied.output))}: {message}" in copied(**ask, **flags).error
    assert (copied.output / "run.json").read_bytes() == before
    assert bert.load(str(copied.output)).predict("the company trade") == expected


def test_the_index_says_how_it_is_asked(copied):
    """What is given once stays; a command that gives nothing, and one that only asks, change nothing."""
    answers = lambda: len(bert.load(str(copied.output)).predict("the company trade").answers)  # noqa: E731
    assert answers() == 3
    (copied.folder / "more.tsv").write_text("question\tanswer_id\nthe old bell\ttime\n")
    copied.done(add_file=copied.folder / "more.tsv", top_k=2)
    assert answers() == 2
    copied.done("--do_predict", predict_file=copied.folder / "ask.tsv", top_k=4)
    assert len(rows_of(copied.output / "predictions.tsv")) == 8
    copied.done(remove_ids="no")
    assert answers() == 2
    # An index of an older version says nothing of it, and the run does.
    path = copied.output / "index" / "index.json"
    content = {name: value for name, value in json.loads(path.read_text()).items() if name != "answering"}
    path.write_text(json.dumps(content))
    run_file = copied.output / "run.json"
    told = json.loads(run_file.read_text())
    assert told["trained_with"]["do_train"] is True
    assert told["settings"]["remove_ids"] == "no"
    del told["trained_with"]
    run_file.write_text(json.dumps({**told, "settings": {**told["settings"], "top_k": 1}}))
    assert answers() == 1


def test_a_second_model_that_is_none_is_refused_before_it_is_stored(copied):
    before = commands.listing(copied.output / "index")
    error = copied(remove_ids="no", rerank_model=copied.output).error
    assert error == f"--rerank_model={copied.output} holds a model for retrieval, expected one class or number a row"
    assert commands.listing(copied.output / "index") == before


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("weights_sha256", "0"),
        ("config", {}),
        ("vocab_sha256", "0"),
        ("do_lower_case", False),
        ("pooling", "max"),
        ("layer", 1),
        ("max_seq_length", 8),
        ("precision", "float16"),
    ],
)
def test_every_part_of_the_fingerprint_counts(copied, part, other):
    """An index made with another one is refused to whoever loads the folder, or reads it otherwise than it says."""
    content = index.require_content(str(copied.output))
    assert set(content["fingerprint"]) == {
        "weights_sha256", "config", "vocab_sha256", "do_lower_case", "pooling", "layer", "max_seq_length", "precision"
    }  # fmt: skip
    content["fingerprint"][part] = other
    (copied.output / "index" / "index.json").write_text(json.dumps(content))
    asked = {"max_seq_length": LENGTH} if part == "max_seq_length" else {}
    if part in ("pooling", "layer"):  # which a loader takes from the index: the command asks for its own
        error = copied("--do_eval").error
    else:
        with pytest.raises(InputError) as refused:
            bert.load(str(copied.output), **asked)
        error = str(refused.value)
    assert f"{index.path_of(str(copied.output))}: the index was made with {part} {other}, this search has " in error


def test_a_reader_with_another_casing_is_refused(run):
    with pytest.raises(InputError, match="the index was made with do_lower_case True, this search has False"):
        bert.load(str(run.output), do_lower_case=False)


def test_a_kill_while_the_index_is_written_leaves_the_former_one(copied, monkeypatch):
    expected = bert.load(str(copied.output)).predict("the company trade")

    def killed(path: str, content: object) -> None:
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr("bert.retrieval.index.files.write_json", killed)  # comes last
        (copied.folder / "faq.tsv").write_text(table(20, seed=3))
        assert copied("--do_index").status == 137
    assert bert.load(str(copied.output)).predict("the company trade") == expected
    copied.done("--do_index")
    assert len(index.read(str(copied.output)).base) == 20
    assert len(list((copied.output / "index").iterdir())) == 3


def test_a_model_that_gives_no_numbers_makes_no_index(copied):
    prefix = checkpoint.CheckpointFolder(str(copied.output / "best")).latest()
    values = checkpoint.read_values(prefix, checkpoint.read_shapes(prefix))
    values["bert/embeddings/LayerNorm/gamma"][:] = np.nan
    checkpoint.write_variables(prefix, values)
    before = commands.listing(copied.output / "index")
    told = f"the model in {copied.output} gives vectors that are not finite: its training went astray"
    assert copied("--do_index").error == told
    assert commands.listing(copied.output / "index") == before


def test_an_index_of_other_weights_is_refused(copied):
    """By a single number, and a pooler does not count, since nothing reads it."""
    prefix = checkpoint.CheckpointFolder(str(copied.output / "best")).latest()
    values = checkpoint.read_values(prefix, checkpoint.read_shapes(prefix))
    values["bert/pooler/dense/bias"][0] += 1
    checkpoint.write_variables(prefix, values)
    assert bert.load(str(copied.output)).kind == "retrieval"
    values["bert/embeddings/word_embeddings"][7, 0] += 1e-3
    checkpoint.write_variables(prefix, values)
    expected = "the index was made with weights_sha256 "
    assert expected in copied("--do_eval").error
    with pytest.raises(InputError, match=expected):
        bert.load(str(copied.output))
    assert bert.load(str(copied.output), vectors=True).kind == "encoder"


def test_a_damaged_index_is_refused(copied):
    (vectors,) = (copied.output / "index").glob("vectors-*.npy")
    content = bytearray(vectors.read_bytes())
    content[-1] ^= 1
    vectors.write_bytes(content)
    assert copied("--do_eval").error == f"{vectors}: damaged; make the index anew with --do_index"
    shutil.rmtree(copied.output / "index")
    assert copied("--do_eval").error == f"no index in {copied.output}: make one with --do_index"


def changed_content(change) -> Callable[[pathlib.Path], None]:
    """What writes an index.json whose content `change` has changed."""

    def apply(folder: pathlib.Path) -> None:
        content = json.loads((folder / "index.json").read_text())
        change(content)
        (folder / "index.json").write_text(json.dumps(content))

    return apply


def changed_part(name: str, value: bytes) -> Callable[[pathlib.Path], None]:
    """What puts other bytes in the place of a part, with a checksum that fits."""

    def apply(folder: pathlib.Path) -> None:
        (path,) = folder.glob(name.replace(".", "-*."))
        path.write_bytes(value)
        changed_content(lambda content: content["checksums"].update({name: zlib.crc32(value)}))(folder)

    return apply


def array_bytes(values: np.ndarray) -> bytes:
    np.save(file := io.BytesIO(), values)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed_content(lambda c: c["checksums"].update({"a": 1})), "'checksums' has 'a', expected vectors.npy, ques"),
        (changed_content(lambda c: c["checksums"].pop("vectors.npy")), "has no 'vectors.npy', expected a whole number"),
        (changed_content(lambda c: c.update(kind="faiss")), "has no 'graph.faiss', expected a whole number"),
        (changed_content(lambda c: c["fingerprint"].pop("layer")), "has no 'fingerprint.layer', expected a whole"),
        (changed_part("questions.jsonl", b'{"question": 1, "answer_id": "a"}\n' * 40), "damaged; make the index anew"),
        (changed_part("questions.jsonl", b"[1]\n" * 40), "damaged; make the index anew with `do_index`"),
        (changed_part("vectors.npy", array_bytes(np.ones([39, 32], np.float32))), "damaged; make the index anew"),
        (changed_part("vectors.npy", array_bytes(np.ones([40, 32], np.float64))), "damaged; make the index anew"),
    ],
)
def test_an_index_that_does_not_fit_together_is_refused(run, tmp_path, change, message):
    shutil.copytree(run.output / "index", tmp_path / "index")
    assert len(index.read(str(tmp_path)).base) == 40
    change(tmp_path / "index")
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        index.read(str(tmp_path))
    assert str(refused.value).startswith(index.path_of(str(tmp_path)))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"fingerprint": {"layer": -1}}, "has no 'fingerprint.pooling', expected a text"),
        (
            {"fingerprint": {"pooling": "mena", "layer": -1, "max_seq_length": 32}},
            "'fingerprint.pooling' is 'mena', expected mean or max",
        ),
        (
            {"fingerprint": {"pooling": "mean", "layer": 3, "max_seq_length": 32}},
            "`layer` is 3, expected -1 to -2 or 1 to 2",
        ),
    ],
)
def test_values_of_wrong_types_in_an_index(copied, change, problem):
    path = copied.output / "index" / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError) as error:
        bert.load(str(copied.output))
    assert str(error.value).startswith(f"{path}: {problem}")


def test_what_a_killed_run_left_of_a_former_index_goes(copied):
    (copied.output / "index" / "vectors-0.npy").write_bytes(b"of an index before")
    copied.done("--do_index")
    names = {path.name for path in (copied.output / "index").iterdir()}
    assert names == {"index.json", "vectors-2.npy", "questions-2.jsonl"}


@pytest.mark.parametrize("kind", ["exact", "faiss"])
def test_questions_are_added_and_removed_as_if_the_index_were_made_anew(copied, kind):
    if kind == "faiss":
        pytest.importorskip("faiss")
        copied.done("--do_index", index="faiss")
    lines = (copied.folder / "faq.tsv").read_text().splitlines(keepends=True)
    (copied.folder / "more.tsv").write_text(lines[0] + "of the old trade\ttrade\tabout trade\n" + "in\tno\t\n")
    (copied.folder / "less.tsv").write_text("question\n" + lines[3].split("\t")[0].upper() + "\n")
    copied.done(add_file=copied.folder / "more.tsv", remove_file=copied.folder / "less.tsv", remove_ids="who, new")
    found = index.read(str(copied.output))
    gone = [3, *(at for at, line in enumerate(lines) if line.split("\t")[1] in ("who", "new"))]
    left = [line for at, line in enumerate(lines) if at not in gone]
    (copied.folder / "faq.tsv").write_text("".join(left) + "of the old trade\ttrade\tabout trade\nin\tno\t\n")
    copied.done("--do_index")
    anew = index.read(str(copied.output))
    assert (found.base.questions, found.base.answer_ids) == (anew.base.questions, anew.base.answer_ids)
    assert found.base.answers == anew.base.answers
    np.testing.assert_allclose(found.vectors, anew.vectors, atol=1e-6)
    assert (found.threshold is None) is (kind == "faiss")  # which was made anew, and has none
    assert anew.threshold is None
    assert {path.name for path in (copied.output / "index").iterdir()} >= {"index.json"}
    assert len(list((copied.output / "index").glob("*"))) == 3  # nothing of the indexes before
    predictor = bert.load(str(copied.output))
    assert predictor.predict("of the old trade").answers[0].answer_id == "trade"


def test_what_is_there_is_not_added_again(copied):
    before = index.read(str(copied.output)).base
    more = copied.folder / "more.tsv"
    more.write_text("question\tanswer_id\n" + f"{before.questions[0]}\t{before.answer_ids[0]}\n" + "in\tno\n")
    for told in (
        f"1 questions of {more} are in the index already.",
        f"2 questions of {more} are in the index already.",
    ):
        assert told in copied.done(add_file=more).stderr
        found = index.read(str(copied.output))
        assert found.base.questions == (*before.questions, "in")
        assert len(found.vectors) == len(before) + 1


def test_what_is_not_there_cannot_be_removed(copied):
    (copied.folder / "less.tsv").write_text("question\nnew bell\n")
    less = copied.folder / "less.tsv"
    assert copied(remove_file=less).error == f"{less}:2: the question 'new bell' is not in the index"
    less.write_text("question\n")
    assert copied(remove_file=less).error == f"{less}: no question"
    hint = "; where an id has a comma, name its questions in --remove_file"
    assert copied(remove_ids="pay,x").error == f"--remove_ids: the answer 'x' is not in the index{hint}"
    error = copied(remove_ids=",".join(TOPICS)).error
    assert error == "--remove_file, --remove_ids: nothing would be left in the index"
    (copied.folder / "more.tsv").write_text("question\tanswer_id\tanswer\nof\tpay\tno\n")
    more = copied.folder / "more.tsv"
    assert copied(add_file=more).error == f"{more}: the answer 'pay' is 'no', in the index it is 'about pay'"


# Without training; held-out answers; BM25; a second model


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


@pytest.mark.slow
def test_a_model_of_pairs_orders_the_nearest_anew(copied, tmp_path_factory):
    """And is known to the threshold, and to whoever loads the folder."""
    pairs = trained.classifier(tmp_path_factory.mktemp("pairs"), ["0", "0.5", "1"], [("the company", "said no")])
    flags = {"rerank_model": pairs, "rerank_candidates": 7}
    copied.done("--do_eval", **flags)
    predictor = bert.load(str(copied.output))
    assert predictor.options.rerank_model == str(pairs)
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
    assert bert.load(str(copied.output), rerank_model="").options.threshold == -np.inf
    error = copied("--do_eval", rerank_label="3", **flags).error
    assert error == "--rerank_label is '3', expected one of none: a number"
    before = commands.listing(copied.output / "index")
    assert copied(remove_ids="no", rerank_label="3").error == error  # of the model that is stored
    assert commands.listing(copied.output / "index") == before
    error = copied("--do_eval", rerank_model=copied.output).error
    assert error == f"--rerank_model={copied.output} holds a model for retrieval, expected one class or number a row"


@pytest.mark.parametrize(
    ("names", "label", "expected"),
    [(("0", "0.5", "1"), "", 0.5 * 0.3 + 0.5), (("0", "1"), "", 0.3), (("other", "same"), "same", 0.3)],
)
def test_classes_are_a_score(monkeypatch, names, label, expected):
    """The expected value of numbers, or the probability of the class that means equal."""
    probabilities = dict(zip(names, (0.2, 0.3, 0.5), strict=False))
    found = ClassPrediction(names[0], 0.5, probabilities, 0)
    stored = types.SimpleNamespace(labels={"pairs": True}, label_names=names)
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
            ("--do_train", "--do_eval"),
            {"best_metric": "loss", "eval_every_steps": 2},
            "--best_metric is 'loss', expected one of hit_at_1, hit_at_3, hit_at_10, recall_at_10, mrr_at_10",
        ),
        (("--do_train",), {"retriever": "bm25"}, "--retriever=bm25 has no model and no index, expected --do_eval"),
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


def test_a_second_model_that_is_none_is_refused_before_the_training(run, tmp_path):
    """Told by what lies in its folder; the first model's own is one for retrieval."""
    flags = {"output_dir": tmp_path / "output", "rerank_model": run.output}
    error = run("--do_train", "--do_index", "--do_eval", **flags).error
    assert error == f"--rerank_model={run.output} holds a model for retrieval, expected one class or number a row"
    assert commands.listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dev_file", "text\tanswer_id\nafter\tpaid\n", ": the answer 'paid' is not in the knowledge base; for a "),
        ("dev_file", "text\tid\nafter\tpay\n", ":1: no column 'answer_id', the header has: text, id"),
        ("dev_file", "text\tanswer_id\n", ": no question"),
        ("predict_file", "text\tanswer_id\nafter\tpaid\n", ": the answer 'paid' is not in the knowledge base; for a "),
        ("predict_file", "texts\nafter\n", ":1: no column 'question', the header has: texts"),
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


def test_a_baseline_stands_under_the_same_head(run, tmp_path):
    """DSSM, whose hash tables come from the vocabulary and are part of the fingerprint."""
    config = {"encoder": "dssm", "vocab_size": 473, "hidden_size": 16, "intermediate_size": 24, "hash_buckets": 500}
    (tmp_path / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 128}))
    flags = {"bert_config_file": tmp_path / "config.json", "output_dir": tmp_path / "output", "num_train_epochs": 10}
    run.done("--do_train", "--do_index", "--do_eval", **flags)
    assert float(commands.results(tmp_path / "output")["eval_hit_at_1"]) > 0.6
    faq = rows_of(run.folder / "faq.tsv")
    found = bert.load(str(tmp_path / "output")).predict(faq[0]["question"])
    assert found.answers[0].answer_id == faq[0]["answer_id"]
