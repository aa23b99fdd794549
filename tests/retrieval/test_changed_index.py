"""Questions that are added to an index and removed from it."""

import numpy as np
import pytest

import bert
from bert.retrieval import index
from tests.retrieval.runs import TOPICS


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


@pytest.mark.parametrize("kind", ["exact", "faiss"])
def test_an_answer_gets_its_text_later(copied, kind):
    if kind == "faiss":
        pytest.importorskip("faiss")
        copied.done("--do_index", index="faiss")
    more = copied.folder / "more.tsv"
    for text in ("", "about the old"):
        more.write_text(f"question\tanswer_id\tanswer\nof the old trade\told\t{text}\n")
        copied.done(add_file=more)
        assert index.read(str(copied.output)).base.answers.get("old", "") == text
    assert bert.load(str(copied.output)).predict("of the old trade").answers[0].answer == "about the old"


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
