"""The nearest questions and answers against brute force, BM25 against its formula worked by hand."""

import math

import numpy as np
import pytest

from bert.errors import InputError
from bert.retrieval.bm25 import Bm25, words
from bert.retrieval.knowledge import KnowledgeBase
from bert.retrieval.ranking import Search
from bert.retrieval.search import Exact, Faiss, top


def unit_vectors(rows: int, size: int = 16, seed: int = 1) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=[rows, size]).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def brute_force(query: np.ndarray, vectors: np.ndarray, count: int) -> list[int]:
    """One product after the other; the best first, of equal ones the first."""
    scores = [round(float(np.dot(query.astype(np.float64), vector.astype(np.float64))), 6) for vector in vectors]
    return sorted(range(len(vectors)), key=lambda row: (-scores[row], row))[:count]


@pytest.mark.parametrize("count", [1, 7, 300, 500])
def test_exact_search_finds_what_a_loop_finds(count):
    vectors, queries = unit_vectors(300), unit_vectors(270, seed=2)  # more queries than a block
    vectors[200:210] = vectors[5]  # ties, at the border of what is asked for too
    queries[:5] = vectors[5]
    scores, rows = Exact(vectors).search(queries, count)
    assert rows.shape == scores.shape == (270, min(count, 300))
    for query, own, found in zip(queries, scores, rows, strict=True):
        assert found.tolist() == brute_force(query, vectors, count)
        np.testing.assert_allclose(own, vectors[found] @ query, atol=1e-6)


def test_equal_scores_come_in_the_order_of_the_rows():
    scores = np.array([[0, 2, 1, 2, 1, 1]], np.float32)
    for count, expected in ((1, [1]), (2, [1, 3]), (3, [1, 3, 2]), (4, [1, 3, 2, 4]), (9, [1, 3, 2, 4, 5, 0])):
        found, rows = top(scores, count)
        assert rows[0].tolist() == expected
        assert found[0].tolist() == scores[0][expected].tolist()


def test_faiss_finds_nearly_the_same():
    pytest.importorskip("faiss")
    vectors, queries = unit_vectors(500), unit_vectors(50, seed=2)
    graph = Faiss(vectors[:400])
    graph.add(vectors[400:])
    scores, rows = Faiss(vectors, graph.serialized()).search(queries, 10)
    expected_scores, expected = Exact(vectors).search(queries, 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, expected, strict=True)]) > 0.98
    assert (np.diff(scores, axis=1) <= 0).all()
    same = rows == expected
    np.testing.assert_allclose(scores[same], expected_scores[same], atol=2e-6)


def test_a_graph_of_other_vectors_is_refused():
    pytest.importorskip("faiss")
    graph = Faiss(unit_vectors(20)).serialized()
    for count, stored in ((21, graph), (20, graph[:-9])):
        with pytest.raises(InputError, match="the graph of faiss is damaged; make the index anew with `do_index`"):
            Faiss(unit_vectors(count), stored)


# Answers


BASE = KnowledgeBase(
    ("where is it", "Where  IS it", "how much", "who", "what is it", "where"), ("a", "a", "b", "c", "b", "a")
)
SCORES = np.array([0.9, 0.9, 0.5, 0.7, 0.8, 0.1], np.float32)


class Fixed:
    """A retriever with the scores above for every query, which counts how often it was asked."""

    def __init__(self):
        self.depth, self.asked = len(SCORES), []

    def search(self, queries, count):
        self.asked.append(count)
        return top(np.tile(SCORES, [len(queries), 1]), count)


def test_an_answer_is_as_near_as_its_best_question():
    (found,) = Search(BASE, Fixed()).rankings(["why"], ["why"])
    assert found.questions.tolist() == [0, 1, 4, 3, 2, 5]
    assert found.best.tolist() == [0, 4, 3]
    assert found.scores.tolist() == SCORES[[0, 4, 3]].tolist()
    assert [found.rank(BASE, name) for name in "abcd"] == [1, 2, 3, None]


def test_a_query_finds_neither_itself_nor_its_copies():
    (found,) = Search(BASE, Fixed()).rankings(["WHERE is it"], [0], leave_out_copies=True)
    assert found.questions.tolist() == [4, 3, 2, 5]
    assert [found.rank(BASE, name) for name in "abc"] == [3, 1, 2]
    (found,) = Search(BASE, Fixed()).rankings(["WHERE is it"], [0])
    assert found.rank(BASE, "a") == 1


