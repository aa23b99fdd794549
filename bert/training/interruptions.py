"""SIGTERM and Ctrl-C as requests that the loop answers between two steps."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collects SIGTERM and SIGINT in the list it gives, instead of dying of them; a second one is fatal as ever."""
    requests: list[int] = []
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def request(number: int, _: object) -> None:
        requests.append(number)
        signal.signal(number, before[number])

    try:
        for number in before:
            signal.signal(number, request)
    except ValueError:  # not in the main thread, where Python takes no handlers
        yield requests
        return
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
