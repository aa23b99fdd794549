"""Windows, projection and n-best answers against the slow models of tests/squad_references.py."""

import dataclasses
import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from bert.options.questions import AnswerOptions
from bert.tasks.squad import answers, projection, windows
from bert.tasks.squad.examples import Answer, Document, Example
from bert.tokenization import Tokenizer, Vocabulary
from tests import squad_references as reference
from tests.reference_tokenizer import basic_tokens

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abeosuAEÉÜßéüñçøІiİΣ12½吴北京，。'#-()$[]"
SPACES = " \t\n\u00a0\u202f\u3000\u2028"
VANISHING = "\u0301\u00ad\u200b\ufffd\u0000"  # an accent of its own, a soft hyphen, a zero-width space...
TEXTS = st.text(st.sampled_from(LETTERS + SPACES * 3 + VANISHING), min_size=1, max_size=60)
TWO = [letter * times for letter in "abeosu" for times in (1, 2)]
VOCABULARY = Vocabulary([*SPECIAL, *TWO, *(f"##{piece}" for piece in TWO), *"12吴北京，。'#-()$[]", "##1", "##2"])
TOKENIZERS = {lower: Tokenizer(VOCABULARY, lower) for lower in (True, False)}
FAST = hypothesis.settings(deadline=None, max_examples=200)


def build(text: str, room: int, stride: int, lower: bool = True) -> windows.QuestionWindows:
    """Windows with `room` for the document, of the question "a b"."""
    example = Example("q", "a b", Document.of(text))
    return windows.build([example], TOKENIZERS[lower], room + 5, stride, max_query_length=2)


@FAST
@hypothesis.given(TEXTS, st.integers(1, 20), st.integers(1, 20))
def test_windows_and_their_max_context_are_the_models(text, room, stride):
    built = build(text, room, stride)
    expected = reference.spans(built.documents.pieces.sizes[0], room, stride)
    assert list(zip(built.first.tolist(), built.size.tolist(), strict=True)) == expected
    for number, (first, size) in enumerate(expected):
        best = [reference.best_window(expected, piece) == number for piece in range(first, first + size)]
        assert built.is_max_context(number).tolist() == best


def test_a_row_is_shown_as_a_person_reads_it():
    example = Example("q", "a b", Document.of("a e b o"), Answer("b", 2, 2))
    built = windows.build([example], TOKENIZERS[True], 10, 5, max_query_length=2, with_answers=True)
    first = ["unique_id: 1000000000", "example_index: 0", "doc_span_index: 0", "tokens: [CLS] a b [SEP] a e b o [SEP]"]
    rest = ["start_position: 6", "end_position: 6", "answer: b", "length: 9 of 10"]
    assert built.show(0) == first + rest
    names = [line.split(":")[0] for line in built.show(0, verbose=True)[4:-4]]
    assert names == ["token_to_orig_map", "token_is_max_context", "input_ids", "input_mask", "segment_ids"]
    assert dataclasses.replace(built, with_answers=False).show(0) == [*first, "length: 9 of 10"]


def test_a_longer_window_gives_a_little_more_context():
    """Pieces 0 to 299 and 260 to 419: piece 280 has 19 + 300/100 in the first, 20 + 160/100 in the second."""
    built = build("a " * 420, room=300, stride=260)
    assert built.is_max_context(0).tolist() == [True] * 281 + [False] * 19
    assert built.is_max_context(1).tolist() == [False] * 21 + [True] * 139


def test_ties_of_context_go_to_the_earlier_window():
    built = build("a " * 9, room=4, stride=3)  # pieces 0 to 3, 3 to 6, 6 to 8
    expected = [[True] * 4, [False, True, True, True], [False, True, True]]
    assert [built.is_max_context(number).tolist() for number in range(3)] == expected


def test_words_are_what_stands_between_spaces():
    """A no-break space is none to the original, a narrow one is."""
    document = Document.of("\n S\u00e3o\u00a0Paulo\u202fis  big\t")
    assert document.words == ("S\u00e3o\u00a0Paulo", "is", "big")
    assert document.between(0, 2) == "S\u00e3o\u00a0Paulo is big"
    assert [document.word_at(place) for place in (0, 2, 10, 12, 13, 14, 17)] == [-1, 0, 0, 1, 1, 1, 2]


@FAST
@hypothesis.given(TEXTS)
def test_words_are_the_models(text):
    document = Document.of(text)
    assert [(a, a + len(word)) for a, word in zip(document.starts, document.words, strict=True)] == (
        reference.document_words(text)
    )
    if document.words:
        assert document.between(0, len(document.words) - 1) == reference.single_spaced(text)


@FAST
@hypothesis.given(st.text(max_size=30), st.booleans())
def test_normalized_is_basic_tokenization(text, lower):
    assert projection.normalized(text, lower) == " ".join(basic_tokens(text, lower))


