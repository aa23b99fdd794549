"""Text to WordPiece ids, exactly as the original tokenizes (docs/parity.md 7), in graph operations only.

The operations of tensorflow-text alone do not agree with the original (docs/parity.md 10 says where); a
normalizer in front of them does. It costs little, because text is sorted by what it needs: a row of
printable ASCII is only lower-cased, and only a row with a word of over 200 characters is searched for it.
"""

import concurrent.futures
import functools
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert import files, unicode_ranges
from bert.errors import InputError
from bert.formats import tokenizers, vocab_file

SPECIAL_TOKENS = ("[CLS]", "[SEP]", "[UNK]", "[MASK]")

MAX_WORD_CHARACTERS = 200  # a longer word is [UNK], as in the original (docs/parity.md 7)
_MAX_WORD_BYTES = 4 * MAX_WORD_CHARACTERS  # what 200 characters of UTF-8 can take
MAX_PIECE_BYTES = 256  # tensorflow-text holds no longer piece

_TEXTS_PER_CALL = 2048
_CORES = os.cpu_count() or 1
_FEWEST_PER_CALL = 32  # a thread for fewer takes longer than they do

# Regular expressions in RE2 syntax. Deleted, not spaced: all of category Cc but tab, newline and carriage return.
_DELETED = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\p{Cf}\x{FFFD}"
_CLEAN = rf"[^{_DELETED}\p{{Cs}}]*"  # only valid UTF-8 matches; RE2 by itself takes surrogates for valid
_ASCII_PUNCTUATION = r"!-/:-@\[-`{-~"
_CHINESE = unicode_ranges.for_re2(unicode_ranges.CHINESE)
# One character that ends a word: white space, punctuation, a Chinese character.
_WORD_BREAK = rf"[\t\n\r\p{{Z}}\p{{P}}{_ASCII_PUNCTUATION}{_CHINESE}]"
# Rows that need lower-casing at most: printable ASCII in words of ordinary length.
_PLAIN = r"[0-9A-Za-z]{0,200}(?:[\t\n\r " + _ASCII_PUNCTUATION + r"][0-9A-Za-z]{0,200})*"
# Rows that may hold a word of over 200 characters. _WORD_BREAK itself, 201 times, is more than RE2 can search
# fast, so here the breaks are some common ones: a row too many may be found, never one too few.
_COMMON_BREAK = _ASCII_PUNCTUATION + r"\t\n\r \x{3000}-\x{3003}\x{3008}-\x{3011}\x{4E00}-\x{9FFF}\x{FF01}\x{FF0C}"
_PERHAPS_LONG = rf"(?s).*[^{_COMMON_BREAK}]{{201}}.*"


class Vocabulary:
    """The tokens of a `vocab.txt`, in id order.

    Attributes:
      name: where it came from, for messages; a path if read from a file.
      tokens: id -> token, an entry a line; a duplicate stays in its place.
      ids: token -> id; of duplicates the last id counts. The keys are in order of first appearance, which
        is the order that random replacement words are drawn from (docs/parity.md 6.1).

    Raises InputError, opening with `name`, when the vocabulary is empty or lacks a special token.
    """

    def __init__(self, tokens: Sequence[str], name: str = "vocabulary") -> None:
        self.name = name
        self.tokens = tuple(tokens)
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        if not self.tokens:
            raise InputError(f"{name}: is empty, expected a vocabulary, one token a line")
        missing = [token for token in SPECIAL_TOKENS if token not in self.ids]
        if missing:
            raise InputError(
                f"{name}: has no {', '.join(missing)} among its {len(self)} tokens, expected all special tokens"
            )

    @classmethod
    def from_file(cls, path: str) -> "Vocabulary":
        """Reads one token a line; white space around it is dropped, a blank line counts as the empty token.

        `path` may be a `tokenizer.json` too, or the folder of either.
        Raises InputError naming the file (and line) when it is missing, not UTF-8, empty or lacks a special token.
        """
        path = vocab_file(path)
        if path.endswith(".json"):
            return cls(tokenizers.read_tokens(path), path)
        return cls([line.strip() for line in files.read_lines(path)], path)

    def __len__(self) -> int:
        """Number of lines, which is the largest id + 1."""
        return len(self.tokens)

    def id(self, token: str) -> int:
        """The id of a token that is in the vocabulary; KeyError otherwise."""
        return self.ids[token]

    @property
    def cls_id(self) -> int:
        return self.ids["[CLS]"]

    @property
    def sep_id(self) -> int:
        return self.ids["[SEP]"]

    @property
    def mask_id(self) -> int:
        return self.ids["[MASK]"]

    @property
    def unk_id(self) -> int:
        return self.ids["[UNK]"]

    @functools.cached_property
    def sha256(self) -> str:
        """Hash of the tokens, newline joined: equal for files that mean the same vocabulary."""
        return hashlib.sha256("\n".join(self.tokens).encode()).hexdigest()


