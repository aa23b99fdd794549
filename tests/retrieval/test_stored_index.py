"""An index in its folder: what it remembers, what it refuses, and that it is whole or the former one."""

import io
import json
import math
import pathlib
import re
import shutil
import zlib
from collections.abc import Callable

import numpy as np
import pytest

import bert
from bert import checkpoint
from bert.errors import InputError
from bert.retrieval import index
from tests import commands
from tests.retrieval.runs import LENGTH, rows_of, table


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
    path = copied.output / "index" / "index.json"
    path.write_text(path.read_text()[:100])
    assert copied("--do_eval").error.startswith(f"{path}:")
    assert bert.load(str(copied.output), vectors=True).kind == "encoder"
    copied.done("--do_index")
    copied.done("--do_eval")
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
        (
            {"threshold": {"threshold": math.nan, "rerank_model": "", "rerank_candidates": 20}},
            "'threshold' is NaN, expected a number",
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
