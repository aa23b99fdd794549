"""A server as a user starts it, in a process of its own, and requests to it."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests import commands

LISTENING = "Listening at http://127.0.0.1:"


class Told(NamedTuple):
    """A response."""

    status: int
    content: Any  # of JSON, or bytes
    headers: dict[str, str]

    @property
    def error(self) -> str:
        """The sentence of an error; asserts that there is nothing but it, and that it is one line."""
        assert self.headers["content-type"] == "application/json"
        (sentence,) = self.content.values()
        assert list(self.content) == ["error"]
        assert "\n" not in sentence
        assert "Traceback" not in sentence
        return sentence


class Server:
    """A server that runs: `port`, and what it has logged."""

    def __init__(self, models: dict[str, object], **flags: object) -> None:
        named = ",".join(f"{name}={folder}" for name, folder in models.items())
        given = [f"--{name}={value}" for name, value in {"port": 0, **flags}.items()]
        command = [sys.executable, "-m", "bert", "serve", f"--model_dir={named}", *given]
        self.process = subprocess.Popen(command, cwd=commands.TESTS.parent, stderr=subprocess.PIPE, text=True)
        self.log: list[str] = []
        for line in self.process.stderr:
            self.log.append(line)
            if line.startswith(LISTENING):
                break
        assert self.log, "ended without a word"
        assert self.log[-1].startswith(LISTENING), "".join(self.log)
        self.port = int(self.log[-1].removeprefix(LISTENING))
        self._reading = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self._reading.start()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, path: str, content: object = None, method: str | None = None) -> Told:
        """A request of JSON, or of bytes as they are; without content a GET."""
        body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
        with contextlib.closing(self.connect()) as connection:
            connection.request(method or ("GET" if body is None else "POST"), path, body)
            return answer_of(connection)

    def predict(self, model: str, *instances: object) -> list[dict]:
        told = self.ask(f"/v1/models/{model}:predict", {"instances": instances})
        assert told.status == 200, told
        return told.content["predictions"]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Asks it to end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(60)
        self._reading.join()
        return self.process.returncode


def answer_of(connection: http.client.HTTPConnection) -> Told:
    response = connection.getresponse()
    content, headers = response.read(), {name.lower(): value for name, value in response.getheaders()}
    is_json = headers.get("content-type") == "application/json" and content
    return Told(response.status, json.loads(content) if is_json else content, headers)


@contextlib.contextmanager
def running(models: dict[str, object], **flags: object) -> Iterator[Server]:
    """A server that must not show a traceback and must end well."""
    server = Server(models, **flags)
    try:
        yield server
    finally:
        status = server.end()
    assert status == 0, "".join(server.log)
    assert "Traceback" not in "".join(server.log), "".join(server.log)
