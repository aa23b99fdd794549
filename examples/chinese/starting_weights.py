"""The weights that start.py writes: random ones, but for what can be counted in a text.

Shapes: V pieces of the vocabulary, D the hidden size, S positions.
"""

import keras
import numpy as np
import scipy.sparse
from sklearn.utils.extmath import randomized_svd

from bert.config import BertConfig
from bert.heads import PretrainingModel

WINDOW = 5  # neighbours as far as this count, the nearer the more
SMOOTHING = 0.75  # of the contexts' frequencies, so that rare neighbours do not stand out (Levy et al. 2015)
FASTEST, SLOWEST = 2.5, 0.01  # radians a position: neighbours differ, and the ends of a row of 128 are told apart
SHIFTS = (-1, 1, -2, 2)  # what the heads of the first layer look at
SHARPNESS = 1.4  # of their look: nine tenths of the attention on one place
CONTEXT_SCALE = 0.7  # of what they see beside the piece itself


class Counts:
    """How often each piece occurs, and how often beside each other one.

    Attributes:
      pieces: float64 [V].
      neighbours: sparse float64 [V, V], symmetric; a pair at distance d counts 1 / d.
    """

    def __init__(self, size: int) -> None:
        self.pieces = np.zeros(size)
        self.neighbours = scipy.sparse.csr_matrix((size, size))

    def add(self, ids: np.ndarray, row_splits: np.ndarray) -> None:
        """Counts the ids of several lines, as Tokenizer.encode gives them; neighbours are of the same line."""
        size = len(self.pieces)
        self.pieces += np.bincount(ids, minlength=size)
        line = np.repeat(np.arange(len(row_splits) - 1), np.diff(row_splits))
        for distance in range(1, WINDOW + 1):
            same = line[:-distance] == line[distance:]
            pair = ids[:-distance][same], ids[distance:][same]
            found = scipy.sparse.coo_matrix((np.full(len(pair[0]), 1 / distance), pair), shape=(size, size)).tocsr()
            self.neighbours = self.neighbours + found + found.T


def starting_values(config: BertConfig, counts: Counts, seed: int) -> dict[str, np.ndarray]:
    """All variables of a pre-training model, by Google's names."""
    values = random_values(config, seed)
    random = np.random.default_rng(seed)
    scale = config.initializer_range
    values["cls/predictions/output_bias"] = np.log((counts.pieces + 1) / (counts.pieces + 1).sum())  # [V]
    values["bert/embeddings/word_embeddings"] = word_embeddings(counts, config.hidden_size, random) * scale  # [V, D]
    waves, frequencies = sinusoids(config.max_position_embeddings, config.hidden_size)
    axes = rotation(config.hidden_size, random)  # [D, D]: no dimension is the positions' alone
    values["bert/embeddings/position_embeddings"] = waves @ axes * scale  # [positions, D]
    layer = "bert/encoder/layer_0/attention"
    query, key = looking_beside(axes, frequencies, config.num_attention_heads)
    values[f"{layer}/self/query/kernel"], values[f"{layer}/self/key/kernel"] = query, key  # [D, D]
    values[f"{layer}/self/value/kernel"] = rotation(config.hidden_size, random)  # [D, D]
    values[f"{layer}/output/dense/kernel"] = rotation(config.hidden_size, random) * CONTEXT_SCALE  # [D, D]
    return {name: value.astype(np.float32) for name, value in values.items()}


def random_values(config: BertConfig, seed: int) -> dict[str, np.ndarray]:
    """What run_pretraining starts from where it is given no weights."""
    keras.utils.set_random_seed(seed)
    model = PretrainingModel(config)
    model.build()
    return {variable.path: variable.numpy() for variable in model.weights}


def word_embeddings(counts: Counts, size: int, random: np.random.Generator) -> np.ndarray:
    """[V, size], each row as long as one of random numbers with variance 1.

    The factors of the positive pointwise mutual information of neighbours (Levy and Goldberg, 2014); pieces without
    neighbours get random numbers.
    """
    pairs = counts.neighbours.tocoo()
    totals = counts.neighbours.sum(axis=1).A1
    contexts = totals**SMOOTHING
    information = np.log(pairs.data * contexts.sum() / (totals[pairs.row] * contexts[pairs.col]))
    kept = information > 0
    matrix = scipy.sparse.csr_matrix((information[kept], (pairs.row[kept], pairs.col[kept])), shape=pairs.shape)
    left, strengths, _ = randomized_svd(matrix, min(size, len(totals)), random_state=int(random.integers(2**31)))
    found = np.zeros((len(totals), size))
    found[:, : len(strengths)] = left * np.sqrt(strengths)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    drawn = random.normal(size=found.shape)
    return np.where(lengths > 1e-6, found / np.maximum(lengths, 1e-6) * np.sqrt(size) @ rotation(size, random), drawn)


def sinusoids(positions: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine side by side for each frequency, [positions, size], variance 1 (Vaswani et al., 2017); and the
    frequencies, [size / 2], the fastest first."""
    frequencies = np.geomspace(FASTEST, SLOWEST, size // 2)
    angles = np.arange(positions)[:, None] * frequencies
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(positions, size)
    waves = waves - waves.mean(axis=0)  # what all positions share would say nothing
    return waves / waves.std(), frequencies


def looking_beside(axes: np.ndarray, frequencies: np.ndarray, heads: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernels of queries and keys, [D, D], with which head h looks SHIFTS[h] positions further.

    Both read the fastest waves of the positions, and the query turns its own by the shift (section 3.5 of Vaswani et
    al.: a shift is a rotation). Structure at the start helps small models: Trockman and Kolter, 2023.
    """
    size = len(axes)
    width = size // heads
    query, key = np.zeros((size, size)), np.zeros((size, size))
    for head in range(heads):
        for wave in range(width // 2):
            angle = frequencies[wave] * SHIFTS[head % len(SHIFTS)]
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            read = axes[2 * wave : 2 * wave + 2].T * SHARPNESS  # [D, 2]
            columns = slice(head * width + 2 * wave, head * width + 2 * wave + 2)
            query[:, columns], key[:, columns] = read @ turn, read
    return query, key


def rotation(size: int, random: np.random.Generator) -> np.ndarray:
    """A random one, [size, size]."""
    return np.linalg.qr(random.normal(size=(size, size)))[0]