@FAST
@hypothesis.given(TEXTS, st.booleans(), st.data())
def test_projection_is_the_models_and_keeps_the_documents_characters(text, lower, data):
    original = reference.single_spaced(text)
    parts = basic_tokens(original, lower)
    hypothesis.assume(parts)
    first = data.draw(st.integers(0, len(parts) - 1))
    last = data.draw(st.integers(first, len(parts) - 1))
    predicted = " ".join(parts[first : last + 1])
    found = original[projection.project(predicted, original, lower)]
    assert found == reference.projected(predicted, original, lower)
    assert found in original
    # Nothing of the answer is lost: what was found normalizes to the prediction, or to more where all words were taken.
    assert predicted.replace(" ", "") in "".join(basic_tokens(found, lower))


@pytest.mark.parametrize(
    ("predicted", "text", "expected"),
    [
        ("sao paulo", "(São Paulo)", "São Paulo"),
        ("muller ' s", "Müller's,", "Müller's"),
        ("1837", "(1837)", "1837"),
        ("北 京", "生于北京。", "北京"),
        ("$ 4 . 5", "US$4.5m", "$4.5"),  # begins and ends inside a word of the text
        ("ing", "walking", "ing"),  # a span that begins with a ## piece
        ("[UNK] wu", "Dr. 吴 Wu", "Dr. 吴 Wu"),  # an unknown word cannot be found again
        ("cafe", "cafe\u0301,", "cafe\u0301,"),  # the accent was a character of its own
        ("york", "New\u00a0York", "New\u00a0York"),  # so was this space
        ("strasse", "Straße", "Straße"),  # lower-casing leaves ß alone
    ],
)
def test_projection_of(predicted, text, expected):
    assert text[projection.project(predicted, text, do_lower_case=True)] == expected


def test_cased_projection_keeps_accents_apart():
    assert projection.project("Müller", "(Müller)", do_lower_case=False) == slice(1, 7)
    assert projection.project("muller", "(Müller)", do_lower_case=False) == slice(0, 8)


@st.composite
def question(draw):
    """A document's windows, logits with many ties, and options."""
    lower = draw(st.booleans())
    built = build(draw(TEXTS), draw(st.integers(2, 12)), draw(st.integers(1, 8)), lower)
    values = st.integers(-3, 3).map(lambda value: value / 2)
    logits = [
        tuple(draw(st.lists(values, min_size=length, max_size=length)) for _ in range(2))
        for length in built.lengths.tolist()
    ]
    options = AnswerOptions(
        n_best_size=draw(st.integers(1, 8)),
        max_answer_length=draw(st.integers(1, 6)),
        version_2_with_negative=draw(st.booleans()),
        null_score_diff_threshold=draw(st.integers(-2, 2)),
    )
    return built, logits, options


@FAST
@hypothesis.given(question())
def test_answers_are_the_models(case):
    built, logits, options = case
    hypothesis.assume(len(built))
    starts, ends = ([np.array(pair[side], np.float32) for pair in logits] for side in (0, 1))
    found = answers.answer(built, 0, starts, ends, options)
    places = list(zip(built.first.tolist(), built.size.tolist(), strict=True))
    text = built.examples[0].document.text
    expected = reference.n_best(text, VOCABULARY.ids, places, 4, logits, options, built.tokenizer.do_lower_case)
    assert [(c.text, c.start_logit, c.end_logit) for c in found.n_best] == expected
    best = next(((text, start, end) for text, start, end in expected if text), None)
    if not options.version_2_with_negative:
        assert (found.text, found.null_odds) == (expected[0][0], None)
    elif best:
        null = min(start[0] + end[0] for start, end in logits)
        assert found.null_odds == null - best[1] - best[2]
        assert found.text == ("" if found.null_odds > options.null_score_diff_threshold else best[0])
    else:
        assert found.text == found.best == ""


def answer_of_nothing(with_impossible: bool) -> answers.Answers:
    return answers.answer(build(" \u200b ", 5, 5), 0, [], [], AnswerOptions(version_2_with_negative=with_impossible))


def test_a_document_without_a_word_piece_has_no_answer():
    """The original says "empty" in 1.1 and crashes in 2.0."""
    assert answer_of_nothing(False).text == "empty"
    assert answer_of_nothing(True) == answers.Answers("", "", [answers.Candidate("", 0.0, 0.0)], 0.0)


def test_files_are_in_the_originals_format(tmp_path):
    """As the reference example of nbest_predictions.json: order of keys, four spaces, ASCII, a newline at the end."""
    n_best = [answers.Candidate("São", 0.25, 0.5), answers.Candidate("", -0.25, 0.0)]
    answers.write(str(tmp_path), {"q": answers.Answers("São", "São", n_best, -1.0)})
    assert (tmp_path / "predictions.json").read_text() == '{\n    "q": "S\\u00e3o"\n}\n'
    assert (tmp_path / "null_odds.json").read_text() == '{\n    "q": -1.0\n}\n'
    text = (tmp_path / "nbest_predictions.json").read_text()
    assert text.startswith(
        '{\n    "q": [\n        {\n            "text": "S\\u00e3o",\n            "probability": 0.7310'
    )
    assert list(json.loads(text)["q"][1].items())[2:] == [("start_logit", -0.25), ("end_logit", 0.0)]
    assert sum(entry["probability"] for entry in json.loads(text)["q"]) == pytest.approx(1.0)
