"""bert serve as clients see it: the contract, what is refused and how, many at a time, two models of two kinds."""

import concurrent.futures
import contextlib
import json
import random
import socket

import pytest

import bert
from bert.errors import InputError
from bert.prediction import Predictor
from tests import commands, hostile_requests, serving, trained

EXPECTED = 'expected a text, a pair of texts, or {"text": ..., "text_b": ...}'
ROW = {"text": "the company", "text_b": "said no"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, object]:
    classes = trained.classifier(tmp_path_factory.mktemp("classes"), ["good", "bad", "so so"], [("the company", "")])
    return {"classes": classes, "tags": trained.tagger(tmp_path_factory.mktemp("tags"))}


@pytest.fixture(scope="module")
def models(folders) -> dict[str, Predictor]:
    return {name: bert.load(str(folder)) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def server(folders):
    with serving.running(folders) as server:
        yield server


def close_to(found: object, expected: object) -> bool:
    """Whether two answers are the same. The numbers of rows that others go with differ by a few 1e-6: of so many,
    another order of sums."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close_to(found[name], expected[name]) for name in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(close_to, found, expected))
    return found == (pytest.approx(expected, abs=1e-5) if isinstance(expected, float) else expected)


def test_it_says_what_it_serves_and_where(server, models):
    told = [f"Model '{name}': {model.stored.weights}, for {model.kind}.\n" for name, model in models.items()]
    assert server.log[-3:-1] == told
    assert server.log[-1] == f"Listening at http://127.0.0.1:{server.port}\n"
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.2", server.port), timeout=5):
        pass  # loopback, and of that only the address it names


@pytest.mark.parametrize("path", ["/v1/models/classes:predict", "/v1/models/classes/versions/1:predict"])
def test_rows_are_answered_as_the_predictor_answers_them(server, models, path):
    rows = ["the company", ["the company", "said no"], ROW, {"text": "after the bell"}, {"text": "", "text_b": None}]
    expected = [found.as_dict() for found in models["classes"].predict(rows)]
    for extra in ({}, {"signature_name": "serving_default"}, {"signature_name": ""}):
        told = server.ask(path, {"instances": rows, **extra})
        assert (told.status, list(told.content)) == (200, ["predictions"])
        assert close_to(told.content["predictions"], expected)
    assert server.ask(path, {"instances": []}).content == {"predictions": []}


def test_an_empty_second_text_is_none(server):
    """TensorFlow Serving wants all inputs of all rows; so a client can send the same to both."""
    assert server.predict("classes", {"text": "the bell", "text_b": ""}) == server.predict("classes", "the bell")


def test_columns(server, models):
    columns = {"text": ["the company", "no"], "text_b": ["said no", None]}
    rows = [found.as_dict() for found in models["classes"].predict([("the company", "said no"), "no"])]
    told = server.ask("/v1/models/classes:predict", {"inputs": columns})
    assert list(told.content) == ["outputs"]
    assert close_to(told.content["outputs"], {name: [row[name] for row in rows] for name in rows[0]})
    told = server.ask("/v1/models/tags:predict", {"inputs": ["the company"]})
    assert told.content["outputs"]["words"] == [["the", "company"]]
    assert server.ask("/v1/models/tags:predict", {"inputs": []}).content == {"outputs": {}}


def test_tags(server, models):
    rows = ["the company said no", {"words": ["the", "company"]}, {"text": "  after  the bell"}, ""]
    expected = [found.as_dict() for found in models["tags"].predict(rows)]
    assert close_to(server.predict("tags", *rows), expected)


def test_status_and_metadata(server, models):
    for path in ("/v1/models/tags", "/v1/models/tags/versions/1"):
        (state,) = server.ask(path).content["model_version_status"]
        assert state == {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        metadata = server.ask(f"{path}/metadata").content
        assert metadata["model_spec"] == {"name": "tags", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    ranks = {name: len(tensor["tensor_shape"]["dim"]) for name, tensor in signature["inputs"].items()}
    assert ranks == {"text": 1, "words": 2}
    types = {name: tensor["dtype"] for name, tensor in signature["outputs"].items()}
    assert types == {"words": "DT_STRING", "tags": "DT_STRING", "scores": "DT_FLOAT", "truncated": "DT_INT32"}
    listed = server.ask("/v1/models").content["models"]
    assert [(one["name"], one["kind"]) for one in listed] == [("classes", "classification"), ("tags", "tagging")]
    assert listed[0]["labels"] == list(models["classes"].stored.label_names)
    assert server.ask("/healthz").content == {"status": "ok", "models": ["classes", "tags"]}
    assert server.ask("/healthz", method="HEAD") == serving.Told(200, b"", server.ask("/healthz").headers)


PATHS = "expected /v1/models/NAME:predict, /v1/models/NAME, /healthz or /"


@pytest.mark.parametrize(
    ("path", "method", "status", "message"),
    [
        ("/v1/models/classes:predict", "GET", 405, 'found GET, expected POST for "/v1/models/classes:predict"'),
        ("/v1/models/classes", "POST", 405, 'found POST, expected GET for "/v1/models/classes"'),
        ("/v1/models/classes", "DELETE", 405, 'DELETE is not for "/v1/models/classes"'),
        ("/healthz", "POST", 405, 'POST is not for "/healthz"'),
        ("/v1/models/none:predict", "POST", 404, 'no model "none" here, expected one of classes, tags'),
        ("/v1/models/classes/versions/2", "GET", 404, 'no version "2" of the model classes, there is only 1'),
        ("/v1/models/classes/labels/stable", "GET", 404, f'no such path: "/v1/models/classes/labels/stable", {PATHS}'),
        ("/v1/models/classes:classify", "POST", 404, f'no such path: "/v1/models/classes:classify", {PATHS}'),
        ("/v1/models/a%0Ab", "GET", 404, f'no such path: "/v1/models/a\\nb", {PATHS}'),
        ("/else", "GET", 404, f'no such path: "/else", {PATHS}'),
    ],
)  # fmt: skip
def test_paths_and_methods_that_are_none(server, path, method, status, message):
    told = server.ask(path, b"{}" if method == "POST" else None, method)
    assert (told.status, told.error) == (status, message)
    assert ("allow" in told.headers) == (status == 405)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body:1: not JSON: Expecting value, column 1"),
        (b'{"instances": [\n"a"', "body:2: not JSON: Expecting ',' delimiter, column 4"),
        (b'{"instances": ["\xff"]}', "body: not UTF-8: byte 0xff at offset 16"),
        (b'{"instances": ["\\ud83d"]}', "body:1: JSON that cannot be read: '\\ud83d' is half of a surrogate pair"),
        (b"[" * 100_000, "body:1: JSON that cannot be read: too many brackets in each other"),
        (b"9" * 5000, "body:1: JSON that cannot be read: a number of more than 4300 digits"),
        (b'["a"]', 'found ["a"], expected {"instances": [...]}'),
        (b"{}", 'expected either "instances", a list of rows, or "inputs", their columns'),
        (b'{"instances": [], "inputs": []}', 'expected either "instances", a list of rows, or "inputs", their columns'),
        (b'{"instances": "a"}', '"instances" is "a", expected a list of rows'),
        (
            b'{"instances": ["a"], "top": 1}',
            'found the field "top", expected instances or inputs, and signature_name or not',
        ),
        (
            b'{"instances": ["a"], "signature_name": "ids"}',
            '"signature_name" is "ids", expected "serving_default", the only one here',
        ),
        (b'{"inputs": 5}', '"inputs" is 5, expected a list, or an object with a list for each field'),
        (
            b'{"inputs": {"text": "a"}}',
            '"inputs" is {"text": "a"}, expected a list, or an object with a list for each field',
        ),
        (
            b'{"inputs": {"text": ["a"], "text_b": []}}',
            'the columns of "inputs" have {"text": 1, "text_b": 0} rows, expected the same number',
        ),
        (b'{"inputs": ["a", 5]}', f"inputs[1]: found 5, {EXPECTED}"),
        (b'{"instances": ["a", {"txt": "a"}]}', f'instances[1]: found the field "txt", {EXPECTED}'),
        (
            b'{"instances": [1, 2, 3, 4, 5]}',
            "; ".join(f"instances[{i}]: found {i + 1}, {EXPECTED}" for i in range(3)) + "; and 2 more",
        ),
    ],
)  # fmt: skip
def test_bodies_that_are_none(server, body, message):
    told = server.ask("/v1/models/classes:predict", body)
    assert (told.status, told.error) == (400, message)


def test_many_at_a_time_get_the_numbers_of_the_predictor_alone(server, models):
    """400 requests of 1 to 5 rows from 32 clients, each answered with its own; every tenth is bad."""
    rows = trained.texts(100)
    parts = [rows[number % 90 : number % 90 + 1 + number % 5] for number in range(400)]
    requests = [(("classes", "tags")[number % 2], part) for number, part in enumerate(parts)]
    alone = {name: {row: model.predict(row).as_dict() for row in rows} for name, model in models.items()}

    def ask(number: int) -> bool:
        name, wanted = requests[number]
        if number % 10 == 9:
            return server.ask(f"/v1/models/{name}:predict", {"instances": [*wanted, 5]}).status == 400
        return close_to(server.predict(name, *wanted), [alone[name][row] for row in wanted])

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        found = list(pool.map(ask, range(len(requests))))
    assert found == [True] * len(requests)


def test_several_requests_on_a_connection(server):
    with contextlib.closing(server.connect()) as connection:
        for text in ("the company", 5, "after the bell"):
            connection.request("POST", "/v1/models/classes:predict", json.dumps({"instances": [text]}))
            assert serving.answer_of(connection).status == (400 if text == 5 else 200)


@pytest.mark.parametrize("seed", range(4))
def test_hostile_requests_are_answered_or_dropped(server, seed):
    generator = random.Random(seed)
    expected = server.predict("classes", ROW)
    for _ in range(60):
        attack = hostile_requests.draw(generator, "classes")
        assert hostile_requests.faults(server.port, attack) == [], attack
    # It may be answered together with rows of clients that have left.
    assert close_to(server.predict("classes", ROW), expected)
    assert server.ask("/healthz").status == 200


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"model_dir": "a=x,a=y"}, "--model_dir: two models have the name 'a'"),
        (
            {"model_dir": "a b=x"},
            "--model_dir: 'a b=x', expected NAME=FOLDER, the name of letters, digits, '.', '_', '-'",
        ),
        ({"model_dir": "x,"}, "--model_dir: '', expected NAME=FOLDER, the name of letters, digits, '.', '_', '-'"),
        ({"model_dir": "out/x/"}, "--model_dir: out/x/ is no folder"),
        ({"model_dir": "x", "port": 65536}, "--port is 65536, expected 0 to 65535"),
        ({"model_dir": "x", "max_rows": 0}, "--max_rows is 0, expected more than 0"),
        (
            {"model_dir": "x", "max_rows": 9, "max_queue": 8},
            "--max_rows is 9, expected at most --max_queue=8: a request of more rows than may wait would never be "
            "taken on",
        ),
        ({"model_dir": "x", "max_body_mb": "inf"}, "--max_body_mb is inf, expected at most 1000000"),
        ({"model_dir": "x", "max_body_mb": "nan"}, "--max_body_mb is nan, expected more than 0"),
        (
            {"model_dir": "x", "host": "no such host"},
            "--host, --port: cannot listen at no such host:8501: Name or service not known",
        ),
    ],
)  # fmt: skip
def test_flags_that_make_no_sense_are_refused(flags, message):
    assert commands.run("bert.commands.serve", **{"port": 0 if "host" not in flags else 8501, **flags}).error == message


def test_a_port_that_is_taken_is_refused_before_anything_is_loaded(server):
    outcome = commands.run("bert.commands.serve", model_dir="nowhere", port=server.port)
    assert outcome.error == f"--host, --port: cannot listen at 127.0.0.1:{server.port}: Address already in use"


def test_names_of_models():
    from bert.commands.serve import named_folders

    assert named_folders("a=x,out/y/,b.c-d=/z=1") == {"a": "x", "y": "out/y/", "b.c-d": "/z=1"}
    with pytest.raises(InputError, match="two models"):
        named_folders("out/y,y=z")
