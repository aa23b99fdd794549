"""Word embeddings from a text file of word vectors, as word2vec and GloVe write them: a word a line and its numbers,
with single spaces between; word2vec has a line of two counts before them.

Shapes: E size of a word vector, V vocabulary.
"""

import logging
from collections.abc import Iterator

import keras
import numpy as np

from bert import files
from bert.encoders.base import WordEmbeddings
from bert.errors import InputError
from bert.tokenization import Vocabulary

logger = logging.getLogger(__name__)


def fill(encoder: keras.layers.Layer, vocabulary: Vocabulary, path: str) -> None:
    """Puts the vectors of the file into the word embeddings of the pieces that have one, and says how many have.

    A piece takes the first vector of exactly its name; others stay as they are. Raises InputError for an encoder
    without a table of its own, and as `read` does.
    """
    table = getattr(encoder, "embeddings", None)
    if not isinstance(table, WordEmbeddings):
        raise InputError(f"`word_vectors`={path}: the encoder {encoder.name} has no table of word vectors to fill")
    values = table.word_embeddings.numpy()  # [V, E]
    found = 0
    for index, vector in read(path, vocabulary, table.size):
        values[index] = vector
        found += 1
    if not found:
        raise InputError(f"`word_vectors`={path} has none of the {len(vocabulary)} pieces of {vocabulary.name}")
    table.word_embeddings.assign(values)
    share = 100 * found / len(vocabulary)
    logger.info("%d of %d pieces (%.1f%%) start from a vector of %s.", found, len(vocabulary), share, path)


def read(path: str, vocabulary: Vocabulary, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yields a piece's id and its vector, float32 [E], for those pieces that the file has.

    Raises InputError with file and line for vectors of another size than `size`, and for what is no finite number.
    """
    files.check_readable(path, "`word_vectors`")
    logger.info("Reading word vectors from %s", path)
    wanted = dict(vocabulary.ids)
    for number, line in enumerate(files.read_lines(path), start=1):
        word, _, numbers = line.rstrip(" ").partition(" ")
        if number == 1:
            if _is_header(word, numbers):
                continue
            _vector(numbers, size, f"{path}:{number}")  # at once, whatever word it is of
        index = wanted.pop(word, None)
        if index is not None:
            yield index, _vector(numbers, size, f"{path}:{number}")


def _is_header(count: str, size: str) -> bool:
    return count.isdecimal() and size.isdecimal()


def _vector(numbers: str, size: int, where: str) -> np.ndarray:
    try:
        vector = np.array(numbers.split(" "), np.float32)
    except ValueError:
        raise InputError(f"{where}: expected a word and {size} numbers, found {numbers[:40]!r} after it") from None
    if len(vector) != size:
        raise InputError(f"{where}: a vector of {len(vector)} numbers, expected {size}, as in `bert_config_file`")
    if not np.isfinite(vector).all():
        raise InputError(f"{where}: a vector with a number that is not finite")
    return vector
