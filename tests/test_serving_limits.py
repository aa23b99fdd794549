"""bert serve at its limits: too much is refused, what fails is told, and an end loses nothing."""

import asyncio
import concurrent.futures
import contextlib
import json
import signal
import socket
import threading
import time

import pytest

import bert
from bert.options.serving import LimitOptions
from bert.serving.worker import ROWS_TOGETHER, Full, Worker
from tests import serving, trained

PATH = "/v1/models/m:predict"
QUEUE = 5000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained.classifier(tmp_path_factory.mktemp("classes"), ["good", "bad"], [("the company", "")])


@pytest.fixture(scope="module")
def model(folder):
    return bert.load(str(folder))


@pytest.fixture(scope="module")
def server(folder):
    with serving.running({"m": folder}, max_body_mb=0.01, max_rows=8, max_queue=8, max_body_seconds=2) as server:
        yield server


@pytest.mark.parametrize(("size", "status"), [(9_000, 200), (11_000, 413), (5_000_000, 413)])
def test_a_body_that_is_too_long(server, size, status):
    told = server.ask(PATH, {"instances": ["a" * size]})
    assert told.status == status
    assert status == 200 or told.error == "a body of more than 0.01 MB, expected a shorter one"


def test_more_rows_than_a_request_may_have(server):
    told = server.ask(PATH, {"instances": ["a"] * 9})
    assert (told.status, told.error) == (413, "9 rows, expected at most 8")


def test_bodies_that_do_not_come_and_too_many_of_them(server):
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(8)]
        for client in clients:
            client.sendall(head)
        time.sleep(0.5)
        told = server.ask(PATH, {"instances": ["a"]})
        assert (told.status, server.ask("/healthz").status) == (429, 200)
        assert told.error == "too much at a time: 8 requests are under way, expected fewer; come again"
        for client in clients:
            client.settimeout(30)
            received = b"".join(iter(lambda client=client: client.recv(1 << 16), b""))
            assert received.startswith(b"HTTP/1.1 408 ")
            assert received.endswith(b'{"error": "the body is not whole after 2 seconds"}')
    assert len(server.predict("m", "a")) == 1


def test_sigint_ends_it_well(folder):
    with serving.running({"m": folder}) as server:
        assert server.end(signal.SIGINT) == 0
    assert server.log[-1] == "Ended: 0 requests answered, 0 refused.\n"


def test_all_that_was_asked_before_sigterm_is_answered(folder, model):
    """60 clients have sent 100 rows each, of which few can have been answered."""
    rows = trained.texts(100)
    expected = [prediction.label for prediction in model.predict(rows)]
    with serving.running({"m": folder}, max_queue=QUEUE * 2) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(server.connect())) for _ in range(60)]
        for client in clients:
            client.request("POST", PATH, json.dumps({"instances": rows}))
        server.process.send_signal(signal.SIGTERM)
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            for told in pool.map(serving.answer_of, clients):
                assert told.status == 200, told
                assert [row["label"] for row in told.content["predictions"]] == expected
        assert server.end() == 0
        with pytest.raises(ConnectionRefusedError):
            server.ask("/healthz")
    assert server.log[-2].startswith("Asked to end")
    assert server.log[-1] == "Ended: 60 requests answered, 0 refused.\n"


class Held:
    """Stands in for a predictor whose answers wait until they may go, and fail for a row that says so."""

    def __init__(self) -> None:
        self.rows_at_once, self.may_go, self.asked = 1024, threading.Event(), []

    def answer(self, examples):
        self.may_go.wait(20)
        self.asked.append(len(examples))
        if "fail" in examples:
            raise RuntimeError("on purpose")
        return [example.upper() for example in examples]


@pytest.fixture
def held():
    predictor = Held()
    worker = Worker("m", predictor, max_queue=QUEUE)
    yield predictor, worker
    predictor.may_go.set()
    worker.close()
    assert not worker.is_alive


def first_is_taken(worker: Worker) -> concurrent.futures.Future:
    """A request that the thread has begun with, so that those after it wait."""
    first = worker.submit(["first"])
    while not first.running():
        time.sleep(0.01)
    return first


def test_what_waits_is_answered_together_and_in_order(held):
    predictor, worker = held
    futures = [first_is_taken(worker)]
    sizes = [3, 60, 65, 1, 200, 2]  # together: 3 + 60 + 65 is ROWS_TOGETHER, 1 stands before 200, which is alone
    futures += [worker.submit([f"{number}-{row}" for row in range(size)]) for number, size in enumerate(sizes)]
    left = worker.submit(["nobody waits for this"])
    left.cancel()
    predictor.may_go.set()
    for number, size in enumerate(sizes):
        assert futures[number + 1].result(20) == [f"{number}-{row}" for row in range(size)]
    assert predictor.asked == [1, ROWS_TOGETHER, 1, 200, 2]


def test_what_waits_is_limited(held):
    predictor, worker = held
    first_is_taken(worker)
    waiting = worker.submit(["a"] * (QUEUE - 1))
    with pytest.raises(Full) as full:
        worker.submit(["b", "b"])
    assert full.value.rows == QUEUE - 1
    last = worker.submit(["b"])
    predictor.may_go.set()
    assert [len(waiting.result(20)), len(last.result(20))] == [QUEUE - 1, 1]
    assert worker.submit(["b"] * QUEUE).result(20)


def test_a_request_that_fails_spoils_no_other(held, caplog):
    predictor, worker = held
    first_is_taken(worker)
    futures = [worker.submit([text]) for text in ("a", "fail", "b")]
    predictor.may_go.set()
    assert [futures[0].result(20), futures[2].result(20)] == [["A"], ["B"]]
    with pytest.raises(RuntimeError, match="on purpose"):
        futures[1].result(20)
    assert [record.message for record in caplog.records] == ["A request for 1 rows failed."]
    assert worker.submit(["c"]).result(20) == ["C"]


def test_a_failure_is_one_sentence_and_the_log_has_the_rest(model, monkeypatch, caplog):
    pytest.importorskip("starlette")
    from bert.serving.application import Application

    application = Application({"m": model}, LimitOptions())
    monkeypatch.setattr(model, "answer", lambda examples: 1 / 0)
    sent = asyncio.run(_called(application.asgi, b'{"instances": ["a"]}'))
    application.close()
    assert [message["status"] for message in sent if "status" in message] == [500]
    assert json.loads(sent[-1]["body"]) == {"error": "the server could not answer this; its log says why"}
    assert "ZeroDivisionError" in caplog.text


def test_more_rows_than_may_wait(model):
    """Those of a single request, here, which the command would refuse; test_what_waits_is_limited has several."""
    pytest.importorskip("starlette")
    from bert.serving.application import Application

    application = Application({"m": model}, LimitOptions(max_queue=8))
    head, body = asyncio.run(_called(application.asgi, json.dumps({"instances": ["a"] * 9}).encode()))
    application.close()
    assert (head["status"], dict(head["headers"])[b"retry-after"]) == (429, b"1")
    assert json.loads(body["body"]) == {"error": "too much at a time: 0 rows wait, 9 more are too many; come again"}


async def _called(asgi, body: bytes) -> list[dict]:
    """What an application sends for a POST, without a socket."""
    sent, incoming = [], [{"type": "http.request", "body": body, "more_body": False}]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b"", "root_path": ""}

    async def receive() -> dict:
        return incoming.pop() if incoming else await asyncio.sleep(60, {"type": "http.disconnect"})

    async def send(message: dict) -> None:
        sent.append(message)

    with contextlib.suppress(ZeroDivisionError):  # which is raised on, for the server to log
        await asgi(scope, receive, send)
    return sent
