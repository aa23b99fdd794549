"""What decides which records come out of a corpus."""

import dataclasses

from bert.errors import InputError
from bert.options import option, required

# [CLS], A, [SEP], B, [SEP] with a piece each in A and B
_MIN_SEQ_LENGTH = 5
# What is larger is a slip: no machine has the room or the time, and not all of it has a place in an array.
_LARGEST = {"max_seq_length": 1 << 20, "max_predictions_per_seq": 1 << 20, "dupe_factor": 10**6, "block_size_mb": 1e6}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How a corpus lies in its files."""

    input_format: str = option(
        "text",
        "text: a sentence a line, a blank line between documents. jsonl: an object a line with a document's text, "
        "which is split into sentences.",
        choices=("text", "jsonl"),
    )
    text_field: str = option("text", "With `input_format`=jsonl: the name of the field that holds the text.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(TextOptions):
    """Everything the records depend on besides the input itself.

    Raises InputError for a value that no record could be made with.
    """

    vocab_file: str = required("The WordPiece vocabulary of the model, one token a line.")
    do_lower_case: bool = option(
        True, "Lower-case the text and strip accents: True for uncased models, False for cased."
    )
    do_whole_word_mask: bool = option(False, "Hide all pieces of a word or none.")
    segmenter: str = option(
        "none",
        "With `do_whole_word_mask`: how Chinese characters make words. spaces: the words in the input stand between "
        "spaces. jieba: the package jieba finds them. The ids stay the same.",
        choices=("none", "spaces", "jieba"),
    )
    write_word_starts: bool = option(
        False,
        "With `do_whole_word_mask`: say in each record where words begin, which run_pretraining needs to hide other "
        "words in every epoch (dynamic_masking).",
    )
    max_seq_length: int = option(128, "Length of a record in WordPieces, [CLS] and both [SEP] included.")
    max_predictions_per_seq: int = option(20, "At most this many pieces of a record are hidden.")
    random_seed: int = option(12345, "Same seed, same records.")
    dupe_factor: int = option(10, "How many times the corpus is gone through, each time with other pairs and masks.")
    masked_lm_prob: float = option(0.15, "Share of the pieces to hide; at least one piece of a record is.")
    short_seq_prob: float = option(0.1, "Share of the documents that make shorter records on purpose.")
    block_size_mb: float = option(
        4.0,
        "With `num_workers` or `beam_runner`: text worked on together; random next sentences come out of it. "
        "Memory grows with it.",
    )

    def __post_init__(self) -> None:
        for name, largest in _LARGEST.items():
            if getattr(self, name) > largest:
                raise InputError(f"`{name}` is {getattr(self, name)}, expected at most {largest:.0f}")
        if self.max_seq_length < _MIN_SEQ_LENGTH:
            raise InputError(
                f"`max_seq_length` is {self.max_seq_length}, expected {_MIN_SEQ_LENGTH} or more: "
                "[CLS], [SEP], [SEP] and a piece of each of two sentences"
            )
        for name in ("max_predictions_per_seq", "dupe_factor"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"`{name}` is {getattr(self, name)}, expected at least 1: no record could be learned from"
                )
        for name in ("masked_lm_prob", "short_seq_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"`{name}` is {getattr(self, name)}, expected a probability from 0 to 1")
        if not self.block_size_mb > 0:
            raise InputError(f"`block_size_mb` is {self.block_size_mb}, expected more than 0")
        if self.segmenter != "none" and not self.do_whole_word_mask:
            raise InputError(
                f"`segmenter`={self.segmenter} groups characters into words for `do_whole_word_mask`, which is False"
            )

        if self.write_word_starts and not self.do_whole_word_mask:
            raise InputError("`write_word_starts` is of use with `do_whole_word_mask` only, which is False")

    @property
    def block_bytes(self) -> int:
        """Bytes of text in a block of the streaming modes."""
        return max(1, int(self.block_size_mb * 1e6))
