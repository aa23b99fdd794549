"""Knowledge bases: what is read of tables and pairs, what is refused, what is kept for evaluation."""

import json

import numpy as np
import pytest

from bert.errors import InputError
from bert.options.retrieval import RetrievalOptions
from bert.retrieval import knowledge, splitting
from bert.retrieval.knowledge import KnowledgeBase


def read(tmp_path, text: str, name: str = "faq.tsv", **options) -> KnowledgeBase:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return knowledge.read(str(tmp_path / name), RetrievalOptions(**options))


def test_a_table_with_and_without_answers(tmp_path):
    base = read(tmp_path, "question\tanswer_id\tanswer\nwhere ?\tplace\tthere\nwhy ?\treason\t\nwhither ?\tplace\t\n")
    assert base.questions == ("where ?", "why ?", "whither ?")
    assert base.names == ("place", "reason")
    assert base.groups.tolist() == [0, 1, 0]
    assert base.answers == {"place": "there"}
    rows = [{"q": "where\n?", "id": 7, "answer": "there"}, {"q": "why", "id": "8", "answer": None}]
    base = read(tmp_path, "\n".join(map(json.dumps, rows)), "faq.jsonl", question_column="q", answer_id_column="id")
    assert (base.questions, base.answer_ids) == (("where\n?", "why"), ("7", "8"))
    assert base.answers == {"7": "there"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question\tanswer_id\n\tx\n", "faq.tsv:2: 'question' is empty, expected a text"),
        ("question\tanswer_id\na\t \n", "faq.tsv:2: 'answer_id' is empty, expected a text"),
        ("question\tanswer_id\na\n", "faq.tsv:2: 1 columns, expected 2 as in the header"),
        ("question\tid\na\tb\n", "faq.tsv:1: no column 'answer_id', the header has: question, id"),
        ("question\tanswer_id\n", "faq.tsv: no question"),
        (
            "question\tanswer_id\tanswer\na\tx\tyes\nb\tx\tno\n",
            "faq.tsv:3: the answer 'x' is 'no', before it was 'yes'",
        ),
    ],
)
def test_what_is_no_knowledge_base(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert str(error.value) == f"{tmp_path}/{message}"


def test_copies_differ_in_case_width_and_space_alone(tmp_path):
    base = KnowledgeBase(
        ("Where is it？", "where  is IT?", "where is it", "STRASSE", "straße"), ("a", "b", "a", "c", "c")
    )
    assert base.copies("where is it?").tolist() == [0, 1]
    assert base.copies("Straße").tolist() == [3, 4]
    assert base.copies("x").tolist() == []
    assert base.others("where is it?", "a").tolist() == [2]
    assert base.others("strasse", "c").tolist() == []


def test_a_cluster_of_equal_questions_is_an_answer(tmp_path):
    """Equal by a third question too; a pair of another label adds questions and joins nothing."""
    pairs = [("a", "b", 1), ("c", "d", 0), ("B", "e", 1), ("f", "d", 1), ("g", "a", 0), ("a", "e", 0)]
    text = "".join(f"{first}\t{second}\t{label}\n" for first, second, label in pairs)
    columns = {"header": False, "question_column": "1", "question_b_column": "2", "label_column": "3"}
    base = read(tmp_path, text, equal_label="1", **columns)
    assert base.questions == ("a", "b", "c", "d", "e", "f", "g")
    assert base.answer_ids == ("a", "a", "c", "d", "a", "d", "g")
    assert base.answers["d"] == "d"
    with pytest.raises(InputError, match="no pair has the label 'yes'"):
        read(tmp_path, text, equal_label="yes", **columns)


def test_queries_may_have_no_answer(tmp_path):
    path = tmp_path / "dev.tsv"
    path.write_text("text\tanswer_id\nwhere\tplace\nhow tall\t\n")
    queries = knowledge.read_queries(str(path), RetrievalOptions(), needs_answers=True)
    assert (queries.texts, queries.answer_ids) == (("where", "how tall"), ("place", ""))
    base = KnowledgeBase(("a",), ("other",))
    with pytest.raises(InputError, match="the answer 'place' is not in the knowledge base; for a question that has no"):
        knowledge.check_known(queries, base, str(path))
    path.write_text("text\nwhere\n")
    assert knowledge.read_queries(str(path), RetrievalOptions(), needs_answers=False).answer_ids is None
    with pytest.raises(InputError, match="no column 'answer_id'"):
        knowledge.read_queries(str(path), RetrievalOptions(), needs_answers=True)


def test_queries_without_a_header_may_have_no_column_of_answers(tmp_path):
    path = tmp_path / "ask.tsv"
    path.write_text("where\nwhy\n")
    options = RetrievalOptions(header=False, question_column="1", answer_id_column="2")
    assert knowledge.read_queries(str(path), options, needs_answers=False).answer_ids is None
    with pytest.raises(InputError, match=r"ask\.tsv:1: too short: 1 columns, expected at least 2"):
        knowledge.read_queries(str(path), options, needs_answers=True)
    path.write_text("where\tplace\nwhy\t\n")
    assert knowledge.read_queries(str(path), options, needs_answers=False).answer_ids == ("place", "")


def test_queries_of_which_some_say_their_answers_are_refused(tmp_path):
    """Else nothing would be judged, without a word."""
    path = tmp_path / "ask.jsonl"
    path.write_text('{"text": "where", "answer_id": "place"}\n{"text": "why"}\n')
    with pytest.raises(InputError) as error:
        knowledge.read_queries(str(path), RetrievalOptions(), needs_answers=False)
    told = "1 of 2 questions have 'answer_id', expected all or none; null means that no answer is right"
    assert str(error.value) == f"{path}: {told}"
    path.write_text('{"text": "where", "answer_id": "place"}\n{"text": "why", "answer_id": null}\n')
    assert knowledge.read_queries(str(path), RetrievalOptions(), False).answer_ids == ("place", "")


def test_questions_with_several_answers_are_told():
    base = KnowledgeBase(("where?", "Where?", "why", "WHERE?", "who", "who"), ("a", "b", "b", "a", "c", "c"))
    assert list(knowledge.described(base))[1:] == ["  1 questions have several answers, the first of them 'where?'"]
    assert len(list(knowledge.described(base.take([0, 2, 3, 4, 5])))) == 1


@pytest.fixture
def base() -> KnowledgeBase:
    """Ten answers, answer n with n questions."""
    names = tuple(f"a{number}" for number in range(1, 11) for _ in range(number))
    return KnowledgeBase(tuple(f"q{row}" for row in range(len(names))), names)


def test_answers_are_kept_with_all_their_questions(base):
    found = splitting.held_out(base, RetrievalOptions(dev_fraction=0.3))
    kept = {base.answer_ids[row] for row in found}
    assert len(kept) == round(0.3 * 9)  # the answer with one question could not be found without it
    assert "a1" not in kept
    assert len(found) == sum(int(name[1:]) for name in kept)
    assert (found == splitting.held_out(base, RetrievalOptions(dev_fraction=0.3))).all()
    others = [splitting.held_out(base, RetrievalOptions(dev_fraction=0.3, dev_seed=seed)).tolist() for seed in range(9)]
    assert len({tuple(rows) for rows in others}) > 3


def test_or_questions_of_every_answer(base):
    found = splitting.held_out(base, RetrievalOptions(dev_fraction=0.4, dev_split="questions"))
    left = splitting.trained(base, RetrievalOptions(dev_fraction=0.4, dev_split="questions"))
    assert np.array_equal(np.union1d(left, found), np.arange(len(base)))
    assert not np.intersect1d(left, found).size
    assert {base.answer_ids[row] for row in left} == set(base.names)
    assert len(found) == pytest.approx(0.4 * len(base), abs=2)
    with pytest.raises(InputError, match=r"`dev_fraction`=0\.01 of 10 answers, 9 of them with several questions"):
        splitting.held_out(base, RetrievalOptions(dev_fraction=0.01))


def test_a_copy_of_a_question_that_is_asked_is_not_trained_on():
    base = KnowledgeBase(("where", "who", "Where", "why", "when", "how"), ("a", "b", "a", "b", "a", "b"))
    for seed in range(9):
        options = RetrievalOptions(dev_fraction=0.4, dev_split="questions", dev_seed=seed)
        asked = {base.questions[row].lower() for row in splitting.held_out(base, options)}
        trained = [base.questions[row].lower() for row in splitting.trained(base, options)]
        assert sorted(trained) == sorted(each for each in map(str.lower, base.questions) if each not in asked)