def test_it_looks_further_until_there_are_answers_enough():
    names = ("a",) * 30 + ("b", "c")
    base = KnowledgeBase(tuple(f"q{row}" for row in range(32)), names)
    retriever = Exact(np.stack([np.linspace(1, 0, 32), np.zeros(32)], axis=1).astype(np.float32))
    (found,) = Search(base, retriever).rankings(["q"], np.array([[1, 0]], np.float32), answers=3)
    assert [base.answer_ids[row] for row in found.best] == ["a", "b", "c"]
    (one,) = Search(base, retriever).rankings(["q"], np.array([[1, 0]], np.float32), answers=1)
    assert len(one.questions) == 4


def test_a_second_model_orders_the_nearest_anew():
    pairs_seen = []

    def rerank(pairs):
        pairs_seen.extend(pairs)
        return np.array([{"who": 0.5, "what is it": 0.5}.get(question, 0.2) for _, question in pairs], np.float32)

    rankings = Search(BASE, Fixed(), rerank, candidates=4).rankings(["x", "where is it"], [0, 0], leave_out_copies=True)
    first, second = rankings
    assert first.questions.tolist() == [4, 3, 0, 1]  # of equal ones the nearer stays before
    assert [BASE.answer_ids[row] for row in first.best] == ["b", "c", "a"]
    assert second.questions.tolist() == [4, 3, 2, 5]
    assert len(pairs_seen) == 8
    assert pairs_seen[0] == ("x", "where is it")


@pytest.mark.parametrize("is_reranked", [False, True])
def test_one_search_finds_what_two_find(is_reranked):
    """With copies and without; the second model reads each pair once."""
    read = []

    def rerank(pairs):
        read.extend(pairs)
        return np.array([len(question) / 7 % 1 for _, question in pairs], np.float32)

    texts = ["where is it", "x", "WHO"]
    search = Search(BASE, Fixed(), rerank if is_reranked else None, candidates=3)
    both = list(search.with_and_without_copies(texts, [0, 0, 0]))
    assert len(read) == len(set(read)) == (is_reranked and 5 + 3 + 3)
    for parts, leave_out in zip(zip(*both, strict=True), (False, True), strict=True):
        expected = search.rankings(texts, [0, 0, 0], leave_out_copies=leave_out)
        for found, own in zip(parts, expected, strict=True):
            assert [part.tolist() for part in found] == [part.tolist() for part in own]


# BM25


def test_words_are_those_of_both_writings():
    assert words("Don't pay 3,50!  WHERE") == ["don", "t", "pay", "3", "50", "where"]
    assert words("花呗 ok吗") == ["花", "呗", "花呗", "ok", "吗"]
    assert words("?!") == []


def test_bm25_is_the_formula():
    """Robertson's, with the idf of Lucene, ln(1 + (N - n + 0.5) / (n + 0.5)), and without the constant k1 + 1."""
    pytest.importorskip("bm25s")
    questions = ["pay the card", "the card the card", "a fee"]
    scores, rows = Bm25(questions).search(["Card fee", "zebra"], 3)
    mean = 9 / 3

    def part(count: int, length: int, containing: int) -> float:
        idf = math.log(1 + (3 - containing + 0.5) / (containing + 0.5))
        return idf * count / (count + 1.5 * (1 - 0.75 + 0.75 * length / mean))

    expected = [part(1, 3, 2), part(2, 4, 2), part(1, 2, 1)]
    order = sorted(range(3), key=lambda row: -expected[row])
    assert rows[0].tolist() == order
    assert scores[0].tolist() == pytest.approx([expected[row] for row in order], rel=1e-5)
    assert rows[1].tolist() == [-1, -1, -1]  # none shares a word
    assert scores[1].tolist() == [-math.inf] * 3


def test_bm25_of_questions_without_a_word():
    """Nothing but marks: there is nothing to find."""
    pytest.importorskip("bm25s")
    scores, rows = Bm25(["???", "!!"]).search(["?", "why"], 2)
    assert (scores.tolist(), rows.tolist()) == ([[-math.inf] * 2] * 2, [[-1, -1]] * 2)
