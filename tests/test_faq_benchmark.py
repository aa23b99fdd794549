"""benchmarks/faq.py: what its rows read, which runs it makes, what its tables say; and the TF-IDF baseline."""

import collections
import dataclasses
import importlib
import json
import pathlib

import numpy as np
import pytest

from benchmarks import faq, faq_data, faq_rows, finished, tfidf
from benchmarks.faq import Bench, Settings
from benchmarks.faq_data import TASKS, Draw
from benchmarks.faq_rows import ROWS, Model
from bert.config import BertConfig
from bert.tasks import InputExample
from tests import commands
from tests.test_benchmarks import rows_of
from tests.test_chinese_example import execute

INTENTS = [("where is it", "place"), ("which place", "place"), ("where do I go", "place"), ("where", "place")]
INTENTS += [("when is it", "time"), ("what time", "time"), ("when do I go", "time"), ("at what hour", "time")]
PAIRS = [("a", "b", 1), ("b", "c", 1), ("d", "e", 1), ("f", "g", 1), ("h", "i", 0), ("j", "k", 1)]


@pytest.fixture
def banking77(folder) -> str:
    lines = "".join(f"{text},{label}\n" for text, label in INTENTS)
    return folder({"train.csv": f"text,category\n{lines}", "test.csv": "text,category\nWhere,place\nwhen now,time\n"})


@pytest.fixture
def afqmc(folder) -> str:
    dev = [("l", "m", 1), ("n", "o", 0), ("a", "p", 1), ("q", "r", 1), ("r", "s", 1)]
    texts = {"train": PAIRS, "dev": dev}
    return folder({f"{split}.txt": "".join(f"{a}\t{b}\t{c}\n" for a, b, c in own) for split, own in texts.items()})


@pytest.fixture
def model(folder) -> str:
    """A folder with config and vocabulary, and no weights."""
    vocabulary = commands.VOCABULARY.read_text(encoding="utf-8")
    return folder({"bert_config.json": json.dumps(commands.TINY), "vocab.txt": vocabulary})


def settings(tmp_path, **more) -> Settings:
    return Settings(work_dir=str(tmp_path / "work"), **more)


def test_what_is_judged_is_neither_learned_nor_tuned_by(banking77):
    tables = faq_data.classes(Draw("banking77", banking77, 0, 0))
    rows = {name: [tuple(row) for row in table[1:]] for name, table in tables.items()}
    assert rows["test.tsv"] == [("Where", "place"), ("when now", "time")]
    assert sorted(rows["train.tsv"] + rows["dev.tsv"]) == sorted(row for row in INTENTS if row[0] != "where")
    assert {tuple(table[0]) for table in tables.values()} == {("text", "label")}
    fewer = faq_data.classes(Draw("banking77", banking77, 4, 1))
    assert len(fewer["train.tsv"]) + len(fewer["dev.tsv"]) == 2 + 4
    assert len(fewer["test.tsv"]) == 1 + 1


def test_thinned_classes_are_long_tailed(monkeypatch):
    """Of 33 rows each: all, a thirty-second to the power of one half, and of what would be one row the least, four."""
    training = [InputExample("", f"{name} {row}", label=name) for name in "abc" for row in range(33)]
    monkeypatch.setattr(Draw, "examples", lambda draw: (training, training[:1]))
    tables = faq_data.thinned(Draw("banking77", "", 0, 0))
    kept = collections.Counter(row[1] for name in ("train.tsv", "dev.tsv") for row in tables[name][1:])
    assert sorted(kept.values()) == [4, 6, 33]


def test_intents_are_answers(banking77):
    tables = faq_data.intents_as_answers(Draw("banking77", banking77, 0, 0))
    assert tables["test.tsv"] == [["text", "answer_id"], ["Where", "place"], ["when now", "time"]]
    assert len(tables["questions.tsv"]) + len(tables["dev.tsv"]) == 2 + 7


