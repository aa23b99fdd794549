"""Requests that nobody who means well would send, to a server of a trained model."""

import random
import re
import signal
import urllib.request

from tests import hostile_requests
from tests.campaign import verdicts
from tests.campaign.attacks.attack import Attack
from tests.campaign.base import OUTPUT, SECONDS
from tests.campaign.children import Child

REQUESTS = 50
_MODEL = "m"
_LISTENING = re.compile(r"^Listening at http://127\.0\.0\.1:(\d+)$", re.MULTILINE)


class Requests(Attack):
    """A server answers with one sentence or a right answer, goes on, and ends well."""

    kind = "hostile requests"
    weight = 2

    def attempt(self, generator: random.Random):
        if not any(target.trains for target in self.base.targets.values()):
            return self.skipped("no target that trains")
        target = self.base.pick(generator, lambda one: one.trains)
        folder = self.base.folder / target.name / "whole"  # a server only reads it
        arguments = [f"--model_dir={_MODEL}={OUTPUT}", "--vocab_file=vocab.txt", "--port=0"]
        server = Child("serve", arguments, folder)
        server.wait_until(lambda: _LISTENING.search(server.stderr), SECONDS)
        found, faults = _LISTENING.search(server.stderr), ["it does not listen"]
        if found:
            faults = self._faults(generator, int(found[1]))
            server.send(signal.SIGTERM)
        ended = server.end(SECONDS)
        faults += verdicts.faults(ended, (0,))
        return self.verdict(f"{target.name}: {REQUESTS} hostile requests to its server", faults, [ended])

    def _faults(self, generator: random.Random, port: int) -> list[str]:
        """What is wrong with the answers to hostile requests, and whether it is well after them."""
        found = []
        for _ in range(REQUESTS):
            attack = hostile_requests.draw(generator, _MODEL)
            found += [f"{attack.name}: {fault}" for fault in hostile_requests.faults(port, attack)]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=hostile_requests.SECONDS):
                return found
        except OSError as error:
            return [*found, f"afterwards: {error}"]
