"""Reading SQuAD files: what is taken, what is left out, what is refused and with which words."""

import json

import pytest

from bert.errors import InputError
from bert.tasks.squad import examples, windows
from bert.tasks.squad.examples import Answer, Document, Example
from bert.tokenization import Tokenizer, Vocabulary

CONTEXT = "The Normans (10th century) gave their name to Normandy."
ANSWER = {"text": "10th", "answer_start": 13}


def squad(*questions: dict, context: str = CONTEXT) -> dict:
    filled = [{"id": f"q{number}", "question": "When?", "answers": [ANSWER], **q} for number, q in enumerate(questions)]
    return {"data": [{"paragraphs": [{"context": context, "qas": filled}]}]}


@pytest.fixture
def write(tmp_path):
    def write(content) -> str:
        path = tmp_path / "squad.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    return write


def test_a_training_question_has_its_answer_in_words(write):
    (example,) = examples.read_training(write(squad({})), with_impossible=False)
    assert (example.id, example.question, example.answer) == ("q0", "When?", Answer("10th", 2, 2))
    assert example.document.words[2] == "(10th"
    assert not example.is_impossible


def test_impossible_questions_are_those_of_version_2(write):
    path = write(squad({"answers": [], "is_impossible": True}, {"is_impossible": False}))
    found = {example.id: example for example in examples.read_training(path, with_impossible=True)}
    assert (found["q0"].answer, found["q0"].is_impossible) == (None, True)
    assert (found["q1"].answer, found["q1"].is_impossible) == (Answer("10th", 2, 2), False)


def test_prediction_takes_every_answer_and_none(write):
    path = write(squad({}, {"answers": [ANSWER, {"text": "10th century", "answer_start": 13}]}, {"answers": []}))
    found = examples.read_prediction(path)
    assert [example.references for example in found] == [("10th",), ("10th", "10th century"), ()]
    assert examples.has_references(found)
    without = squad({})
    del without["data"][0]["paragraphs"][0]["qas"][0]["answers"]
    assert not examples.has_references(examples.read_prediction(write(without)))


def test_questions_of_a_paragraph_share_its_document(write):
    first, second = examples.read_prediction(write(squad({}, {})))
    assert first.document is second.document


@pytest.mark.parametrize(
    ("context", "text", "start", "words"),
    [
        (CONTEXT, "Normans (10th century)", 4, (1, 3)),
        (CONTEXT, "gave  their", 27, (4, 5)),  # a space too many
        ("a  b\nc d", "b c", 3, (1, 2)),  # spaces of any kind are one
        (CONTEXT, "10th", 12, (2, 2)),  # a character off, in the same word
        (CONTEXT, "10th", 20, None),  # in another word
        (CONTEXT, "10th", -1, None),
        (" one", " one", 0, (0, 0)),
        (" one two", " one", 0, None),  # begins before the first word
        ("他生于北京，死于北京。", "北京", 8, (8, 9)),  # the second of two places
    ],
)
def test_find_answer(context, text, start, words):
    found = examples.find_answer(Document.of(context), text, start, "here")
    assert found == (words and Answer(text, *words))


def test_an_answer_in_the_wrong_place_is_left_out_with_a_warning(write, caplog):
    path = write(squad({}, {"answers": [{"text": "Normandy", "answer_start": 3}]}))
    assert [example.id for example in examples.read_training(path, with_impossible=False)] == ["q0"]
    assert "Could not find answer: ' Normans' vs. 'Normandy'" in caplog.text
    assert "1 questions are left out" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "squad.json:1: not JSON"),
        ([1], "squad.json: expected a JSON object, found list"),
        ({"dat": []}, "squad.json: has no 'data', expected a list"),
        ({"data": [{"paragraphs": 3}]}, "data[0]: 'paragraphs' is 3, expected a list"),
        ({"data": ["x"]}, "data[0]: \"x\", expected an object with 'paragraphs'"),
        ({"data": []}, "holds no question to learn"),
        (squad({"id": 7}), "data[0].paragraphs[0].qas[0]: 'id' is 7, expected a text"),
        (squad({"answers": []}), "qas[0]: has 0 answers, expected exactly 1 in training"),
        (squad({"answers": [], "is_impossible": True}), "SQuAD 2.0 needs `version_2_with_negative`=true"),
        (squad({}, {"answers": [ANSWER, ANSWER]}), "qas[1]: has 2 answers, expected exactly 1"),
        (squad({"answers": [{"text": "x"}]}), "qas[0].answers[0]: has no 'answer_start', expected a whole number"),
        (squad({"answers": [{"text": " ", "answer_start": 3}]}), "answers[0]: the text is empty"),
        (squad({"answers": [{"text": "10th", "answer_start": 99}]}), "ends at character 102, but the context has 55"),
        (squad({"answers": [{"text": "10th", "answer_start": 20}]}), "holds no question to learn"),
    ],
)
def test_training_refuses(write, content, message):
    with pytest.raises(InputError) as refused:
        examples.read_training(write(content), with_impossible=False)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (squad({"id": "a"}, {"id": "a"}), "question id 'a' occurs twice"),
        (squad(), "holds no question"),
        (squad({"answers": "x"}), "qas[0]: 'answers' is \"x\", expected a list"),
        (squad({"answers": None}), "qas[0]: 'answers' is null, expected a list"),
    ],
)
@pytest.mark.parametrize("locate_answers", [False, True])
def test_prediction_refuses(write, content, message, locate_answers):
    with pytest.raises(InputError) as refused:
        examples.read_prediction(write(content), locate_answers)
    assert message in str(refused.value)


def test_version_2_asks_for_is_impossible(write):
    with pytest.raises(InputError, match=r"qas\[0\]: has no 'is_impossible', expected true or false"):
        examples.read_training(write(squad({})), with_impossible=True)


@pytest.mark.parametrize(
    ("text", "answer", "words", "learned"),
    [
        ("born in (1895).", "1895", (2, 2), ["1895"]),  # the words hold more than the answer
        ("in the 1990s", "1990", (2, 2), ["1990"]),  # and a word more than its first WordPiece
        ("in the 1880s", "1880", (2, 2), ["1880s"]),  # the answer ends inside a WordPiece: the whole word
        ("he is he", "he", (0, 2), ["he"]),  # the first of two places between the words
    ],
)
def test_the_learned_span_is_the_smallest_that_shows_the_answer(text, answer, words, learned):
    pieces = ["born", "in", "the", "he", "is", "(", ")", ".", "1895", "1880s", "1990", "##s"]
    tokenizer = Tokenizer(Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]))
    example = Example("q", "is he", Document.of(text), Answer(answer, *words))
    built = windows.build([example], tokenizer, 20, 10, 5, with_answers=True)
    assert built.tokens(0)[built.start_positions[0] : built.end_positions[0] + 1] == learned


def test_a_long_question_is_cut(write):
    tokenizer = Tokenizer(Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]))
    built = windows.build([Example("q", "a b b b", Document.of("b a"))], tokenizer, 9, 5, 2)
    assert built.tokens(0) == ["[CLS]", "a", "b", "[SEP]", "b", "a", "[SEP]"]
