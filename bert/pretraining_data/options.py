"""What decides which records come out of a corpus."""

import dataclasses

from bert.errors import InputError

# [CLS], A, [SEP], B, [SEP] with a piece each in A and B
_MIN_SEQ_LENGTH = 5
_MAX_SEQ_LENGTH = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Everything the records depend on besides the input itself; see the flags of the same names.

    Raises InputError for a value that no record could be made with.
    """

    vocab_file: str
    do_lower_case: bool = True
    do_whole_word_mask: bool = False
    segmenter: str = "none"
    max_seq_length: int = 128
    max_predictions_per_seq: int = 20
    random_seed: int = 12345
    dupe_factor: int = 10
    masked_lm_prob: float = 0.15
    short_seq_prob: float = 0.1
    input_format: str = "text"
    text_field: str = "text"
    block_size_mb: float = 4.0

    def __post_init__(self):
        if not _MIN_SEQ_LENGTH <= self.max_seq_length <= _MAX_SEQ_LENGTH:
            raise InputError(
                f"--max_seq_length is {self.max_seq_length}, expected {_MIN_SEQ_LENGTH} or more: "
                "[CLS], [SEP], [SEP] and a piece of each of two sentences"
            )
        for name in ("max_predictions_per_seq", "dupe_factor"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"--{name} is {getattr(self, name)}, expected at least 1: no record could be learned from"
                )
        for name in ("masked_lm_prob", "short_seq_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"--{name} is {getattr(self, name)}, expected a probability from 0 to 1")
        if not self.block_size_mb > 0:
            raise InputError(f"--block_size_mb is {self.block_size_mb}, expected more than 0")
        if self.segmenter != "none" and not self.do_whole_word_mask:
            raise InputError(
                f"--segmenter={self.segmenter} groups characters into words for --do_whole_word_mask, which is False"
            )

    @property
    def block_bytes(self) -> int:
        """Bytes of text in a block of the streaming modes."""
        return max(1, int(self.block_size_mb * 1e6))