class Tokenizer:
    """Splits text into WordPieces: clean, lower-case, split at white space and punctuation, longest match first.

    One implementation for all uses: eager, in `tf.data`, in a `tf.function`, in an exported signature.

    Args:
      vocabulary: the pieces; word-internal ones begin with `##`.
      do_lower_case: lower-case and strip accents (normal form D, category Mn removed) before splitting.

    Raises InputError for a vocabulary entry too long for tensorflow-text.
    """

    def __init__(self, vocabulary: Vocabulary, do_lower_case: bool = True) -> None:
        self.vocabulary = vocabulary
        self.do_lower_case = do_lower_case
        self._word_pieces = tf_text.FastWordpieceTokenizer(
            vocab=_matchable(vocabulary),
            max_bytes_per_word=_MAX_WORD_BYTES,
            token_out_type=tf.int32,
            unknown_token="[UNK]",
        )
        signature = [tf.TensorSpec([None], tf.string)]
        self._compiled = tf.function(self._ids, signature, autograph=False)
        self._compiled_flat = tf.function(self._flat_ids, signature, autograph=False).get_concrete_function()

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """WordPiece ids of UTF-8 texts: string [B] -> int32 [B, (pieces)], no [CLS] or [SEP] added.

        Bytes that are not UTF-8 are dropped, as the original drops them from byte strings.
        """
        return self._compiled(texts)

    def tokenize(self, text: str) -> list[str]:
        """The WordPieces of one text."""
        values, _ = self.encode([text])
        return [self.vocabulary.tokens[index] for index in values]

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """WordPiece ids of many texts, on all cores.

        Returns values, int32 [pieces of all texts], and row_splits, int64 [B+1]: the ids of text b are
        `values[row_splits[b]:row_splits[b + 1]]`.
        """
        size = max(_FEWEST_PER_CALL, min(_TEXTS_PER_CALL, -(-len(texts) // _CORES)))
        if 0 < len(texts) <= size:
            pieces, sizes = self._encode_batch(texts)
            return pieces, np.append(0, np.cumsum(sizes))
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        with concurrent.futures.ThreadPoolExecutor(_CORES) as pool:
            encoded = list(pool.map(self._encode_batch, batches))
        values = [np.zeros(0, np.int32), *(values for values, _ in encoded)]
        lengths = [np.zeros(1, np.int64), *(lengths for _, lengths in encoded)]
        return np.concatenate(values), np.cumsum(np.concatenate(lengths))

    def _encode_batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        values, lengths = self._compiled_flat(tf.constant([_utf8(text) for text in texts]))
        return values.numpy(), lengths.numpy()

    def _flat_ids(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The WordPieces of all texts, int32, and how many are of each, int64 [B]. A ragged tensor takes longer to wrap
        than one short text to tokenize."""
        pieces = self._ids(texts)
        return pieces.values, pieces.row_lengths()

    def _ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self._word_pieces.tokenize(_normalized(texts, self.do_lower_case))


class WordSplitter:
    """Splits text into the words that `Tokenizer` cuts into pieces, normalised as they are there.

    A word of over 200 characters becomes one of 801, as no word is read: whatever the vocabulary, it is [UNK].
    """

    def __init__(self, do_lower_case: bool = True) -> None:
        self.do_lower_case = do_lower_case
        # With no piece to be found every word is one [UNK], whose offsets say where it stands.
        self._whole_words = tf_text.FastWordpieceTokenizer(
            vocab=["[UNK]", "\x01"], max_bytes_per_word=_MAX_WORD_BYTES, unknown_token="[UNK]", token_out_type=tf.int32
        )
        signature = [tf.TensorSpec([None], tf.string)]
        self._compiled = tf.function(self._words, signature, autograph=False)
        self._compiled_count = tf.function(self._counts, signature, autograph=False)

    def words(self, text: str) -> list[str]:
        """The words of one text, in order."""
        return [word.decode() for word in self._compiled(tf.constant([_utf8(text)])).numpy()]

    def count(self, texts: Sequence[str]) -> Iterator[tuple[bytes, int]]:
        """How often each word occurs in the texts: UTF-8 of the word, count; in the order of first appearance."""
        words, counts = self._compiled_count(tf.constant([_utf8(text) for text in texts]))
        return zip(words.numpy().tolist(), counts.numpy().tolist(), strict=True)

    def _words(self, texts: tf.Tensor) -> tf.Tensor:
        texts = _normalized(texts, self.do_lower_case)
        _, starts, ends = self._whole_words.tokenize_with_offsets(texts)
        rows = tf.gather(texts, starts.value_rowids())
        return tf.strings.substr(rows, starts.values, ends.values - starts.values)

    def _counts(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        words, _, counts = tf.unique_with_counts(self._words(texts), out_idx=tf.int64)
        return words, counts


def _normalized(texts: tf.Tensor, do_lower_case: bool) -> tf.Tensor:
    """Cleaned, and lower-cased if asked for: string [B] -> string [B], still to be split into words."""
    if do_lower_case:
        texts = tf.strings.lower(texts)  # A to Z; before any other, since full lower-casing obeys the locale (I)
    normalize = functools.partial(_normalize, do_lower_case=do_lower_case)
    return _on_rows(~tf.strings.regex_full_match(texts, _PLAIN), normalize, texts)


def _normalize(texts: tf.Tensor, do_lower_case: bool) -> tf.Tensor:
    texts = _on_rows(~tf.strings.regex_full_match(texts, _CLEAN), _clean, texts)
    if do_lower_case:
        texts = tf_text.normalize_utf8(tf.strings.lower(texts, "utf-8"), "NFD")
        texts = tf.strings.regex_replace(texts, r"\p{Mn}+", "")
    return _on_rows(tf.strings.regex_full_match(texts, _PERHAPS_LONG), _long_words_to_unknown, texts)


def _on_rows(chosen: tf.Tensor, function: Callable[[tf.Tensor], tf.Tensor], texts: tf.Tensor) -> tf.Tensor:
    """Applies a function of texts to the chosen rows only: bool [B], string [B] -> string [B]."""
    rows = tf.where(chosen)
    return tf.tensor_scatter_nd_update(texts, rows, function(tf.gather_nd(texts, rows)))


def _clean(texts: tf.Tensor) -> tf.Tensor:
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    return tf.strings.regex_replace(texts, f"[{_DELETED}]+", "")


def _long_words_to_unknown(texts: tf.Tensor) -> tf.Tensor:
    """Replaces every word of over 200 characters by one of too many bytes, which WordPiece turns into [UNK]."""
    words = tf.strings.split(tf.strings.regex_replace(texts, f"({_WORD_BREAK})", r" \1 "))
    too_long = tf.strings.length(words.values, unit="UTF8_CHAR") > MAX_WORD_CHARACTERS
    unknown = "x" * (_MAX_WORD_BYTES + 1)
    return tf.strings.reduce_join(words.with_values(tf.where(too_long, unknown, words.values)), axis=-1, separator=" ")


def _matchable(vocabulary: Vocabulary) -> list[str]:
    """The vocabulary as tensorflow-text accepts it and matches as the original does: int id -> token.

    An entry that can never match in the original (a shadowed duplicate, the bare suffix sign, one with white
    space or control characters in it) is refused there, or would match. Its place is taken by a token
    that cannot match, being of several characters with punctuation among them; the newline makes it unique.
    """
    tokens = [
        f"[{index}]\n" if index != vocabulary.ids[token] or not _may_match(token) else token
        for index, token in enumerate(vocabulary.tokens)
    ]
    for index, token in enumerate(tokens):
        if len(token.removeprefix("##").encode()) > MAX_PIECE_BYTES:
            raise InputError(
                f"{vocabulary.name}:{index + 1}: token '{token[:20]}...' has {len(token.encode())} bytes, "
                f"expected at most {MAX_PIECE_BYTES}"
            )
    return [*tokens, "\x01"]  # one entry beyond the last id, never in a text: builds where no other entry may match


def _may_match(token: str) -> bool:
    characters = len(token.removeprefix("##"))
    return 0 < characters <= MAX_WORD_CHARACTERS and not re.search(r"[\s\x00-\x1F\x7F-\x9F]", token)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate makes its word unknown; so does this code point, which names nothing
        return re.sub("[\ud800-\udfff]", "\U0010ffff", text).encode()
