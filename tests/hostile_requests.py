"""Requests that nobody who means well would send, and what must come of them: an error of one sentence, a right answer,
or nothing for those who leave."""

import gzip
import json
import random
import re
import socket
import string
from typing import Any, NamedTuple

SECONDS = 20  # in which anything must be answered
_STATUSES = {200, 400, 404, 405, 408, 413, 429}


class Attack(NamedTuple):
    """Bytes for a socket. `leaves`: the client closes when it has sent them, and hears nothing."""

    name: str
    content: bytes
    leaves: bool = False


def draw(generator: random.Random, model: str) -> Attack:
    """A request of any kind, as the generator decides."""
    return generator.choice(_KINDS)(generator, f"/v1/models/{model}:predict")


def faults(port: int, attack: Attack) -> list[str]:
    """Sends it to the server at this port; what is wrong with the answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
            connection.sendall(attack.content)
            if attack.leaves:
                return []
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while part := connection.recv(1 << 16):
                received += part
    except TimeoutError:
        return [f"no end of the answer after {SECONDS} seconds"]
    except (ConnectionResetError, BrokenPipeError):
        return []  # cut off in the middle of what is no request
    return _faults_of(received)


def _faults_of(received: bytes) -> list[str]:
    found = []
    if b"Traceback" in received or b'File "' in received:
        found.append("a traceback")
    for status, rest in re.findall(rb"HTTP/1\.1 (\d+) (.*?)(?=HTTP/1\.1 \d|\Z)", received, re.DOTALL):
        if int(status) not in _STATUSES | {100}:
            found.append(f"status {status.decode()}")
        head, _, body = rest.partition(b"\r\n\r\n")
        if b"application/json" in head and int(status) >= 400:
            sentence = json.loads(body)["error"]
            if not sentence or "\n" in sentence or len(sentence) > 1000:
                found.append(f"no sentence: {sentence!r}")
    return found


def _post(path: str, body: bytes, **headers: str) -> bytes:
    told = {"Host": "x", "Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def _text(generator: random.Random) -> str:
    alphabet = generator.choice((string.printable, "a\0\x01\x7f", "ăß山😀\u202e\ufeff\u0300", "[MASK][SEP]##"))
    return "".join(generator.choices(alphabet, k=generator.choice((0, 1, 20, 3000))))


def _value(generator: random.Random, depth: int = 3) -> Any:
    """Any JSON value; now and then one that looks like a row."""
    simple = (
        None,
        True,
        -1,
        1e308,
        10**300,
        float("nan"),
        _text(generator),
        [],
        {},
        ["a", "b"],
        {"text": _text(generator)},
    )
    if not depth or generator.random() < 0.6:
        return generator.choice(simple)
    if generator.random() < 0.5:
        return [_value(generator, depth - 1) for _ in range(generator.randint(0, 5))]
    names = ("text", "text_b", "words", "question", "context", "b64", "")
    return {generator.choice(names): _value(generator, depth - 1) for _ in range(generator.randint(0, 3))}


def _good(generator: random.Random) -> bytes:
    rows = [{"text": "the company", "text_b": "said no"}, "after the bell", ["a", "b"]]
    return json.dumps({"instances": generator.sample(rows, 2)}).encode()


def _other_values(generator: random.Random, path: str) -> Attack:
    names = ("instances", "inputs", "signature_name", "x")
    content = {generator.choice(names): _value(generator) for _ in range(generator.randint(1, 2))}
    return Attack("other values", _post(path, json.dumps(content).encode()))


def _damaged(generator: random.Random, path: str) -> Attack:
    body = bytearray(_good(generator))
    for _ in range(generator.randint(1, 8)):
        place = generator.randrange(len(body))
        body[place : place + generator.randint(0, 3)] = generator.randbytes(generator.randint(0, 3))
        body = body or bytearray(b"{")
    return Attack("a damaged body", _post(path, bytes(body)))


def _odd_bodies(generator: random.Random, path: str) -> Attack:
    bodies = (
        b"",
        b"[" * 200_000,
        b'{"instances":' * 50_000,
        b'{"instances": [' + b"1" * 6000 + b"]}",
        b'{"instances": ["\\ud800"]}',
        b"\xef\xbb\xbf{}",
        gzip.compress(_good(generator)),
        _good(generator).decode().encode("utf-16"),
        b'{"instances": [' + b'"a",' * 100_000 + b'"a"]}',
        json.dumps({"instances": ["a" * 900_000]}).encode(),
        json.dumps({"instances": [" ".join("ab" for _ in range(100_000))]}).encode(),
        b"x" * 3_000_000,
    )
    return Attack("an odd body", _post(path, generator.choice(bodies)))


def _odd_heads(generator: random.Random, path: str) -> Attack:
    body = _good(generator)
    headers = generator.choice(
        (
            {"Content_Length": "-1"},
            {"Content_Length": "1e9"},
            {"Content_Length": str(1 << 70)},
            {"Content_Length": str(len(body) - 5)},
            {"Transfer_Encoding": "chunked"},
            {"Transfer_Encoding": "gzip, chunked"},
            {"Expect": "100-continue"},
            {"Upgrade": "websocket", "Connection": "upgrade", "Sec_WebSocket_Key": "x", "Sec_WebSocket_Version": "13"},
            {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"},
            {"Host": "\xff"},
            {"Cookie": "a" * 100_000},
            {f"X{number}": "y" for number in range(3000)},
            {"Content_Type": "multipart/form-data; boundary=\0"},
            {"Connection": "keep-alive, close, x"},
        )
    )
    return Attack(f"the headers {str(headers)[:80]}", _post(path, body, **headers))


def _odd_lines(generator: random.Random, path: str) -> Attack:
    lines = (
        f"POST {path} HTTP/9.9\r\n\r\n",
        f"GET {path}\r\n\r\n",
        f"post {path} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET http://x{path} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/models/%00%ff%0a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/models/a:predict:predict?x=%ff#y HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /{'a' * 70_000} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /v1/models/{'a' * 5_000} HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\n" * 1000,
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    )
    return Attack("an odd first line", generator.choice(lines).encode("latin-1"))


def _noise(generator: random.Random, path: str) -> Attack:
    return Attack("noise", generator.randbytes(generator.choice((1, 100, 100_000))))


def _pipelined(generator: random.Random, path: str) -> Attack:
    one = _post(path, _good(generator), Connection="keep-alive")
    return Attack("several at once, then noise", one * generator.randint(2, 5) + generator.randbytes(20))


def _chunked(generator: random.Random, path: str) -> Attack:
    body = _good(generator)
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body))) + b"0\r\n\r\n"
    damaged = chunks.replace(b"1\r\n", generator.choice((b"zz\r\n", b"-1\r\n", b"ffffffffffffffff\r\n")), 1)
    content = generator.choice((chunks, damaged, chunks[: len(chunks) // 2]))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return Attack("chunks", head.encode() + content)


def _leaving(generator: random.Random, path: str) -> Attack:
    whole = _post(path, _good(generator))
    return Attack("a client that leaves", whole[: generator.randint(1, len(whole))], leaves=True)


_KINDS = (
    _other_values,
    _damaged,
    _odd_bodies,
    _odd_heads,
    _odd_lines,
    _noise,
    _pipelined,
    _chunked,
    _leaving,
)
