"""An index as it lies in the folder of its model: vectors, the table of questions and answers, and index.json.

index.json names the other two, whose names have a number that grows, and is written last: whoever is killed while he
changes an index leaves the former one whole. Its fingerprint says what the vectors were made with; vectors of anything
else cannot be compared with them. Shapes: Q questions, H the size of a vector.
"""

import dataclasses
import io
import json
import logging
import os
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from bert import files
from bert.errors import InputError
from bert.options.pooling import POOLINGS
from bert.retrieval.knowledge import KnowledgeBase
from bert.retrieval.search import Exact, Faiss, Retriever, check_faiss

logger = logging.getLogger(__name__)

FOLDER = "index"
_CONTENT = "index.json"
_VECTORS, _QUESTIONS, _GRAPH = "vectors.npy", "questions.jsonl", "graph.faiss"
_PARTS = {"exact": (_VECTORS, _QUESTIONS), "faiss": (_VECTORS, _QUESTIONS, _GRAPH)}  # of an index of each kind
_SCHEMA = {
    "fingerprint": {"pooling": str, "layer": int, "max_seq_length": int},
    "kind": str,
    "number": int,
    "checksums": dict,
    "threshold?": (dict, None),
    "answering?": {
        "top_k": int,
        "intent_model": str,
        "rerank_model": str,
        "rerank_candidates": int,
        "rerank_label": str,
    },
}
_NUMBERED = re.compile(r"(?:vectors|questions|graph)-(\d+)\.(?:npy|jsonl|faiss)")
_THRESHOLD = {
    "threshold": float,
    "rerank_model": str,
    "rerank_candidates": int,
    "rerank_label?": str,
    "rerank_sha256?": str,
}
_ROW = {"question": str, "answer_id": str, "answer?": str}  # of the table


@dataclasses.dataclass(frozen=True, eq=False)
class Index:
    """Questions with their vectors, float32 [Q, H] of length 1.

    Attributes:
      fingerprint: what made the vectors, name -> value.
      kind: exact or faiss.
      graph: that of faiss, uint8, or None.
      threshold: what `calibration.Point` has of the threshold of I don't know, and the `RerankOptions` that its scores
        are of with a hash of the second model's weights, "" without one; None where none was chosen.
      answering: the `AnsweringOptions` of whoever asks for no others, by name; empty in an index of an older version.
    """

    base: KnowledgeBase
    vectors: np.ndarray
    fingerprint: Mapping[str, Any]
    kind: str = "exact"
    graph: np.ndarray | None = None
    threshold: Mapping[str, Any] | None = None
    answering: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def retriever(self) -> Retriever:
        """What searches it."""
        return Faiss(self.vectors, self.graph) if self.kind == "faiss" else Exact(self.vectors)

    def with_added(self, base: KnowledgeBase, vectors: np.ndarray, source: str) -> "Index":
        """With further questions behind its own. Raises InputError as `KnowledgeBase.with_added` does."""
        graph = self.graph
        if self.kind == "faiss" and len(vectors):
            searcher = Faiss(self.vectors, self.graph)
            searcher.add(vectors)
            graph = searcher.serialized()
        joined = np.concatenate([self.vectors, vectors])
        return dataclasses.replace(self, base=self.base.with_added(base, source), vectors=joined, graph=graph)

    def without(self, rows: np.ndarray) -> "Index":
        """Without these questions; the others keep their vectors, and only a graph is made anew. Raises InputError
        where none is left."""
        kept = np.setdiff1d(np.arange(len(self.base)), rows)
        if not len(kept):
            raise InputError("`remove_file`, `remove_ids`: nothing would be left in the index")
        return dataclasses.replace(self, base=self.base.take(kept), vectors=self.vectors[kept], graph=None)


def path_of(folder: str) -> str:
    """The index.json of a model's folder."""
    return os.path.join(folder, FOLDER, _CONTENT)


def read_content(folder: str) -> Mapping[str, Any] | None:
    """The index.json of a model's folder; None where there is none. Raises InputError for a damaged one."""
    path = path_of(folder)
    if not files.exists(path):
        return None
    content = files.checked(files.read_json(path), _SCHEMA, path)
    if content.get("threshold"):
        files.checked(content["threshold"], _THRESHOLD, path)
    if content["kind"] not in _PARTS:
        raise InputError(f"{path}: 'kind' is '{content['kind']}', expected {' or '.join(_PARTS)}")
    if content["fingerprint"]["pooling"] not in POOLINGS:
        pooling = content["fingerprint"]["pooling"]
        raise InputError(f"{path}: 'fingerprint.pooling' is '{pooling}', expected {' or '.join(POOLINGS)}")
    parts = _PARTS[content["kind"]]
    files.checked(content["checksums"], dict.fromkeys(parts, int), f"{path}: checksums")
    if unknown := sorted(content["checksums"].keys() - set(parts)):
        raise InputError(f"{path}: 'checksums' has '{unknown[0]}', expected {', '.join(parts)} alone")
    return content


