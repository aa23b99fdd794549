"""A second process that makes records of plans while the first draws more plans.

Sampling is one stream of random numbers and cannot be divided (docs/parity.md 6); everything behind it can. The
process is a filter: tokens, then plans, come in through its standard input, framed records go out to a file that has no
name.
It needs no TensorFlow, so it starts in the time that reading the vocabulary takes.
"""

import contextlib
import errno
import itertools
import os
import pickle
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from bert import files
from bert.errors import InputError
from bert.pretraining_data.plan_reader import PlanReader
from bert.records.frames import frame
from bert.records.kinds import PRETRAINING, PRETRAINING_WORDS, RecordKind
from bert.records.serialization import serialize

_PIPE_BYTES = 1 << 20  # where the system allows it: a batch of plans fits, and nobody waits for the other to read
_POSITIONS_PER_BATCH = 1 << 17  # 1024 sequences of 128


@contextlib.contextmanager
def record_maker(beside: str, cls_id: int, sep_id: int, max_seq_length: int) -> Iterator["RecordMaker"]:
    """Starts the second process; at the end it is gone, and so are the records.

    Args:
      beside: an output path; the records wait in its folder, where there is room for large files.
      cls_id, sep_id: ids of [CLS] and [SEP].
      max_seq_length: S.
    """
    folder = None if files.is_remote(beside) else os.path.dirname(beside) or "."
    # The modules are found where this process finds them, whatever the working folder holds.
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
    with tempfile.TemporaryFile(dir=folder) as file:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, (cls_id, sep_id, max_seq_length))],
            stdin=subprocess.PIPE,
            stdout=file,
            pipesize=_PIPE_BYTES,
            start_new_session=True,  # Ctrl-C is the first process's to answer
        )
        pipe = process.stdin
        assert pipe is not None  # subprocess.PIPE made one
        try:
            yield RecordMaker(process, pipe, file, beside)
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class RecordMaker:
    """The first process's end: takes tokens, then plans, then gives the framed records in any order.

    Every method raises OSError where the records could not be held, MemoryError where the process had too little
    memory, and InputError when it was killed.
    """

    def __init__(self, process: subprocess.Popen, pipe: IO[bytes], file: IO[bytes], beside: str) -> None:
        self._process, self._pipe, self._file, self._beside = process, pipe, file, beside
        self._ends = array("Q")  # record i is the bytes from ends[i] up to ends[i + 1]

    def add_tokens(self, ids: np.ndarray) -> None:
        """Hands on the next tokens of the corpus, int32 [T]."""
        self._send(ids)

    def end_tokens(self, continues: np.ndarray | None = None) -> None:
        """No more tokens, plans from now on; with `continues`, uint8 [T], the records say where words begin."""
        self._send(None)
        self._send(continues)

    def add_plans(self, plans: np.ndarray) -> None:
        """Hands on the plans of the next instances, uint64 [B, 5 + P]."""
        self._send(plans)

    def end_plans(self, count: int) -> None:
        """Waits until the records of all `count` plans are made."""
        self._send(None)
        self._check(self._process.wait())
        sizes = array("I")
        self._file.seek(-count * sizes.itemsize, os.SEEK_END)
        sizes.fromfile(self._file, count)
        self._ends.extend(itertools.accumulate(sizes, initial=0))

    def framed(self, numbers: Sequence[int]) -> list[bytes]:
        """The records of the plans of these numbers, framed for TFRecord."""
        file, ends = self._file.fileno(), self._ends
        return [os.pread(file, ends[number + 1] - ends[number], ends[number]) for number in numbers]

    def _send(self, values: np.ndarray | None) -> None:
        try:
            pickle.dump(values, self._pipe, protocol=5)
            self._pipe.flush()
        except BrokenPipeError:
            self._check(self._process.wait())
            raise

    def _check(self, status: int) -> None:
        """The process's status: the number of an OSError, 1 for another error, below 0 the signal which killed it."""
        if status < 0:
            raise InputError(
                "the process that makes the records was killed, perhaps for want of memory: "
                "stream the text with `num_workers`, which takes less"
            )
        if status == 1:
            raise RuntimeError("the process that makes the records failed, it says above why")
        if status == errno.ENOMEM:
            raise MemoryError("in the process that makes the records")
        if status > 1:
            raise OSError(status, f"the records cannot be held beside it: {os.strerror(status)}", self._beside)


def main() -> None:
    """The second process: `cls_id sep_id max_seq_length` as arguments."""
    cls_id, sep_id, max_seq_length = map(int, sys.argv[1:])
    source, target = sys.stdin.buffer, sys.stdout.buffer
    try:
        tokens = array("i")
        for ids in _received(source):
            tokens.frombytes(ids.tobytes())
        continues = pickle.load(source)
        reader = PlanReader(np.frombuffer(tokens, np.int32), cls_id, sep_id, max_seq_length, continues)
        kind = PRETRAINING if continues is None else PRETRAINING_WORDS
        _make_records(_received(source), reader, kind, max(1, _POSITIONS_PER_BATCH // max_seq_length), target)
        target.flush()
    except (EOFError, pickle.UnpicklingError):  # the first process is gone
        os._exit(1)
    except MemoryError:
        os._exit(errno.ENOMEM)
    except OSError as error:
        os._exit(error.errno or 1)


def _received(source: IO[bytes]) -> Iterator[np.ndarray]:
    while (values := pickle.load(source)) is not None:
        yield values


def _make_records(
    batches: Iterator[np.ndarray], reader: PlanReader, kind: RecordKind, batch_size: int, target: IO[bytes]
) -> None:
    """Writes the framed records, and behind the last one the sizes of them all."""
    sizes = array("I")
    for plans in batches:
        for start in range(0, len(plans), batch_size):
            framed = frame(serialize(kind, reader.features(plans[start : start + batch_size])))
            sizes.extend(map(len, framed))
            target.write(b"".join(framed))
    sizes.tofile(target)