def test_clusters_are_answers_and_those_asked_for_are_new(afqmc):
    """Of training {a b c}, {d e}, {f g}, {j k} one is for tuning; of dev {l m}, {q r s}; a is known from training."""
    tables = faq_data.clusters_as_answers(Draw("afqmc", afqmc, 0, 0))
    questions = dict(tables["questions.tsv"][1:])
    assert (questions["l"], questions["q"]) == ("test-0", "test-1")
    assert tables["test.tsv"][1:] == [["m", "test-0"], ["r", "test-1"], ["s", "test-1"]]
    assert not questions.keys() & {"m", "r", "s", "n", "o", "p", "h", "i"}
    asked = dict(tables["dev.tsv"][1:])
    assert set(asked.values()) == {"dev-0"}
    assert not asked.keys() & questions.keys()
    assert list(questions.values()).count("dev-0") == 1
    assert questions.keys() | asked.keys() | {"m", "r", "s"} == set("abcdefgjklmqrs")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_commands_have_flags_that_exist_and_configs_that_are_read(tmp_path, model, task, row):
    argv = faq_rows.command(task, row, Model(model), tmp_path, tmp_path / "output", row.rates[0], 1, 1)
    name, *flags = argv[2:] if argv[1] == "bert" else argv[1:]
    module = importlib.import_module(f"bert.commands.{name}" if argv[1] == "bert" else name)
    assert {flag[2:].split("=")[0] for flag in flags} <= {field.name for field in dataclasses.fields(module.Settings)}
    assert len(row.rates) == 3
    assert sorted(row.rates_in(task)) == sorted(row.rates)
    if row.name != faq_rows.WORDS:
        assert BertConfig.from_json_file(str(tmp_path / "output.json")).vocab_size == commands.TINY["vocab_size"]


def store(bench: Bench, task: str, row: str, rate: float, seed: int, **measures: float) -> None:
    took = {"seconds": 10.0 * seed, "cpu_seconds": 5.0, "parameters": 2e6}
    cell = bench.cell(TASKS[task], ROWS[row], rate, seed)
    finished.add(bench.path, cell, {**measures, **took})
    bench.found = finished.read(bench.path, faq.Cell)


def test_the_rate_that_is_best_on_the_tuning_rows_is_run_with_the_other_seeds(tmp_path, model, capsys):
    given = settings(tmp_path, tnews_dir="tnews", chinese_model=model, tasks="tnews", rows="words,dssm,bert", trials=2)
    bench = Bench(given)
    cells = bench.cells()
    assert [(cell.row, cell.rate, cell.seed) for cell in (next(cells) for _ in range(4))] == [
        *[("words", rate, 1) for rate in (10.0, 100.0)],
        *[("dssm", rate, 1) for rate in (1e-3, 3e-4)],
    ]
    store(bench, "tnews", "words", 10.0, 1, tuning=0.5, macro_f1=0.5, accuracy=0.6)
    store(bench, "tnews", "words", 100.0, 1, tuning=0.4, macro_f1=0.9, accuracy=0.9)
    store(bench, "tnews", "dssm", 1e-3, 1, tuning=0.1, macro_f1=0.9, accuracy=0.9)
    store(bench, "tnews", "dssm", 3e-4, 1, tuning=0.2, macro_f1=0.3, accuracy=0.4)
    assert [(cell.row, cell.rate, cell.seed) for cell in cells] == [("dssm", 3e-4, seed) for seed in (2, 3)]
    assert "BERT, pre-trained left out" in capsys.readouterr().err
    store(bench, "tnews", "dssm", 3e-4, 2, tuning=0.2, macro_f1=0.5, accuracy=0.4)
    bench.print_tables()
    assert rows_of(capsys.readouterr().out) == [
        ["TF-IDF, logistic regression", "10, best of 2", "1", "0.500", "0.600", "2.0", "10", "5"],
        ["DSSM, three layers", "0.0003, best of 2", "2", "0.400 ± 0.141", "0.400 ± 0.000", "2.0", "15", "5"],
    ]
    other = Bench(settings(tmp_path, tnews_dir="tnews", chinese_model=model, tasks="tnews", train_rows=100))
    other.print_tables()
    assert capsys.readouterr().out == ""  # results of another budget are not among those


