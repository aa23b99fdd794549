"""A predictor in a long-lived program: several threads, any lengths, memory that stays."""

import concurrent.futures
import pathlib
import random
import subprocess
import sys

import pytest

import bert
from tests import trained

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained.classifier(tmp_path_factory.mktemp("classes"), ["good", "bad", "so so"], [("the company", "")])


@pytest.fixture(scope="module")
def model(folder):
    return bert.load(str(folder), max_seq_length=128)


def texts(count: int, longest: int) -> list[str]:
    generator = random.Random(3)
    return [trained.sentence(generator, generator.randint(1, longest)) for _ in range(count)]


def test_threads_get_the_answers_to_their_own_rows(model):
    rows = texts(80, 40)
    alone = [model.predict(row).score for row in rows]
    parts = [rows[begin : begin + 1 + begin % 4] for begin in range(len(rows))]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(model.predict, parts))
    for begin, part in enumerate(found):
        assert [one.score for one in part] == pytest.approx(alone[begin : begin + len(part)], abs=1e-5)  # rounding
    assert len(set(alone)) > 40


# In a process of its own: memory that other tests leave to be freed, or take up, is not the predictor's.
ASK_TWICE = """
import gc, sys
import tensorflow as tf
import bert
from tests.test_prediction_at_work import resident, texts

model, rows = bert.load(sys.argv[1], max_seq_length=128), texts(500, 120)

def ask():
    for begin in range(0, len(rows), 5):
        model.predict(rows[begin])
        model.predict(rows[begin + 1 : begin + 5])
    gc.collect()
    return resident(), len([one for one in gc.get_objects() if isinstance(one, tf.Graph)])

print(*ask(), *ask())
"""


def resident() -> int:
    """Bytes of this process that lie in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="needs Linux")
def test_lengths_of_all_sorts_trace_nothing_new_and_memory_stays(folder):
    """500 texts of random lengths, alone and several at once."""
    command = [sys.executable, "-c", ASK_TWICE, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    before, graphs, after, graphs_after = map(int, done.stdout.split())
    assert graphs_after == graphs
    assert after - before < 20 << 20
