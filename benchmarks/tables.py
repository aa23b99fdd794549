"""What benchmarks print: tables in Markdown, and under them the machine."""

import os
import pathlib
import platform
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np


def print_table(title: str, header: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    print(f"\n### {title}\n")
    for line in (header, ["---"] * len(header), *lines):
        print("| " + " | ".join(map(str, line)) + " |")
    sys.stdout.flush()


def machine(versions: Mapping[str, str]) -> str:
    """The machine, how fast it multiplies, and the programs' versions in one line."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = {"Python": platform.python_version(), **versions}
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    processor = names[0] if names else platform.machine()
    return f"{len(os.sched_getaffinity(0))} cores, {processor}, {product_speed():.0f} GFLOP/s in products; {packages}"


def product_speed() -> float:
    """GFLOP/s of float32 products in numpy, on all cores, when it was fastest: machines of one name differ twofold."""
    size = 1024
    factor, seconds = np.ones([size, size], np.float32), []
    for _ in range(10):
        began = time.perf_counter()
        factor @ factor
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds) / 1e9


def tell(line: str) -> None:
    """Says on standard error what is done, for the tables take standard output."""
    print(line, file=sys.stderr, flush=True)