def test_a_run_from_tables_to_measures(tmp_path, banking77, model, monkeypatch, capsys):
    """BM25 and TF-IDF, in this process; a second start runs nothing."""

    def timed(argv: list[str], log: str) -> dict[str, float]:
        outcome = execute(["python", *argv[1:]])
        pathlib.Path(log).write_text(outcome.stdout + outcome.stderr)
        assert outcome.status == 0, outcome.stderr
        return {"seconds": 1.0, "cpu_seconds": 2.0}

    monkeypatch.setattr(faq, "timed", timed)
    monkeypatch.setattr(faq_data, "TUNING_SHARE", 0.3)
    given = {"banking77_dir": banking77, "english_model": model, "tasks": "banking77,banking77-answers"}
    for _ in range(2):
        faq.main(settings(tmp_path, **given, rows="words", trials=1))
    found = finished.read(tmp_path / "work" / "results.jsonl", faq.Cell)
    measures = {cell.task: values for cell, values in found.items()}
    assert measures["banking77"]["accuracy"] == 1
    assert measures["banking77-answers"]["hit_at_1"] == 1
    assert measures["banking77"]["parameters"] > 0
    out = capsys.readouterr()
    assert out.err.count("\nbanking77-words-10-1\n") == 1
    assert out.out.count("### Retrieval, BANKING77's intents as answers: all rows to learn from, all to judge by") == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"tasks": "x"}, "--tasks has 'x', expected some of afqmc,mrpc,banking77,"),
        ({"rows": "x"}, "--rows has 'x', expected some of words,average,"),
        ({"seeds": "1,a"}, "--seeds has 'a', expected numbers"),
        ({"trials": 0}, "--trials is 0, expected at least 1"),
        ({"epochs": -1}, "--epochs is -1.0, expected 0 or more"),
        ({"english_model": "nowhere"}, "--english_model"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tmp_path, flags, said):
    assert commands.run("benchmarks.faq", work_dir=tmp_path / "work", **flags).error.startswith(said)


def test_features_of_pairs_by_hand():
    """Two texts of one word each: with the same word u = v, with others nothing in common."""
    pairs = [InputExample("", "a", "a", "1"), InputExample("", "a", "b", "0")]
    found = tfidf.Features(pairs)(pairs).toarray()  # |u - v| of a and b, u * v of a and b, cosine
    assert found == pytest.approx(np.array([[0, 0, 1, 0, 1], [1, 1, 0, 0, 0]]))


def test_tfidf_writes_what_run_classifier_does(tmp_path):
    for split in ("train", "dev", "test"):
        label = split != "test"
        lines = [f"{text}\t{name}\n" if label else f"{text}\n" for text, name in INTENTS]
        (tmp_path / f"{split}.tsv").write_text(("text\tlabel\n" if label else "text\n") + "".join(lines))
    flags = {"task_name": "table", "data_dir": tmp_path, "output_dir": tmp_path / "output"}
    outcome = commands.run("benchmarks.tfidf", **flags, class_weights="balanced")
    assert outcome.status == 0, outcome.stderr
    assert float(commands.results(tmp_path / "output")["eval_accuracy"]) == 1
    lines = (tmp_path / "output" / "predictions.tsv").read_text().splitlines()
    assert lines[0] == "id\ttext\tlabel\tscore\tplace\ttime"
    assert [line.split("\t")[2] for line in lines[1:]] == [name for _, name in INTENTS]
    names = sorted({name for _, name in INTENTS})
    (tmp_path / "weights.tsv").write_text("".join(f"{name}\t{int(name == names[0])}\n" for name in names))
    outcome = commands.run("benchmarks.tfidf", **flags, class_weights=tmp_path / "weights.tsv")
    assert outcome.status == 0, outcome.stderr
    lines = (tmp_path / "output" / "predictions.tsv").read_text().splitlines()
    assert {line.split("\t")[2] for line in lines[1:]} == {names[0]}  # nothing else counts
    error = commands.run("benchmarks.tfidf", **flags, label_kind="multilabel").error
    assert error == "the labels of task table are of the kind multilabel, expected one class each"
    assert commands.run("benchmarks.tfidf", **flags, strength=0).error == "--strength is 0.0, expected more than 0"
