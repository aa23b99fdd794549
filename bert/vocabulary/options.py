"""What decides which vocabulary comes out of a corpus."""

import dataclasses

from bert.errors import InputError
from bert.options import option, required
from bert.pretraining_data.options import TextOptions
from bert.vocabulary import layout

_LARGEST = 10_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusOptions(TextOptions):
    """How a corpus is read into a table of its words."""

    counting_memory_mb: float = option(
        512.0, "What the table of different words may take; in one that is full, the rarest give way."
    )

    def __post_init__(self) -> None:
        if not 0.001 <= self.counting_memory_mb < 1e6:
            raise InputError(f"`counting_memory_mb` is {self.counting_memory_mb}, expected 0.001 to 1000000")

    @property
    def counting_bytes(self) -> int:
        return int(self.counting_memory_mb * 1e6)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildOptions(CorpusOptions):
    """What a new vocabulary shall be like."""

    vocab_size: int = required("Entries of the vocabulary; the vocab_size of the model's bert_config.json.")
    do_lower_case: bool = option(True, "Lower-case the text and strip accents; False for a cased model.")
    unused_slots: int = option(
        layout.GOOGLES_UNUSED,
        "Entries [unused1], [unused2]... behind [PAD], for words to come. With 99, [UNK] is 100, as in Google's.",
    )
    min_character_count: int = option(
        2, "A character, Chinese or any other, that occurs at least so often is in the vocabulary."
    )
    held_out_every: int = option(100, "Keep every line of this number out and judge the vocabulary on it; 0: none.")

    def __post_init__(self) -> None:
        super().__post_init__()
        smallest = len(layout.special_tokens(max(0, self.unused_slots))) + 1
        if not 0 <= self.unused_slots < _LARGEST:
            raise InputError(f"`unused_slots` is {self.unused_slots}, expected 0 or more")
        if not smallest <= self.vocab_size <= _LARGEST:
            raise InputError(
                f"`vocab_size` is {self.vocab_size}, expected {smallest} to {_LARGEST}: [PAD], [UNK], [CLS], [SEP], "
                f"[MASK], `unused_slots`={self.unused_slots} and at least one more"
            )
        if self.min_character_count < 1:
            raise InputError(f"`min_character_count` is {self.min_character_count}, expected at least 1")
        if self.held_out_every < 0 or self.held_out_every == 1:
            raise InputError(f"`held_out_every` is {self.held_out_every}, expected 0 for none, or 2 or more")
