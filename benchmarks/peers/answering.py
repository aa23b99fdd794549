"""What programs that answer texts share: the texts, and how a call is timed. Standard library only."""

import json
import pathlib
import time


class Answering:
    """Calls `answer` on `batch_size` texts, round and round, and keeps how long each call took."""

    def __init__(self, specification):
        self.texts = json.loads(pathlib.Path(specification["texts"]).read_text())
        self.batch_size, self.first = specification["batch_size"], 0

    def answer(self, texts):
        """The probability of the first class of each text."""
        raise NotImplementedError

    def run(self, steps):
        scores, latencies = [], []
        for _ in range(steps):
            texts = self.texts[self.first : self.first + self.batch_size]
            self.first = (self.first + self.batch_size) % len(self.texts)
            begin = time.perf_counter()
            scores += self.answer(texts)
            latencies.append(time.perf_counter() - begin)
        score = float(scores[0])
        return {"examples": steps * self.batch_size, "loss": score, "score": score, "latencies": latencies}

    def warm_up(self):
        self.run(5 if self.batch_size == 1 else 1)
        self.first = 0
