"""`dev_fraction`: which rows of the training file become the dev set."""

import collections
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert import tasks
from bert.tasks import label_kinds, labels_file, table
from tests.task_files import refused, task

SLACK = 1 + 1e-9
FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**31)
CLASSES = st.lists(st.sampled_from("aaaaaaabbbcde").map(lambda name: (name,)), max_size=120)


@given(CLASSES, FRACTIONS, SEEDS)
def test_every_class_gives_its_share_and_keeps_a_row(strata, fraction, seed):
    drawn = table.stratified(strata, fraction, seed)
    assert drawn <= set(range(len(strata)))
    there = collections.Counter(strata)
    taken = collections.Counter(strata[index] for index in drawn)
    for name, count in there.items():
        assert abs(taken[name] - count * fraction) <= SLACK
        assert taken[name] < count


@given(st.lists(st.floats(-5, 5) | st.sampled_from([0.0, 0.5, 1.0]), max_size=120), FRACTIONS, SEEDS)
def test_numbers_are_drawn_evenly_over_their_range(strata, fraction, seed):
    drawn = table.stratified(strata, fraction, seed)
    assert abs(len(drawn) - len(strata) * fraction) <= SLACK
    for low in set(strata):
        share = fraction * sum(low <= number for number in strata)
        assert abs(sum(low <= strata[index] for index in drawn) - share) <= SLACK


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=4), max_size=60), FRACTIONS, SEEDS)
def test_of_several_labels_a_row_keeps_every_one_of_them(rows, fraction, seed):
    strata = [tuple(sorted(names)) for names in rows]
    drawn = table.stratified(strata, fraction, seed)
    left = {name for index, names in enumerate(strata) if index not in drawn for name in names}
    assert left == {name for names in strata for name in names}