def discard_damaged(folder: str) -> None:
    """Deletes an index.json that cannot be read, with a warning: what is made anew does not go on from it."""
    try:
        read_content(folder)
    except InputError as error:
        logger.warning("%s; the index is made anew, without what it told of its second model.", error)
        files.remove(path_of(folder))


def check_fingerprint(folder: str, stored: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Raises InputError, with both values, where the index of a folder was made with something else."""
    for name, value in ours.items():
        if stored.get(name) != value:
            raise InputError(
                f"{path_of(folder)}: the index was made with {name} {stored.get(name)}, this search has {value}; "
                "make it anew with `do_index`"
            )


def require_content(folder: str) -> Mapping[str, Any]:
    """The index.json of a model's folder. Raises InputError where there is none, or it is damaged."""
    content = read_content(folder)
    if content is None:
        raise InputError(f"no index in {folder}: make one with `do_index`")
    return content


def read(folder: str) -> Index:
    """The index of a model's folder. Raises InputError where there is none, or it is damaged."""
    content = require_content(folder)
    if content["kind"] == "faiss":
        check_faiss()
    contents = {name: _read_part(folder, content, name) for name in content["checksums"]}
    try:
        vectors = np.lib.format.read_array(io.BytesIO(contents[_VECTORS]), allow_pickle=False)
        base = _parse(contents[_QUESTIONS])
    except (ValueError, TypeError, RecursionError):  # InputError among them
        raise _damaged(folder) from None
    if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != len(base):
        raise _damaged(folder)
    graph = np.frombuffer(contents[_GRAPH], np.uint8) if _GRAPH in contents else None
    told = content.get("threshold"), content.get("answering", {})
    return Index(base, vectors, content["fingerprint"], content["kind"], graph, *told)


def _damaged(folder: str) -> InputError:
    return InputError(f"{path_of(folder)}: damaged; make the index anew with `do_index`")


def write(folder: str, index: Index) -> str:
    """Writes the index into its model's folder, in place of the one there; returns the path of index.json."""
    path = path_of(folder)
    files.make_folder(os.path.dirname(path))
    before = read_content(folder)
    number = before["number"] + 1 if before else 1
    contents = {_VECTORS: _array_bytes(index.vectors), _QUESTIONS: _table(index.base)}
    if index.kind == "faiss":
        graph = Faiss(index.vectors).serialized() if index.graph is None else index.graph
        contents[_GRAPH] = graph.tobytes()
    for name, content in contents.items():
        with files.replaced(_part(folder, name, number)) as temporary, files.open_binary(temporary, "wb") as file:
            file.write(content)
    values = {
        "fingerprint": dict(index.fingerprint),
        "questions": len(index.base),
        "answers": len(index.base.names),
        "kind": index.kind,
        "number": number,
        "checksums": {name: zlib.crc32(content) for name, content in contents.items()},
        "threshold": index.threshold,
        **({"answering": dict(index.answering)} if index.answering else {}),
    }
    files.write_json(path, values)
    for name in files.listing(os.path.dirname(path)):  # those of a run too that was killed just here
        found = _NUMBERED.fullmatch(name)
        if found and int(found[1]) != number:
            files.remove(os.path.join(os.path.dirname(path), name))
    return path


def write_threshold(folder: str, threshold: Mapping[str, Any], answering: Mapping[str, Any] | None = None) -> None:
    """Stores what was chosen on the dev set with the index that it was chosen for, and how that was asked."""
    told = {"threshold": dict(threshold), **({"answering": dict(answering)} if answering else {})}
    files.write_json(path_of(folder), {**require_content(folder), **told})


def _part(folder: str, name: str, number: int) -> str:
    stem, ending = name.split(".")
    return os.path.join(folder, FOLDER, f"{stem}-{number}.{ending}")


def _read_part(folder: str, content: Mapping[str, Any], name: str) -> bytes:
    path = _part(folder, name, content["number"])
    with files.open_binary(path) as file:
        found = file.read()
    if zlib.crc32(found) != content["checksums"][name]:
        raise InputError(f"{path}: damaged; make the index anew with `do_index`")
    return found


def _array_bytes(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _table(base: KnowledgeBase) -> bytes:
    """A line a question; the text of an answer stands beside the first."""
    lines, told = [], set()
    for question, name in zip(base.questions, base.answer_ids, strict=True):
        row = {"question": question, "answer_id": name}
        if name in base.answers and name not in told:
            row["answer"] = base.answers[name]
        told.add(name)
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def _parse(table: bytes) -> KnowledgeBase:
    rows = [files.checked(json.loads(line), _ROW, _QUESTIONS) for line in table.decode().split("\n") if line]
    answers = {row["answer_id"]: row["answer"] for row in rows if "answer" in row}
    return KnowledgeBase(tuple(row["question"] for row in rows), tuple(row["answer_id"] for row in rows), answers)
