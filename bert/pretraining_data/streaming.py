"""The streaming mode on one machine: blocks through several processes, into shards of a given size.

The main process reads and cuts the text; each worker turns blocks into files of records; the main process joins them,
in the order of the blocks, into shards. A shard holds whole blocks and appears under its name when it is complete,
its side-car before it. So a run that was killed goes on behind the last complete shard, and ends with the same files.
"""

import collections
import concurrent.futures
import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from bert import files, quiet
from bert.errors import InputError
from bert.pretraining_data import fork_server
from bert.pretraining_data.blocks import Block, BlockMaker, group_files, read_blocks
from bert.pretraining_data.corpus import DuplicateCounter
from bert.pretraining_data.options import Options
from bert.pretraining_data.reading import read_sentences
from bert.pretraining_data.report import Counts, Progress, total_bytes
from bert.pretraining_data.shards import ShardWriter
from bert.records.frames import frame

logger = logging.getLogger(__name__)

Submit = Callable[[Block], concurrent.futures.Future[tuple[str, Counts]]]  # hands a block to a worker

_KILLED = "a worker process was killed, perhaps for want of memory: try fewer `num_workers` or less `block_size_mb`"
_BLOCKS_WAITING = 2  # a worker, so that none has to wait for the reader


def create(
    input_paths: Sequence[str], output_path: str, options: Options, num_workers: int, shard_size_mb: float
) -> Counts:
    """Streams a corpus into `NAME-00000.tfrecord`, `NAME-00001.tfrecord`... with a side-car each.

    The files do not depend on the number of workers. Complete shards of an earlier run with the same input and flags
    are kept and the run goes on behind them.
    Raises InputError for input that cannot be read, for shards of another run, and while another run makes them.
    """
    with files.locked(f"{output_path}.lock", output_path):
        return _create(input_paths, output_path, options, num_workers, shard_size_mb)


def _create(
    input_paths: Sequence[str], output_path: str, options: Options, num_workers: int, shard_size_mb: float
) -> Counts:
    shards = ShardWriter(output_path, shard_size_mb, options, input_paths)
    if shards.is_complete:
        logger.info("All %d shards are there already, made with the same flags", shards.number)
        return _report(shards, 0, options)
    total = total_bytes(input_paths, [files.size(path) for path in input_paths])
    with Progress("Streaming", total) as progress, _work_folder(output_path) as folder, shards:
        duplicates = DuplicateCounter(progress.advance)
        blocks = itertools.islice(_all_blocks(input_paths, options, duplicates), shards.blocks, None)
        with _workers(num_workers, options, folder) as submit:
            for path, counts in _in_order(submit, blocks, num_workers * _BLOCKS_WAITING):
                shards.append(path, counts)
                progress.advance(0, counts.instances)
        shards.finish()
    if not shards.total.documents:
        raise InputError(f"`input_file`: found no text in {', '.join(input_paths)}")
    return _report(shards, duplicates.count, options)


def _report(shards: ShardWriter, duplicates: int, options: Options) -> Counts:
    counts = shards.total + Counts(duplicate_documents=duplicates)
    counts.warn(options.do_whole_word_mask)
    logger.info("Wrote %d total instances", counts.instances)
    counts.log()
    return counts


def _all_blocks(paths: Sequence[str], options: Options, duplicates: DuplicateCounter) -> Iterator[Block]:
    for group, members in enumerate(group_files(paths, options)):
        yield from read_blocks(group, duplicates.watch(read_sentences(members, options)), options)


@contextlib.contextmanager
def _work_folder(output_path: str) -> Iterator[str]:
    """A folder for the blocks' files, beside the output; what a killed run left half-made there goes first."""
    if files.is_remote(output_path):
        with tempfile.TemporaryDirectory(prefix="pretraining-blocks-") as folder:
            yield folder
        return
    beside, name = os.path.split(output_path)
    files.clear_abandoned(beside or ".", os.path.splitext(name)[0])
    with files.temporary_folder(f"{output_path}.blocks") as folder:
        yield folder


def _in_order(submit: Submit, blocks: Iterator[Block], ahead: int) -> Iterator[tuple[str, Counts]]:
    """Results in the order of the blocks, with at most `ahead` blocks under way: memory stays flat."""
    waiting: collections.deque[concurrent.futures.Future[tuple[str, Counts]]] = collections.deque()
    for block in blocks:
        waiting.append(submit(block))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextlib.contextmanager
def _workers(count: int, options: Options, folder: str) -> Iterator[Submit]:
    """Gives a function that hands a block to a worker process and returns a future of (file, counts)."""
    context = fork_server.context()
    pool = concurrent.futures.ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker)

    def submit(block: Block) -> concurrent.futures.Future:
        try:
            return pool.submit(_write_block, options, folder, block)
        except (EOFError, ConnectionError):  # the fork server was killed before it could start the worker
            raise InputError(_KILLED) from None

    try:
        yield submit
    except concurrent.futures.process.BrokenProcessPool:
        raise InputError(_KILLED) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # tokenizing needs no GPU, and must not take one's memory
    with quiet.standard_error_held():  # TensorFlow complains of the missing GPU as it starts, in every worker
        tf.config.list_logical_devices()


def _end_with_parent() -> None:
    """A main process that was killed cannot end its workers, so they end themselves."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one
    parent.join()
    os._exit(1)


@functools.cache
def _block_maker(options: Options) -> BlockMaker:
    return BlockMaker(options)


def _write_block(options: Options, folder: str, block: Block) -> tuple[str, Counts]:
    """A worker's job: writes the records of a block to a file of its own."""
    path = os.path.join(folder, f"{block.group}-{block.number}")
    total = Counts()
    with files.named(path), open(path, "wb") as file:
        for records, counts in _block_maker(options).records(block):
            file.write(b"".join(frame(records)))
            total += counts
    return path, total
