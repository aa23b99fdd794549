"""What benchmarks print: tables in Markdown, and under them the machine."""

import os
import pathlib
import platform
import sys
from collections.abc import Mapping, Sequence


def print_table(title: str, header: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    print(f"\n### {title}\n")
    for line in (header, ["---"] * len(header), *lines):
        print("| " + " | ".join(map(str, line)) + " |")
    sys.stdout.flush()


def machine(versions: Mapping[str, str]) -> str:
    """The machine and the programs' versions in one line."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = {"Python": platform.python_version(), **versions}
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{len(os.sched_getaffinity(0))} cores, {names[0] if names else platform.machine()}; {packages}"


def tell(line: str) -> None:
    """Says on standard error what is done, for the tables take standard output."""
    print(line, file=sys.stderr, flush=True)
