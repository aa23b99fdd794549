"""Retrieval on sets that are known by name: what becomes a question, what an answer, and what has none."""

import json

import pytest

from bert.options.retrieval import RetrievalOptions
from bert.retrieval import sources
from tests import commands
from tests.task_files import refused
from tests.test_intent_tasks import BANKING, CLINC

PAIRS = "a\tb\t1\nc\td\t0\nB\te\t1\n"
GRADED = "sentence1\tsentence2\tscore\na\tb\t5.000\na\tc\t4.8\nd\te\t0.2\n"


def options(folder: str, name: str, **more) -> RetrievalOptions:
    return RetrievalOptions(task_name=name, data_dir=folder, **more)


def test_a_class_is_an_answer_and_what_is_out_of_scope_has_none(folder):
    path = folder({"data_full.json": json.dumps(CLINC)})
    asking = options(path, "clinc150-oos")
    base = sources.base(asking)
    assert (base.questions, base.answer_ids) == (("how much is it", "play it"), ("price", "music"))
    dev, test = sources.asked(asking, "dev"), sources.asked(asking, "test")
    assert (dev.texts, dev.answer_ids) == (("what does it cost", "who am i", "why"), ("price", "", ""))
    assert (test.texts, test.answer_ids) == (("sing", "is there a god"), ("music", ""))
    assert sources.asked(options(path, "clinc150"), "dev").answer_ids == ("price",)


@pytest.mark.parametrize("name", ["afqmc", "lcqmc", "bq"])
def test_a_cluster_of_equal_pairs_is_an_answer(folder, name):
    base = sources.base(options(folder({"train.txt": PAIRS}), name))
    assert dict(zip(base.questions, base.answer_ids, strict=True)) == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "a"}


def test_a_cluster_of_pairs_of_a_high_grade_is_an_answer(folder):
    path = folder({"train.tsv": GRADED})
    clusters = {
        least: sources.base(options(path, "sts-b", equal_label=least)).groups.tolist() for least in ("5", "4.5")
    }
    assert clusters == {"5": [0, 0, 1, 2, 3], "4.5": [0, 0, 0, 1, 2]}


@pytest.mark.parametrize(
    ("files", "name", "more", "said"),
    [
        ({"train.txt": PAIRS}, "afqmc", {"equal_label": "2"}, "`equal_label` is '2', expected one of 0, 1"),
        ({"train.txt": "a\tb\t0\n"}, "afqmc", {}, "train.txt: no pair has the label '1' (`equal_label`)"),
        ({"train.tsv": GRADED}, "sts-b", {}, "`equal_label` is '', but the labels of task sts-b are numbers"),
        (
            {"data_full.json": json.dumps({**CLINC, "train": [], "oos_train": [["who", "oos"]]})},
            "clinc150-oos",
            {},
            "data_full.json: no text of another class than oos",
        ),
        ({"train.tsv": "text\tlabel\na\tx|y\nb\ty\n"}, "table", {}, "`task_name` is table, which has no answers"),
    ],
)
def test_what_is_no_knowledge_base(folder, files, name, more, said):
    assert said in refused(sources.base, options(folder(files), name, **more))


def test_words_find_the_intents_of_a_set_by_name(folder, tmp_path):
    """The whole command: BM25 answers BANKING77, of whose test set the labels judge."""
    test = "text,category\nHow can I get cash out?,cash\nwhy fees when,fees\n"
    path = folder({"train.csv": BANKING, "test.csv": test})
    flags = {"retriever": "bm25", "task_name": "banking77", "data_dir": path, "output_dir": tmp_path / "output"}
    outcome = commands.run("bert.commands.run_retrieval", "--do_eval", "--do_predict", **flags)
    assert outcome.status == 0, outcome.stderr
    assert float(commands.results(tmp_path / "output")["eval_hit_at_1"]) == 1
    report = json.loads((tmp_path / "output" / "test_report.json").read_text())
    assert report["measures"]["hit_at_1"] == 1
    told = {name: report["threshold"][name] for name in ("coverage", "precision", "recall", "criterion")}
    assert told == {"coverage": 1, "precision": 1, "recall": 1, "criterion": "the evaluation"}
    assert f"There is no dev set: the threshold of I don't know is chosen by the test set, {path}" in outcome.stderr


def test_a_set_without_a_dev_set_is_known(folder):
    path = folder({"train.csv": BANKING, "test.csv": BANKING, "data_full.json": json.dumps(CLINC)})
    assert sources.has_no_dev_set(options(path, "banking77"))
    assert not sources.has_no_dev_set(options(path, "banking77", dev_file="dev.tsv"))
    assert not sources.has_no_dev_set(options(path, "clinc150"))  # one file, two parts
    folder({"dev.csv": BANKING})
    assert not sources.has_no_dev_set(options(path, "banking77"))


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        (("--do_eval",), {"data_dir": ""}, "--task_name and --data_dir: expected both or none"),
        (("--do_eval",), {"knowledge_file": "x"}, "--task_name=afqmc and --knowledge_file=x: expected only one"),
        (
            ("--do_eval",),
            {},
            "--task_name is afqmc, whose dev set is of pairs: give a file of questions",
        ),
        (("--do_predict",), {}, "--do_predict: "),
        (("--do_eval",), {"task_name": "x"}, "--task_name is 'x', expected one of afqmc,"),
    ],
)
def test_flags_that_make_no_sense(folder, tmp_path, arguments, more, said):
    path = folder({"train.txt": PAIRS, "dev.txt": PAIRS})
    flags = {"retriever": "bm25", "task_name": "afqmc", "data_dir": path, "output_dir": tmp_path / "output", **more}
    assert commands.run("bert.commands.run_retrieval", *arguments, **flags).error.startswith(said)
    assert not (tmp_path / "output").exists()
