"""A thread for each model, which answers together what waits: TensorFlow uses all cores by itself, and several threads
that ask it would only be in each other's way."""

import collections
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from bert.prediction import Prediction, Predictor

logger = logging.getLogger(__name__)

# Rows that are answered together. More would not be faster, and those that come meanwhile would wait longer.
ROWS_TOGETHER = 128


class Full(Exception):
    """So much waits that a request cannot be taken on; `rows` is how much."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.rows = rows


class _Request(NamedTuple):
    """Checked rows, and where their predictions go."""

    examples: Sequence[Any]
    answer: Future[list[Prediction]]


class Worker:
    """Answers requests in the order in which they come, several in one go where several wait.

    `max_queue`: most rows that wait. A request whose future is cancelled before its turn costs nothing more.
    """

    def __init__(self, name: str, predictor: Predictor[Any, Any], max_queue: int) -> None:
        self.predictor, self.max_queue = predictor, max_queue
        self._rows_together = min(ROWS_TOGETHER, predictor.rows_at_once)
        self._waiting: collections.deque[_Request] = collections.deque()
        self._rows_waiting = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"model {name}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, examples: Sequence[Any]) -> Future[list[Prediction]]:
        """Takes on rows that `Predictor.read` has checked; the future holds their predictions.

        Raises Full where they are too many beside those that wait.
        """
        request = _Request(examples, Future())
        with self._changed:
            if self._rows_waiting + len(examples) > self.max_queue:
                raise Full(self._rows_waiting)
            self._waiting.append(request)
            self._rows_waiting += len(examples)
            self._changed.notify()
        return request.answer

    def close(self) -> None:
        """Answers all that waits, and ends the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while requests := self._next():
            wanted = [request for request in requests if request.answer.set_running_or_notify_cancel()]
            if not self._answered(wanted) and len(wanted) > 1:
                for request in wanted:  # so that one that cannot be answered spoils no other
                    self._answered([request])

    def _next(self) -> list[_Request]:
        """Waits for requests and takes as many as are answered together; none where it is closed and none waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            requests: list[_Request] = []
            rows = 0
            while self._waiting and (not requests or rows + len(self._waiting[0].examples) <= self._rows_together):
                requests.append(self._waiting.popleft())
                rows += len(requests[-1].examples)
            self._rows_waiting -= rows
            return requests

    def _answered(self, requests: Sequence[_Request]) -> bool:
        """Answers requests together; False where that failed. A request that failed alone has the error."""
        examples = [example for request in requests for example in request.examples]
        try:
            predictions = self.predictor.answer(examples)
        except Exception as error:  # whatever it is, those that wait are told, and the thread goes on
            if len(requests) == 1:
                logger.exception("A request for %d rows failed.", len(examples))
                requests[0].answer.set_exception(error)
            return False
        begin = 0
        for request in requests:
            request.answer.set_result(predictions[begin : begin + len(request.examples)])
            begin += len(request.examples)
        return True