@pytest.mark.parametrize(("kind", "different"), [("classes", 20), ("numbers", 6), ("several", 6)])
def test_the_seed_alone_says_which_rows(kind, different):
    strata = {
        "classes": [("ab"[i % 2],) for i in range(100)],
        "numbers": [float(i) for i in range(100)],
        "several": [tuple(sorted({"abcdefghij"[i % 10], "abcdefghij"[i // 10]})) for i in range(100)],
    }[kind]
    drawn = [table.stratified(strata, 0.1, seed) for seed in range(20)]
    assert drawn == [table.stratified(strata, 0.1, seed) for seed in range(20)]
    assert len(set(drawn)) >= different
    assert all(8 <= len(each) <= 11 for each in drawn)
    assert len(frozenset.union(*drawn)) > 60  # no row is always left out, none always taken
    assert not frozenset.intersection(*drawn)


def test_many_classes_of_one_row_take_nothing_from_their_neighbour():
    strata = [(f"rare {i:02}",) for i in range(50)] + [("z",)] * 100
    for seed in range(5):
        drawn = table.stratified(strata, 0.1, seed)
        assert len(drawn) == pytest.approx(10, abs=1)
        assert min(drawn) >= 50


# On files


def jsonl(labels, texts=None) -> str:
    texts = texts or ["t"] * len(labels)
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def split(folder, text: str, **options) -> tuple[list, list]:
    """The training and the dev examples of a train.jsonl with that text."""
    (folder / "train.jsonl").write_text(text, encoding="utf-8")
    ours = task(**options)
    ours.prepare(str(folder), str(folder / "output"), ["train", "dev"])
    return tuple(ours.examples(str(folder), name) for name in ("train", "dev"))


LABELS = {
    "class": ["no", "yes", "no"] * 20,
    "multilabel": [sorted({"abcdefgh"[i % 8], "abcdefgh"[i * i % 7]}) for i in range(60)],
    "regression": [i * i / 8 for i in range(60)],
}


@settings(max_examples=20)
@given(st.sampled_from(sorted(LABELS)), st.floats(0.05, 0.9), SEEDS)
def test_both_parts_make_the_whole_file(tmp_path_factory, kind, fraction, seed):
    texts = [f"text {i}" for i in range(60)]
    folder = tmp_path_factory.getbasetemp()
    train, dev = split(folder, jsonl(LABELS[kind], texts), dev_fraction=fraction, dev_seed=seed)
    assert {example.guid.partition("-")[0] for example in dev} == {"dev"}
    order = [[int(example.guid.partition("-")[2]) for example in part] for part in (train, dev)]
    assert order == [sorted(part) for part in order]
    assert sorted(order[0] + order[1]) == list(range(60))
    for example in train + dev:
        place = int(example.guid.partition("-")[2])
        assert example.text_a == texts[place]
        found = list(example.label) if kind == "multilabel" else example.label
        assert found == LABELS[kind][place]
    assert (train, dev) == split(folder, jsonl(LABELS[kind], texts), dev_fraction=fraction, dev_seed=seed)


def test_rows_of_several_labels_that_are_all_different_still_make_a_dev_set(tmp_path):
    labels = [["abcdefghij"[i // 10], "klmnopqrst"[i % 10]] for i in range(100)]
    train, dev = split(tmp_path, jsonl(labels), dev_fraction=0.2)
    assert 15 <= len(dev) <= 21
    assert {name for example in train for name in example.label} == set("abcdefghijklmnopqrst")


def test_space_around_labels_and_their_order_make_no_strata_of_their_own(tmp_path):
    labels = ["a| b", "b|a", " a|b ", "b |a"] * 5 + ["a|c"] * 6  # a|c stands between a|b and b|a
    for seed in range(4):
        dev = split(tmp_path, jsonl(labels), dev_fraction=0.25, dev_seed=seed)[1]
        assert sum(set(example.label) == {"a", "b"} for example in dev) == 5


def test_a_dev_file_that_lies_there_is_not_read(tmp_path):
    (tmp_path / "dev.tsv").write_text("nonsense\n")
    assert len(split(tmp_path, jsonl(["x", "y"] * 10), dev_fraction=0.2)[1]) == 4


def test_the_test_file_stays_whole(tmp_path):
    split(tmp_path, jsonl(["x", "y"] * 10), dev_fraction=0.2)
    (tmp_path / "test.tsv").write_text("text\n" + "t\n" * 7)
    assert len(task(dev_fraction=0.2).examples(str(tmp_path), "test")) == 7


def test_an_error_in_a_dev_row_has_the_line_of_the_training_file(tmp_path):
    labels = ["x", "y"] * 10
    train, dev = split(tmp_path, jsonl(labels), dev_fraction=0.2)
    bad = int(dev[1].guid.removeprefix("dev-"))
    assert bad not in {int(example.guid.removeprefix("train-")) for example in train}
    texts = ["t"] * 20
    texts[bad] = 5
    message = refused(lambda: split(tmp_path, jsonl(labels, texts), dev_fraction=0.2))
    assert message == f"{tmp_path}/train.jsonl:{bad + 1}: 'text' is '5', expected a text"


@pytest.mark.parametrize(
    ("options", "labels", "problem"),
    [
        ({}, ["x", "y", "z"], "`dev_fraction`=0.2 of the 3 rows of {path} is no row"),
        ({}, ["x", "", "y"], "{path}:2: the label is empty, expected the name of a class"),
        ({"label_kind": "regression"}, [1, "many", 2], "{path}:2: the label is 'many', expected a number"),
        ({}, ["x", "x"], "{path}: holds only the label 'x', expected at least two labels"),
    ],
)
def test_what_cannot_be_split_is_refused(tmp_path, options, labels, problem):
    message = refused(lambda: split(tmp_path, jsonl(labels), dev_fraction=0.2, **options))
    assert message == problem.format(path=tmp_path / "train.jsonl")


def test_evaluating_later_finds_the_same_rows(tmp_path):
    """With the labels of labels.json instead of the training file."""
    dev = split(tmp_path, jsonl(LABELS["multilabel"]), dev_fraction=0.2, dev_seed=3)[1]
    trained = task(dev_fraction=0.2, dev_seed=3)
    trained.prepare(str(tmp_path), str(tmp_path), tasks.SPLITS[:1])
    labels_file.write(str(tmp_path), trained.labels_content())
    later = task(dev_fraction=0.2, dev_seed=3)
    later.prepare(str(tmp_path), str(tmp_path), ["dev"])
    assert later.label_kind is label_kinds.MULTILABEL
    assert later.examples(str(tmp_path), "dev") == dev
