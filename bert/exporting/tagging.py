"""A tag for every word of a text, whatever its length: the windows of `bert.tasks.tagging.windows` in graph operations.

Shapes: B texts, T words of all of them, W windows, P WordPieces, S padded length of a window, C tags.
"""

import dataclasses

import tensorflow as tf

from bert import stored_model
from bert.errors import InputError
from bert.exporting.base import TEXT, Exported, Function
from bert.exporting.texts import lay_out
from bert.heads import Tensors
from bert.options.tagging import DecodingOptions
from bert.tokenization import Tokenizer

# What separates words for Python's `str.split` and not for TensorFlow, which splits at ASCII's white space.
_WHITE_SPACE = r"[\x1C-\x1F\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"


class ExportedTagger(Exported):
    """From texts, split at white space: words, tags and their probabilities, [B, words of the longest text], the others
    filled up with "" and 0. From ids: logits [B, S, C]."""

    kind = stored_model.TAGGING
    options_class = DecodingOptions

    def check_options(self) -> None:
        if self.options.constrained_decoding:
            raise InputError(
                "`constrained_decoding` is on, but an exported graph gives each word its best tag; "
                "`constrained_decoding`=false exports the model so"
            )

    @property
    def texts(self) -> Function:
        tokenizer = self.tokenizer()

        def answer(text: tf.Tensor) -> Tensors:
            words = split_words(text)
            windows = SentenceWindows.of(words, tokenizer, self.max_seq_length)
            logits = self.network(lay_out(windows.pieces, tokenizer.vocabulary))["logits"]  # [W, S, C]
            places = tf.stack([windows.window, windows.position], axis=1)  # [T, 2]
            probabilities = tf.nn.softmax(tf.gather_nd(logits, places))  # [T, C]
            tags = tf.gather(tf.constant(self.stored.label_names), tf.argmax(probabilities, axis=1))
            return {
                "words": words.to_tensor(),
                "tags": words.with_values(tags).to_tensor(),
                "scores": words.with_values(tf.reduce_max(probabilities, axis=1)).to_tensor(),
            }

        return Function(answer, (TEXT,))


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """The words of texts as Python's `str.split` finds them: string [B] -> string [B, (words)]."""
    return tf.strings.split(tf.strings.regex_replace(texts, _WHITE_SPACE, " "))


@dataclasses.dataclass(frozen=True)
class SentenceWindows:
    """The windows of all texts, in order.

    pieces: int32 [W, (WordPieces)]. window, position: int64 [T], where the first WordPiece of each word stands in its
    row, in the window where the word has most context.
    """

    pieces: tf.RaggedTensor
    window: tf.Tensor
    position: tf.Tensor

    @classmethod
    def of(cls, words: tf.RaggedTensor, tokenizer: Tokenizer, max_seq_length: int) -> "SentenceWindows":
        """The arithmetic, and the reasons for it, are those of `bert.tasks.tagging.windows.build`."""
        pieces = word_pieces(words.values, tokenizer)
        first_pieces = pieces.row_starts()  # [T]
        sentence_first = tf.gather(pieces.row_splits, words.row_splits)  # [B + 1]
        length = sentence_first[1:] - sentence_first[:-1]
        room = max_seq_length - 2
        step = max(room // 2, 1)
        beyond = tf.maximum(length - room, 0)  # [B]
        count = 1 - (-beyond // step)
        owner = tf.repeat(tf.range(tf.size(count)), count)  # [W]
        start = tf.gather(sentence_first, owner)
        span = tf.range(tf.size(owner, tf.int64)) - tf.repeat(tf.cumsum(count, exclusive=True), count)
        first = tf.minimum(span * step, tf.gather(beyond, owner))
        middle = (first[:-1] + first[1:] + room - 1) // 2 + 1
        begin = tf.where(span > 0, tf.concat([[0], middle], axis=0), 0) + start
        window = tf.searchsorted(begin, first_pieces, side="right", out_type=tf.int64) - 1
        first += start
        size = tf.minimum(tf.cast(room, tf.int64), tf.gather(length, owner))
        return cls(
            tf.gather(pieces.values, tf.ragged.range(first, first + size)),
            window,
            1 + first_pieces - tf.gather(first, window),
        )


def word_pieces(words: tf.Tensor, tokenizer: Tokenizer) -> tf.RaggedTensor:
    """WordPieces of words, int32 [T, (pieces)]; a word of which tokenization leaves nothing is [UNK]."""
    pieces = tokenizer(words)
    vanished = tf.cast(pieces.row_lengths() == 0, tf.int64)
    unknown = tf.fill([tf.reduce_sum(vanished)], tf.constant(tokenizer.vocabulary.unk_id, tf.int32))
    return tf.concat([pieces, tf.RaggedTensor.from_row_lengths(unknown, vanished, validate=False)], axis=1)
