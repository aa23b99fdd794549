"""What a run tells while it works: a steady line of progress, a JSON line a step, and the closing results."""

import json
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping

from tqdm import tqdm

from bert import files
from bert.errors import InputError

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0  # where there is no terminal to redraw a line on


class Progress:
    """A line that is drawn anew on a terminal, a plain line now and then elsewhere."""

    def __init__(self, title: str, total: int | None, start: int = 0, unit: str = "steps") -> None:
        self.title, self.total, self.start, self.unit = title, total, start, unit
        self.done, self.began, self.logged_at = start, time.monotonic(), float("-inf")
        self.bar = None
        if sys.stderr.isatty():
            shape = "{desc} {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
            columns = shutil.get_terminal_size().columns or None
            self.bar = tqdm(desc=title, total=total, initial=start, bar_format=shape, ncols=columns)

    def advance(self, count: int, values: Mapping[str, object] | None = None) -> None:
        """`count` more are done; `values` (name -> number or text) are shown beside the count."""
        self.done += count
        texts = {name: _short(value) for name, value in (values or {}).items()}
        if self.bar:
            self.bar.set_postfix(texts, refresh=False)
            self.bar.update(count)
        elif self._is_due():
            self.logged_at = time.monotonic()
            logger.info("%s", self._line(texts))

    def close(self) -> None:
        if self.bar:
            self.bar.close()

    def _is_due(self) -> bool:
        return self.done == self.total or time.monotonic() - self.logged_at >= SECONDS_BETWEEN_LINES

    def _line(self, texts: Mapping[str, str]) -> str:
        elapsed = time.monotonic() - self.began
        parts = [f"{self.title} {self.done}/{self.total} {self.unit}" if self.total else f"{self.title} {self.done}"]
        parts += [f"{name} {value}" for name, value in texts.items()]
        if self.total and self.done > self.start:
            parts.append(f"ETA {_clock(elapsed / (self.done - self.start) * (self.total - self.done))}")
        return " | ".join(parts)


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


class JsonLines:
    """A file of JSON objects with a `step`, one a line. It begins with what is `kept` of an earlier try, as
    `read_json_lines` gives it."""

    def __init__(self, path: str, kept: Iterable[tuple[dict, str]]) -> None:
        self.path = path
        files.write_lines(path, (line for _, line in kept))
        self.file = files.open_binary(path, "ab")

    def write(self, entry: Mapping[str, object]) -> bytes:
        """Writes the object; returns the line."""
        line = f"{json.dumps(entry)}\n".encode()
        with files.named(self.path):
            self.file.write(line)
        return line

    def flush(self) -> None:
        with files.named(self.path):
            self.file.flush()


def read_json_lines(path: str, last_step: int) -> list[tuple[dict, str]]:
    """The objects of steps up to `last_step`, with their lines; none where there is no such file.

    Tells of lines that are damaged, and leaves them out; not of the last one, which a run that was killed has cut off.
    Tells of lines in another order than their steps, and sorts them.
    """
    found = [(values, line) for values, line in _objects(path) if values["step"] <= last_step]
    in_order = sorted(found, key=lambda entry: entry[0]["step"])
    if found != in_order:
        logger.warning("%s: the lines were in another order than their steps; they are sorted.", path)
    return in_order


def _objects(path: str) -> Iterator[tuple[dict, str]]:
    damaged = None
    for number, line in enumerate(files.read_lines(path) if files.exists(path) else (), start=1):
        if damaged:
            logger.warning("%s; the line is left out.", damaged)
            damaged = None
        try:
            values = files.parse_json(line, path, number)
            if not isinstance(values, dict):
                raise InputError(f"{path}:{number}: expected a JSON object, found {type(values).__name__}")
            measured = dict.fromkeys(values.keys() - {"step"}, (files.Measured, None))
            files.checked(values, {"step": int, **measured}, f"{path}:{number}")
            yield values, line
        except InputError as error:
            damaged = error


class StepLog:
    """`metrics.jsonl` of an output folder: what every step measured, to the last bit of its float32 values."""

    def __init__(self, folder: str, start_step: int) -> None:
        path = os.path.join(folder, "metrics.jsonl")
        kept = read_json_lines(path, start_step)
        self._lines, steps = JsonLines(path, kept), [values["step"] for values, _ in kept]
        if lost := start_step - len(set(steps)):
            logger.warning("%s has no line of %d of the %d steps so far.", path, lost, start_step)
        if strange := sum(values.keys() != kept[0][0].keys() for values, _ in kept):
            logger.warning("%s: %d lines name other values than the first; a name may be damaged.", path, strange)
        if twice := len(steps) - len(set(steps)):
            logger.warning("%s has %d lines of steps that it has already told.", path, twice)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        numbers = {name: float(f"{value:.9g}") if math.isfinite(value) else None for name, value in values.items()}
        self._lines.write({"step": step, **numbers})

    def flush(self) -> None:
        self._lines.flush()


def write_results(path: str, results: Mapping[str, object], others: Mapping[str, object] | None = None) -> None:
    """Writes `key = value` lines sorted by key (docs/parity.md 3), after them those of `others`, and tells them."""
    parts = (results, others or {})
    lines = [f"{name} = {part[name]!s}" for part in parts for name in sorted(part)]
    logger.info("***** Eval results *****")
    for line in lines:
        logger.info("  %s", line)
    files.write_lines(path, lines)
    logger.info("Wrote %s", path)
