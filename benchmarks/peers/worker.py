"""The process of one program: does steps when told to, and says what they took. Standard library only, for any Python.

Line by line, a number in, a JSON object out: at first what the program is, after a 0 what its first step took (warm-up
follows), after a number of steps what those took.
"""

import json
import os
import pathlib
import sys
import time


def serve(build):
    """Runs the program that `build(specification)` makes, until the input ends.

    The program has `about`, a dict; `run(steps)`, which returns a dict with `examples` and `loss`; and `warm_up()`.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer

    def answer(values):
        print(json.dumps(values), file=answers, flush=True)

    try:
        program = build(json.loads(sys.argv[1]))
    except ModuleNotFoundError as error:
        answer({"missing": error.name})
        return
    answer({**program.about, "start_mb": memory("VmRSS")})
    for line in sys.stdin:
        steps = int(line)
        if steps:
            answer(timed(program, steps))
        else:
            start = time.perf_counter()
            first = timed(program, 1)
            program.warm_up()
            answer({"first_seconds": first["seconds"], "warm_up_seconds": time.perf_counter() - start})


def timed(program, steps):
    start, cpu_start = time.perf_counter(), time.process_time()
    values = program.run(steps)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return {**values, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": memory("VmHWM")}


def memory(name):
    """MB: VmRSS is what is in use now, VmHWM the most so far."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name + ":"))


class Rows:
    """Batches of arrays with one row an example, round and round, in an order drawn from the seed."""

    def __init__(self, path, batch_size, seed):
        import numpy as np

        loaded = np.load(path)
        count = len(loaded["input_ids"])
        self.order = np.random.default_rng(seed).permutation(count // batch_size * batch_size)
        self.columns = {name: loaded[name][self.order] for name in loaded.files}
        self.batch_size, self.first = batch_size, 0

    def next(self):
        batch = {name: column[self.first : self.first + self.batch_size] for name, column in self.columns.items()}
        self.first = (self.first + self.batch_size) % len(self.order)
        return batch
