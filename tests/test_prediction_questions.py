"""bert.load on trained question answering: the answers of --do_predict, and where in the document they stand."""

import json

import numpy as np
import pytest

import bert
from bert.errors import InputError
from bert.options.questions import ReadingOptions
from tests import trained
from tests.test_squad_records import golden_tokenizer


def rows_of(path) -> dict[str, tuple[str, str]]:
    """Question id -> (question, document)."""
    paragraphs = [
        part for entry in json.loads(path.read_text(encoding="utf-8"))["data"] for part in entry["paragraphs"]
    ]
    return {asked["id"]: (asked["question"], part["context"]) for part in paragraphs for asked in part["qas"]}


def read(output, name: str) -> dict:
    return json.loads((output / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tokens(golden):
    return golden_tokenizer(golden).vocabulary.tokens


@pytest.fixture(scope="module")
def first(tmp_path_factory, golden, tokens):
    """SQuAD 1.1; one of the documents needs many windows."""
    return trained.questions(tmp_path_factory.mktemp("v1"), golden / "squad" / "train.json", tokens)


@pytest.fixture(scope="module")
def model(first):
    return bert.load(str(first))


def check(found, written: list[dict], document: str) -> None:
    """That the n best are those of nbest_predictions.json, and stand where they say they do."""
    assert [answer.text for answer in found.n_best] == [entry["text"] for entry in written]
    assert [answer.score for answer in found.n_best] == pytest.approx([e["probability"] for e in written], abs=1e-6)
    for answer in found.n_best:
        if answer.start is not None:
            assert " ".join(document[answer.start : answer.end].split()) == " ".join(answer.text.split())


def test_answers_are_those_of_do_predict(model, first, golden):
    rows = rows_of(golden / "squad" / "train.json")
    predicted, written = read(first, "predictions.json"), read(first, "nbest_predictions.json")
    found = dict(zip(rows, model.predict(list(rows.values())), strict=True))
    for name, (_, document) in rows.items():
        check(found[name], written[name], document)
        assert found[name].text == predicted[name]
        assert found[name].null_odds is None
        own = found[name].n_best[0]
        assert (found[name].start, found[name].end, found[name].score) == (own.start, own.end, own.score)
    assert len({answer.text for answer in found.values()}) > 5


def test_answers_that_may_be_none_are_those_of_do_predict(tmp_path, golden, tokens):
    path = golden / "squad" / "v2.json"
    output = trained.questions(tmp_path, path, tokens, version_2_with_negative=True)
    rows, odds = rows_of(path), read(output, "null_odds.json")
    found = dict(zip(rows, bert.load(str(output)).predict(list(rows.values())), strict=True))
    for name, (_, document) in rows.items():
        check(found[name], read(output, "nbest_predictions.json")[name], document)
    assert {name: one.text for name, one in found.items()} == read(output, "predictions.json")
    assert {name: one.null_odds for name, one in found.items()} == pytest.approx(odds, abs=1e-5)
    always_none = bert.load(str(output), null_score_diff_threshold=-1000)
    assert {(one.text, one.start) for one in always_none.predict(list(rows.values()))} == {("", None)}
    never_none = bert.load(str(output), null_score_diff_threshold=1000).predict(list(rows.values()))
    assert all(one.text and one.start is not None for one in never_none)


def test_options_of_ones_own(model, first):
    assert (model.options.doc_stride, model.options.max_query_length, model.max_seq_length) == (20, 24, 64)
    other = bert.load(str(first), n_best_size=3, max_answer_length=1, doc_stride=8, max_query_length=4)
    assert other.options == ReadingOptions(n_best_size=3, max_answer_length=1, doc_stride=8, max_query_length=4)
    found = other.predict(("Who said that it was the new old company of her?", "The group said\u202f \t no. " * 30))
    assert len(found.n_best) <= 3
    assert found.truncated > 0
    assert all(" " not in answer.text for answer in found.n_best)


def test_places_count_spaces_that_the_text_has_not(model):
    document = "\n The  company\t\u202fsaid  no after   the bell."
    found = model.predict({"question": "Who said no?", "context": document})
    spaced = [answer for answer in found.n_best if " " in answer.text]
    assert spaced
    assert all(" ".join(document[answer.start : answer.end].split()) == answer.text for answer in spaced)
    assert found.as_dict()["n_best"][0] == {
        "text": found.text,
        "start": found.start,
        "end": found.end,
        "score": found.score,
    }


def test_a_document_without_a_word_piece_has_no_answer(model):
    found = model.predict([("Who?", "\x01\x02"), ("Who?", "the company")])
    assert (found[0].text, found[0].start, found[0].score) == ("", None, 0.0)
    assert found[1].text
    assert model.predict(("Who?", "\u200b")).text == ""


EXPECTED = 'expected a pair of texts (question, context), or {"question": ..., "context": ...}'


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("Who?", f'the row: found "Who?", {EXPECTED}'),
        ([("Who?", "a"), ("Who?", " ")], "rows[1]: the context is empty, expected a text"),
        ([{"question": "", "context": "a"}], "rows[0]: the question is empty, expected a text"),
        ([{"question": "Who?", "text": "a"}], f'rows[0]: found the field "text", {EXPECTED}'),
    ],
)
def test_a_bad_row_is_named(model, rows, message):
    with pytest.raises(InputError) as caught:
        model.predict(rows)
    assert str(caught.value) == message


def test_lengths_that_leave_no_room_are_refused(first):
    with pytest.raises(
        InputError, match="`max_seq_length` is 27, expected more than 27: a question of `max_query_length`=24"
    ):
        bert.load(str(first), max_seq_length=27)
    with pytest.raises(InputError, match="`doc_stride` is 0, expected at least 1"):
        bert.load(str(first), doc_stride=0)


def test_many_rows_are_one_row_many_times(model):
    row = ("Who said no?", "the company said no after the bell " * 20)
    alone = model.predict(row)
    for found in model.predict([row] * 70):  # over rows_at_once
        assert found.text == alone.text
        np.testing.assert_allclose(found.score, alone.score, rtol=0, atol=1e-6)
