"""The best words for the [MASK]s of a text, and whether a second text follows the first."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from scipy import special

from bert import stored_model
from bert.activations import plain_operations
from bert.errors import InputError
from bert.flags import check_positive
from bert.heads import HeadedModel, PretrainingModel, Tensors
from bert.options import option
from bert.prediction.base import Prediction, TextPredictor
from bert.records.layout import lay_out
from bert.tasks.base import InputExample
from bert.tasks.pairs import EncodedPairs, text_pair
from bert.tokenization import Tokenizer

MASK = "[MASK]"
MASKS_AT_ONCE = 8  # masked positions that the head looks at together: always as many, so that it is traced once


@dataclasses.dataclass(frozen=True)
class Word:
    """A WordPiece of the vocabulary, and its probability at a masked position."""

    word: str
    score: float


@dataclasses.dataclass(frozen=True)
class MasksPrediction(Prediction):
    """What may stand in the place of each [MASK], best first; nothing for one that was cut off.

    next_sentence: the probability that the second text follows the first; None without a second text, and where the
    checkpoint cannot tell.
    """

    masks: tuple[tuple[Word, ...], ...]
    next_sentence: float | None
    truncated: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """What is told of a [MASK]."""

    n_best_size: int = option(5, "Words that are told for each [MASK].")


class MaskPredictor(TextPredictor[MasksPrediction]):
    """Gives words for each [MASK] of each row; a row without one must be a pair."""

    kind = stored_model.PRETRAINING
    options_class = MaskOptions
    rows_at_once = 64  # of which every position has a vector

    def check_options(self) -> None:
        check_positive(self.options, "n_best_size")
        self.tells_next_sentence = "cls/seq_relationship/output_bias" in self.stored.shapes

    def example(self, row: object) -> InputExample:
        example = super().example(row)
        has_pair = bool(example.text_b) and self.tells_next_sentence
        if MASK not in example.text_a + (example.text_b or "") and not has_pair:
            raise InputError(f"no {MASK} in it, expected one" + (" or a pair" if self.tells_next_sentence else ""))
        return example

    def network(self, model: HeadedModel) -> Callable[[Tensors], Tensors]:
        assert isinstance(model, PretrainingModel)
        tokens, count = len(self.stored.vocabulary), min(self.options.n_best_size, len(self.stored.vocabulary))
        # Nothing more of the model is kept.
        masked_lm, word_embeddings = model.heads.masked_lm, model.encoder.embeddings.word_embeddings

        @tf.function(input_signature=[tf.TensorSpec([MASKS_AT_ONCE, model.config.hidden_size])], autograph=False)
        def best_words(hidden: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """Probabilities and ids of the best words: [MASKS_AT_ONCE, count] both."""
            with plain_operations():
                logits = tf.cast(masked_lm(hidden, word_embeddings), tf.float32)  # [MASKS_AT_ONCE, V]
            return tf.math.top_k(tf.nn.softmax(logits)[:, :tokens], count)

        best_words.get_concrete_function()
        self._best_words = best_words

        def encoded(batch: Tensors) -> Tensors:
            found = model.encode(batch)
            logits = model.heads.next_sentence(found["pooled_output"])  # [B, 2]
            return {"hidden": found["sequence_output"], "next_sentence": tf.cast(logits, tf.float32)}

        return encoded

    def _answer(self, examples: Sequence[InputExample]) -> Iterable[MasksPrediction]:
        rows, truncated, is_pair = self._rows(examples)
        outputs = self.forward(rows)
        masked, places = np.nonzero(rows["input_ids"] == self.tokenizer.vocabulary.mask_id)
        in_second = rows["segment_ids"][masked, places] == 1
        hidden = [outputs["hidden"][row][place] for row, place in zip(masked, places, strict=True)]
        words = self._words(hidden)
        splits = np.searchsorted(masked, np.arange(len(examples) + 1))
        follows = special.softmax(np.stack(outputs["next_sentence"]), axis=1)[:, 0].tolist()
        for row, example in enumerate(examples):
            begin, end = splits[row : row + 2]
            second = begin + np.count_nonzero(~in_second[begin:end])
            masks: list[tuple[Word, ...]] = []
            for text, own in ((example.text_a, words[begin:second]), (example.text_b or "", words[second:end])):
                masks += [*own, *[()] * (text.count(MASK) - len(own))]  # each text loses its end
            tells = is_pair[row] and self.tells_next_sentence
            yield MasksPrediction(tuple(masks), follows[row] if tells else None, int(truncated[row]))

    def _rows(self, examples: Sequence[InputExample]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """The rows, how many WordPieces of each were cut off, and which of them are pairs."""
        encode = functools.partial(encode_with_masks, tokenizer=self.tokenizer)
        pairs = EncodedPairs.of(map(text_pair, examples), encode)
        kept = pairs.kept(self.max_seq_length)  # [2, B]
        first, second = zip(pairs.start, pairs.start + kept, strict=True)
        vocabulary = self.tokenizer.vocabulary
        ids = vocabulary.cls_id, vocabulary.sep_id
        rows = lay_out(pairs.pieces, first, second, *ids, self.max_seq_length, pairs.is_pair)
        return rows, (pairs.size - kept).sum(axis=0), pairs.is_pair

    def _words(self, hidden: Sequence[np.ndarray]) -> list[tuple[Word, ...]]:
        """The best words for vectors [H] of masked positions."""
        tokens, found = self.stored.vocabulary.tokens, []
        for begin in range(0, len(hidden), MASKS_AT_ONCE):
            part = np.zeros([MASKS_AT_ONCE, self.stored.config.hidden_size], np.float32)
            count = len(hidden[begin : begin + MASKS_AT_ONCE])
            part[:count] = hidden[begin : begin + MASKS_AT_ONCE]
            scores, ids = (values.numpy()[:count].tolist() for values in self._best_words(tf.constant(part)))
            for row_ids, row_scores in zip(ids, scores, strict=True):
                found.append(tuple(Word(tokens[i], score) for i, score in zip(row_ids, row_scores, strict=True)))
        return found

    def cells(self, result: MasksPrediction) -> list[str]:
        """The words of each [MASK], and the probability that the second text follows."""
        words = [" ".join(f"{word.word}:{word.score:.4f}" for word in mask) for mask in result.masks]
        return words if result.next_sentence is None else [*words, f"{result.next_sentence:.4f}"]


def encode_with_masks(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """WordPieces of texts, int32, and where each begins, as `Tokenizer.encode` gives them; [MASK] is one WordPiece."""
    parts = [text.split(MASK) for text in texts]
    values, splits = tokenizer.encode([part for of_text in parts for part in of_text])
    counts = np.array([len(of_text) for of_text in parts])
    ends = np.cumsum(counts)
    inner = np.delete(np.arange(1, len(splits)), ends - 1)  # a mask stands behind every part but a text's last
    values = np.insert(values, splits[inner], tokenizer.vocabulary.mask_id)
    masks = np.cumsum(counts - 1)
    return values, np.append(0, splits[ends] + masks)
