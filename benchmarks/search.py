"""How long the nearest of many questions take: all products, and faiss's graph.

    python -m benchmarks.search --questions=100000

The vectors are random, around as many centres as there are answers, as questions lie around theirs. faiss comes with
the extra `retrieval`.
"""

import dataclasses
import importlib.metadata
import statistics
import time

from benchmarks.tables import machine, print_table, tell
from bert import cli, flags
from bert.options import option

SPREAD = 0.7  # of the questions of an answer around its centre, whose length is 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of this benchmark."""

    questions: int = option(100_000, "Questions in the index.")
    answers: int = option(10_000, "Answers that they have.")
    width: int = option(384, "Numbers of a vector.")
    queries: int = option(256, "Queries, asked one by one and all at once.")
    top_k: int = option(10, "Nearest questions wanted.")
    seed: int = option(12345, "Fixes the vectors.")

    def check(self) -> None:
        flags.check_positive(self, "questions", "answers", "width", "queries", "top_k")


def main(settings: Settings) -> None:
    import numpy as np

    from bert.retrieval.search import Exact, Faiss, Retriever

    draw = np.random.default_rng(settings.seed)
    centres = draw.normal(size=[settings.answers, settings.width]) / settings.width**0.5

    def vectors(count: int) -> np.ndarray:
        found = centres[draw.integers(settings.answers, size=count)]
        found += SPREAD * draw.normal(size=found.shape) / settings.width**0.5
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    indexed, queries = vectors(settings.questions), vectors(settings.queries)
    rows, expected = [], None
    for name, kind in (("exact", Exact), ("faiss", Faiss)):
        began = time.monotonic()
        retriever: Retriever = kind(indexed)
        made = time.monotonic() - began
        retriever.search(queries[:1], settings.top_k)
        single = []
        for query in queries:
            began = time.monotonic()
            retriever.search(query[np.newaxis], settings.top_k)
            single.append(1000 * (time.monotonic() - began))
        began = time.monotonic()
        _, found = retriever.search(queries, settings.top_k)
        together = 1000 * (time.monotonic() - began) / len(queries)
        expected = found if expected is None else expected
        same = np.mean([len(np.intersect1d(a, b)) / settings.top_k for a, b in zip(found, expected, strict=True)])
        times = f"{statistics.median(single):.2f}", f"{np.percentile(single, 99):.2f}", f"{together:.2f}"
        rows.append([name, f"{made:.1f}", *times, f"{same:.3f}"])
        tell(f"{name}: done")
    title = f"{settings.questions} questions of {settings.answers} answers, {settings.width} numbers each"
    heads = ["index", "made in s", "ms a query", "p99", "ms a query, together", f"of the nearest {settings.top_k}"]
    print_table(title, heads, rows)
    print(f"\n{machine({name: importlib.metadata.version(name) for name in ('numpy', 'faiss-cpu')})}")


if __name__ == "__main__":
    cli.run(Settings, main)
