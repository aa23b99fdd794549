"""bert.load on trained taggers: the tags of --do_predict, entities with their places, and what is refused."""

import itertools
import json

import pytest

import bert
from bert.errors import InputError
from bert.tasks.tagging import conll
from tests import trained


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """A folder, and the words of each sentence of its test.txt."""
    folder = tmp_path_factory.mktemp("names")
    return trained.tagger(folder), sentences(folder)


def sentences(folder) -> list[list[str]]:
    text = conll.read(str(folder / "test.txt"))
    return [text.words[begin:end] for begin, end in itertools.pairwise(text.splits)]


def predicted(output) -> list[str]:
    lines = (output / "test_predictions.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[-1] for line in lines if line.strip()]


@pytest.fixture(scope="module")
def model(names):
    return bert.load(str(names[0]))


def test_tags_are_those_of_do_predict(model, names):
    output, words = names
    found = model.predict(words)
    assert [one.words for one in found] == [tuple(sentence) for sentence in words]
    assert [tag for one in found for tag in one.tags] == predicted(output)
    assert len(set(predicted(output))) > 2
    assert max(map(len, words)) > trained.LENGTH  # so there are sentences of several windows
    assert all(0.2 < score <= 1 for one in found for score in one.scores)  # of 4 tags the best
    assert [one.tags for one in model.predict([" ".join(sentence) for sentence in words])] == [o.tags for o in found]


def test_constrained_decoding_comes_from_the_folder(tmp_path):
    output = trained.tagger(tmp_path, constrained_decoding=True)
    words = sentences(tmp_path)
    strict, free = bert.load(str(output)), bert.load(str(output), constrained_decoding=False)
    assert [tag for one in strict.predict(words) for tag in one.tags] == predicted(output)
    assert [one.tags for one in free.predict(words)] != [one.tags for one in strict.predict(words)]


def test_entities_have_places_in_the_text(model, monkeypatch):
    tags = ["O", "B-ORG", "I-ORG", "O", "B-LOC"]
    monkeypatch.setattr(model, "_tags", lambda words, splits: (tags, [0.5] * len(words)))
    text = " the  old\tcompany said no"
    found = model.predict(text)
    assert [(entity.type, entity.text, text[entity.start : entity.end]) for entity in found.entities] == [
        ("ORG", "old\tcompany", "old\tcompany"),
        ("LOC", "no", "no"),
    ]
    assert [(entity.first_word, entity.last_word) for entity in found.entities] == [(1, 2), (4, 4)]
    assert json.loads(json.dumps(found.as_dict()))["entities"][1] == {
        "type": "LOC",
        "text": "no",
        "first_word": 4,
        "last_word": 4,
        "start": 23,
        "end": 25,
    }
    of_words = model.predict({"words": ["the", "old", "company", "said", "no"]})
    assert [(entity.text, entity.start, entity.end) for entity in of_words.entities] == [
        ("old company", 4, 15),
        ("no", 21, 23),
    ]


def test_a_row_has_many_forms(model):
    one = model.predict("the old company")
    assert one == model.predict(("the", "old", "company")) == model.predict({"words": ["the", "old", "company"]})
    forms = [["the", "old", "company"], {"text": "the old company"}]
    assert [model.predict([form])[0] for form in forms] == [one, one]
    # One place in batches of equal rows: in another place, as in another batch, sums differ in the last bit.
    of_words, of_text = (model.predict([form, *forms, ""])[0] for form in forms)
    assert of_words == of_text
    assert (of_words.words, of_words.tags, of_words.entities) == (one.words, one.tags, one.entities)
    assert of_words.scores == pytest.approx(one.scores, abs=1e-6)
    assert model.predict("").as_dict() == {"words": (), "tags": (), "scores": (), "entities": (), "truncated": 0}
    assert [len(found.tags) for found in model.predict(["", "the old", "", "her", ""])] == [0, 2, 0, 1, 0]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (5, "the row: found 5"),
        ([["the", 5]], 'rows[0]: found ["the", 5]'),
        ([["the", " "]], 'rows[0]: found ["the", " "]'),
        ([{"words": "the old"}], 'rows[0]: found {"words": "the old"}'),
        ([{"text": ["the"]}], 'rows[0]: found {"text": ["the"]}'),
        ([{"text": "a", "words": ["a"]}], 'rows[0]: found {"text": "a", "words": ["a"]}'),
        ([{}], "rows[0]: found {}"),
        ([{"word": "the"}], 'rows[0]: found the field "word"'),
    ],
)
def test_a_bad_row_is_named(model, rows, found):
    with pytest.raises(InputError) as caught:
        model.predict(rows)
    assert str(caught.value) == f'{found}, expected a text, a list of words, {{"text": ...}} or {{"words": [...]}}'
