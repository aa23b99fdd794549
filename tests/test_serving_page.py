"""The page of bert serve in a real browser, where there is one: a link that asks at once, and what is then shown."""

import re
import shutil
import subprocess
import urllib.parse

import pytest

from bert.retrieval import index
from bert.serving import page
from tests import serving, trained
from tests.test_squad_records import golden_tokenizer

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=8000"
)

needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def server(tmp_path_factory, golden):
    models = {
        "classes": trained.classifier(tmp_path_factory.mktemp("classes"), ["good", "bad"], [("the company", "")]),
        "tags": trained.tagger(tmp_path_factory.mktemp("tags")),
        "questions": trained.questions(
            tmp_path_factory.mktemp("questions"),
            golden / "squad" / "train.json",
            golden_tokenizer(golden).vocabulary.tokens,
        ),
        "faq": trained.retrieval(tmp_path_factory.mktemp("faq")),
    }
    stored = index.require_content(str(models["faq"]))["threshold"]
    index.write_threshold(str(models["faq"]), {**stored, "threshold": 0.9999})  # what is not the same is not known
    with serving.running(models, intent_model=models["classes"]) as server:
        yield server


def shown(server: serving.Server, folder, **fields: str) -> str:
    """The page as the browser has it when a link with these fields has been followed and answered."""
    url = f"http://127.0.0.1:{server.port}/#{urllib.parse.urlencode(fields)}"
    command = [BROWSER, *OPTIONS.split(), f"--user-data-dir={folder}/profile", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert "Refused to" not in done.stderr  # what the policy forbids
    return done.stdout


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", "", html))


def test_the_policy_allows_the_page_alone(server):
    told = server.ask("/")
    assert (told.status, told.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert told.content == page.read().content
    policy = dict(part.split(" ", 1) for part in told.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["connect-src"], policy["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy["script-src"])
    assert not re.search(rb"""(src|href)=["'](?!data:)| style=|\bon\w+=""", told.content)


@needs_browser
def test_classes_are_bars(server, tmp_path):
    html = shown(server, tmp_path, model="classes", text="the <b>company</b>", text_b="said no")
    (found,) = server.predict("classes", {"text": "the <b>company</b>", "text_b": "said no"})
    shares = re.findall(r'class="fill" style="width: ([\d.]+)%', html)
    expected = sorted((100 * share for share in found["probabilities"].values()), reverse=True)
    assert [float(share) for share in shares] == pytest.approx(expected, abs=1e-3)
    assert f'<h2 dir="auto">{found["label"]}</h2>' in html
    assert f"{100 * found['score']:.1f} %" in text_of(html)
    assert "Answered in " in html


@needs_browser
def test_tags_are_in_colour(server, tmp_path):
    html = shown(server, tmp_path, model="tags", text="the company said no")
    (found,) = server.predict("tags", "the company said no")
    assert found["entities"]
    coloured = re.findall(r'<span class="tag" style="--hue: \d+;">([^<]*)<small>(\w+)</small>', html)
    assert coloured == [(entity["text"], entity["type"]) for entity in found["entities"]]


@needs_browser
def test_the_answer_is_marked_in_its_document(server, tmp_path):
    """Behind a letter that is two for JavaScript."""
    row = {"question": "who said no ?", "context": "😀 The old company said no after the bell ."}
    html = shown(server, tmp_path, model="questions", **row)
    (found,) = server.predict("questions", row)
    marked = re.search("<mark>(.*?)</mark>", html)[1]
    assert marked == row["context"][found["start"] : found["end"]]
    assert row["context"] in text_of(html)


def test_a_question_gets_answers_an_intent_or_that_none_is_known(server):
    row = {"text": trained.texts(20)[5]}
    (found,) = server.predict("faq", row)
    (expected,) = server.predict("classes", row)
    assert (found["intent"], found["intent_score"]) == (expected["label"], pytest.approx(expected["score"], abs=1e-5))
    first = found["answers"][0]
    assert (first["answer_id"], first["question"], first["answer"]) == ("answer 2", row["text"], "the text of 2")
    assert first["score"] == pytest.approx(1, abs=1e-5)
    assert found["known"] is True
    (other,) = server.predict("faq", "bell bell bell")
    assert other["answers"][0]["score"] < 0.9999
    assert other["known"] is False
    told = server.ask("/v1/models/faq:predict", {"instances": [["a", "b"]]})
    assert told.error == 'instances[0]: found ["a", "b"], expected a question, or {"text": ...}'


@needs_browser
def test_answers_are_told_with_their_scores(server, tmp_path):
    html = shown(server, tmp_path, model="faq", text=trained.texts(20)[5])
    (found,) = server.predict("faq", trained.texts(20)[5])
    assert f'<p class="text told" dir="auto">{found["answers"][0]["answer"]}</p>' in html
    assert "Intent: " in text_of(html)
    for each in found["answers"]:
        assert f"{each['score']:.3f}" in text_of(html)
    unknown = "<h2>I don't know</h2>"
    assert unknown not in html
    assert unknown in shown(server, tmp_path, model="faq", text="bell bell bell")


@needs_browser
def test_an_error_is_told(server, tmp_path):
    html = shown(server, tmp_path, model="questions", question="who ?", context=" ")
    assert 'role="alert">No answer: instances[0]: the context is empty, expected a text</p>' in html
