"""Texts to rows in graph operations: the same WordPieces in the same places as `bert.tasks.encoding` puts them.

Shapes: B rows, S their padded length, which is that of the longest row.
"""

import tensorflow as tf

from bert.errors import InputError
from bert.exporting.base import TEXT, TEXT_B, Exported
from bert.heads import Tensors
from bert.tasks.truncation import head_sizes
from bert.tokenization import Tokenizer, Vocabulary

Pair = tuple[tf.Tensor, tf.Tensor]  # of the first and the second texts


class TextReader:
    """Reads texts and pairs of texts as rows of at most `max_seq_length` WordPieces, truncated as the model was trained
    (docs/parity.md 8, and `head`, `tail` or `head_tail`)."""

    def __init__(self, tokenizer: Tokenizer, max_seq_length: int, truncation: str) -> None:
        self.tokenizer, self.max_seq_length, self.truncation = tokenizer, max_seq_length, truncation

    def __call__(self, text: tf.Tensor, text_b: tf.Tensor | None = None) -> tuple[Tensors, tf.Tensor]:
        """From strings [B] to input_ids, input_mask and segment_ids, int32 [B, S], and how many WordPieces of each row
        are lost, int32 [B]. A second text that is empty, or without a WordPiece, makes a single text."""
        a = self.tokenizer(text)
        a_sizes = a.row_lengths()  # [B]
        b = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.int32), tf.zeros_like(a_sizes), validate=False)
        if text_b is not None:
            b = self.tokenizer(text_b)
        sizes = a_sizes, b.row_lengths()
        kept = truncated_sizes(*sizes, self.max_seq_length)
        lost = sizes[0] - kept[0] + sizes[1] - kept[1]
        rows = lay_out(self._keep(a, kept[0]), self.tokenizer.vocabulary, self._keep(b, kept[1]), sizes[1] > 0)
        return rows, tf.cast(lost, tf.int32)

    def _keep(self, pieces: tf.RaggedTensor, kept: tf.Tensor) -> tf.RaggedTensor:
        """The first WordPieces of each text, the last, or some of both: `kept`, int64 [B], of them."""
        head, sizes, row = head_sizes(kept, self.truncation), pieces.row_lengths(), pieces.value_rowids()
        place = tf.range(tf.size(row, tf.int64)) - tf.gather(pieces.row_starts(), row)
        chosen = (place < tf.gather(head, row)) | (place >= tf.gather(sizes - kept + head, row))
        return tf.ragged.boolean_mask(pieces, pieces.with_values(chosen))


def truncated_sizes(a_sizes: tf.Tensor, b_sizes: tf.Tensor, max_seq_length: int) -> Pair:
    """`bert.tasks.truncation.truncated_sizes` for tensors, int64 [B]."""
    room = max_seq_length - 2 - tf.cast(b_sizes > 0, tf.int64)
    half_b = tf.where(b_sizes > 0, room // 2, 0)
    return (
        tf.minimum(a_sizes, tf.maximum(room - b_sizes, room - half_b)),
        tf.minimum(b_sizes, tf.maximum(room - a_sizes, half_b)),
    )


def lay_out(
    a: tf.RaggedTensor, vocabulary: Vocabulary, b: tf.RaggedTensor | None = None, is_pair: tf.Tensor | None = None
) -> Tensors:
    """Rows [CLS] a [SEP], or [CLS] a [SEP] b [SEP] where `is_pair`, bool [B], says so; padded with 0."""
    every = tf.ones_like(a.row_lengths())  # [B]
    parts = [_repeated(vocabulary.cls_id, every), a, _repeated(vocabulary.sep_id, every)]
    if b is not None:
        parts += [b, _repeated(vocabulary.sep_id, tf.cast(is_pair, tf.int64))]
    rows = tf.concat(parts, axis=1)
    input_ids = rows.to_tensor()  # [B, S]
    place = tf.expand_dims(tf.range(tf.shape(input_ids, tf.int64)[1]), 0)  # [1, S]
    mask = place < tf.expand_dims(rows.row_lengths(), 1)
    in_b = mask & (place > tf.expand_dims(a.row_lengths() + 1, 1))
    return {
        "input_ids": input_ids,
        "input_mask": tf.cast(mask, tf.int32),
        "segment_ids": tf.cast(in_b, tf.int32),
    }


def _repeated(piece: int, counts: tf.Tensor) -> tf.RaggedTensor:
    """Rows of `counts` times the same WordPiece."""
    values = tf.fill([tf.reduce_sum(counts)], tf.constant(piece, tf.int32))
    return tf.RaggedTensor.from_row_lengths(values, counts, validate=False)


def check_pairs(exported: Exported) -> None:
    """Raises InputError where a model cannot tell a second text from the first."""
    if exported.options.pairs and exported.stored.config.type_vocab_size < 2:
        raise InputError("`pairs`: the model has type_vocab_size 1, expected at least 2")


def text_inputs(pairs: bool) -> tuple[tf.TensorSpec, ...]:
    """What a function of texts takes."""
    return (TEXT, TEXT_B) if pairs else (TEXT,)
