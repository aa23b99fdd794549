"""The nearest questions. Shapes: Q questions, R queries, H the size of a vector, K neighbours."""

from typing import Any, Protocol

import numpy as np

from bert.errors import InputError, check_installed

DECIMALS = 6  # of a cosine; what is behind them depends on the order of the sum
BLOCK = 256  # queries whose scores are held at a time
_NEIGHBOURS, _CONSTRUCTION, _SEARCH = 32, 40, 128  # of faiss's graph: links of a node, how widely is looked for them


class Retriever(Protocol):
    """Finds questions for queries, which are texts or vectors. `depth` is how many it can find at most."""

    depth: int

    def search(self, queries: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores, float32 [R, count], and the numbers of the questions, int64 [R, count], the best first and of equal
        ones the first; -1 where nothing more was found."""


def top(scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` largest scores of each row and their places, the largest first and of equal ones the first: float32
    [R, Q] -> float32 and int64 [R, count]."""
    count = min(count, scores.shape[1])
    found = np.empty([len(scores), count], np.int64)
    for row, own in enumerate(scores):
        if count < len(own):
            smallest = own[np.argpartition(-own, count - 1)[count - 1]]
            above, equal = np.flatnonzero(own > smallest), np.flatnonzero(own == smallest)
            chosen = np.concatenate([above, equal[: count - len(above)]])
            chosen.sort()
        else:
            chosen = np.arange(len(own))
        found[row] = chosen[np.argsort(-own[chosen], kind="stable")]
    return np.take_along_axis(scores, found, axis=1), found


class Exact:
    """All products, float32, rounded so that equal questions tie; `vectors` [Q, H] and queries have length 1."""

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors, self.depth = vectors, len(vectors)

    def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        parts = [
            top(np.round(queries[begin : begin + BLOCK] @ self._vectors.T, DECIMALS), count)
            for begin in range(0, len(queries), BLOCK)
        ]
        scores, rows = zip(*parts, strict=True)
        return np.concatenate(scores), np.concatenate(rows)


def check_bm25() -> None:
    """Raises InputError where bm25s is not installed."""
    check_installed("BM25", "retrieval", "bm25s")


def check_faiss() -> None:
    """Raises InputError where faiss is not installed."""
    check_installed("`index`=faiss", "retrieval", "faiss")


class Faiss:
    """A graph of neighbours (Malkov and Yashunin 2018), searched greedily: nearly the same answers, much sooner.

    `stored` is what `serialized` gave, to save the time that making the graph takes. Raises InputError where faiss is
    not installed, and for one that is not of so many vectors.
    """

    depth = _SEARCH

    def __init__(self, vectors: np.ndarray, stored: np.ndarray | None = None) -> None:
        check_faiss()
        import faiss

        self._graph: Any
        if stored is None:
            self._graph = faiss.IndexHNSWFlat(vectors.shape[1], _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            self._graph.hnsw.efConstruction = _CONSTRUCTION
            self._graph.add(vectors)
        else:
            self._graph = _deserialized(stored, len(vectors))
        self._graph.hnsw.efSearch = _SEARCH

    def add(self, vectors: np.ndarray) -> None:
        """Takes up further questions."""
        self._graph.add(vectors)

    def serialized(self) -> np.ndarray:
        """The graph as bytes, uint8."""
        import faiss

        return faiss.serialize_index(self._graph)

    def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        scores, rows = self._graph.search(queries, min(count, self._graph.ntotal))
        scores = np.where(rows < 0, np.float32(-np.inf), np.round(scores, DECIMALS))
        order = np.lexsort((rows, -scores), axis=1)
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _deserialized(stored: np.ndarray, count: int) -> Any:
    import faiss

    try:
        graph = faiss.deserialize_index(stored)
    except RuntimeError:
        graph = None
    if not isinstance(graph, faiss.IndexHNSWFlat) or graph.ntotal != count:
        raise InputError("the graph of faiss is damaged; make the index anew with `do_index`")
    return graph
