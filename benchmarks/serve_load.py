"""A server under load: `bert serve` with many clients, some of whose requests are bad, and SIGTERM in the middle.

    python -m benchmarks.serve_load --model_dir=mrpc_output --clients=64 --seconds=60

Every answer is compared with that of the predictor alone. At the end, under the same load, the server is told to end:
every request that it had taken on must be answered; one that it had not is refused, or its connection closed.
"""

import collections
import dataclasses
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np

import bert
from bert import cli, flags
from bert.errors import InputError
from bert.options import option, required

ROOT = pathlib.Path(__file__).parent.parent
LISTENING = "Listening at http://127.0.0.1:"
PATH = "/v1/models/m:predict"
WORDS = ("the", "company", "said", "no", "after", "bell", "and", "in", "new", "trade", "group", "of", "old", "her")
TOLERANCE = 1e-4  # of numbers, between rows that are answered together and alone
BAD = (b'{"instances": ["a"', b'{"instances": [5]}', b'{"rows": []}', b"\xff", b'{"instances": [{"txt": "a"}]}')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    model_dir: str = required("Folder of the model that is served.")
    clients: int = option(64, "Clients that ask at the same time.")
    seconds: float = option(60.0, "Seconds from the first look at the memory to the end of the server.")
    one_in: int = option(10, "One in so many requests is a bad one.")

    def check(self) -> None:
        flags.check_positive(self, "clients", "seconds", "one_in")


class Load:
    """Clients that ask until they are stopped; what came of their requests is counted by name."""

    def __init__(self, port: int, texts: list[str], answers: list[dict], one_in: int) -> None:
        self.port, self.texts, self.answers, self.one_in = port, texts, answers, one_in
        self.counts: collections.Counter[str] = collections.Counter()
        self.seconds: list[float] = []
        self.must_stop = self.is_ending = False

    def client(self, seed: int) -> None:
        """One client with a connection of its own, which it keeps."""
        generator = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        while not self.must_stop:
            picked = [generator.randrange(len(self.texts)) for _ in range(generator.randint(1, 3))]
            is_bad = generator.randrange(self.one_in) == 0
            good = json.dumps({"instances": [self.texts[index] for index in picked]}).encode()
            start = time.perf_counter()
            try:
                connection.request("POST", PATH, generator.choice(BAD) if is_bad else good)
                response = connection.getresponse()
                content = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                self.counts["not taken on at the end" if self.is_ending else f"LOST: {error!r}"] += 1
                if self.is_ending:
                    return
                continue
            self.seconds.append(time.perf_counter() - start)
            self.counts[self._verdict(response.status, content, picked, is_bad)] += 1
        connection.close()

    def _verdict(self, status: int, content: dict, picked: list[int], is_bad: bool) -> str:
        if is_bad:
            return "refused" if status == 400 and list(content) == ["error"] else f"WRONG: {status} for a bad request"
        if status != 200:
            return f"WRONG: {status} for a good request"
        expected = [self.answers[index] for index in picked]
        return "answered" if _are_close(content["predictions"], expected) else "WRONG: other numbers"


def _are_close(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_are_close(found[name], expected[name]) for name in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(_are_close, found, expected))
    return abs(found - expected) < TOLERANCE if isinstance(expected, float) else found == expected


def _resident_mb(process: int) -> float:
    fields = pathlib.Path(f"/proc/{process}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _started(folder: str) -> tuple[subprocess.Popen, int]:
    """A server and its port."""
    command = [sys.executable, "-m", "bert", "serve", f"--model_dir=m={os.path.abspath(folder)}", "--port=0"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(LISTENING):
            return process, int(line.removeprefix(LISTENING))
    raise InputError("the server did not start")


def main(settings: Settings) -> None:
    generator = random.Random(1)
    texts = [" ".join(generator.choices(WORDS, k=generator.randint(4, 30))) for _ in range(200)]
    answers = [prediction.as_dict() for prediction in bert.load(settings.model_dir).predict(texts)]
    process, port = _started(settings.model_dir)
    load = Load(port, texts, json.loads(json.dumps(answers)), settings.one_in)
    clients = [threading.Thread(target=load.client, args=(seed,)) for seed in range(settings.clients)]
    for client in clients:
        client.start()
    time.sleep(min(5, settings.seconds / 4))
    before = _resident_mb(process.pid)
    time.sleep(settings.seconds)
    after, load.is_ending = _resident_mb(process.pid), True
    process.send_signal(signal.SIGTERM)
    rest = process.communicate()[1]
    load.must_stop = True
    for client in clients:
        client.join()
    p50, p99 = np.percentile(np.array(load.seconds) * 1000, [50, 99])
    for name, count in sorted(load.counts.items()):
        print(f"{name}: {count}")
    print(f"{len(load.seconds) / settings.seconds:.0f} requests a second, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    print(f"Memory at the start {before:.0f} MB, at the end {after:.0f} MB")
    print(f"Exit status {process.returncode}; its log: {rest.strip().splitlines()[-1]}")
    faults = sum(count for name, count in load.counts.items() if name.startswith(("LOST", "WRONG")))
    if process.returncode or faults:
        raise InputError(f"{faults} answers lost or wrong, exit status {process.returncode}, expected 0 and 0")


if __name__ == "__main__":
    cli.run(Settings, main)
