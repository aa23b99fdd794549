"""Examples to rows: [CLS] a [SEP] b [SEP], truncated as the original does it (docs/parity.md 8).

Whole batches are tokenized and laid out at once; no loop runs over tokens. Shapes: B examples, S max_seq_length,
C labels.
"""

from collections.abc import Sequence

import numpy as np

from bert.errors import InputError
from bert.records import RecordKind
from bert.records.layout import lay_out
from bert.records.lengths import LengthSummary
from bert.records.rows import Rows, number_lines
from bert.tasks import label_kinds
from bert.tasks.base import InputExample
from bert.tasks.label_kinds import Label, LabelKind
from bert.tokenization import Tokenizer


class ClassificationRows(Rows):
    """A row an example, tokenized when its features are asked for, so that memory holds one batch.

    Args:
      examples: of one split.
      labels: of the task; their order gives the ids.
      tokenizer: text to WordPieces.
      max_seq_length: S.
      label_kind: what a label is.

    Attributes:
      lengths: int64 [examples], WordPieces with [CLS] and [SEP] before truncation; 0 until the features are made.
    """

    def __init__(
        self,
        examples: Sequence[InputExample],
        labels: Sequence[str],
        tokenizer: Tokenizer,
        max_seq_length: int,
        label_kind: LabelKind = label_kinds.CLASS,
    ) -> None:
        self.examples, self.labels, self.label_kind = examples, labels, label_kind
        self.tokenizer, self.max_seq_length = tokenizer, max_seq_length
        self.lengths = np.zeros(len(examples), np.int64)

    @property
    def record_kind(self) -> RecordKind:
        return self.label_kind.record_kind

    def __len__(self) -> int:
        return len(self.examples)

    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        """The features of examples `begin` to `end`; an example without a label gets id 0, as in the original's test
        sets.

        An empty second text, or one without a WordPiece, makes a single text. Raises InputError for an unknown label,
        and for a max_seq_length below 2, or below 3 with a pair.
        """
        examples = self.examples[begin:end]
        labels = [self._checked_label(example) for example in examples]
        texts = [example.text_a for example in examples] + [example.text_b or "" for example in examples]
        pieces, splits = self.tokenizer.encode(texts)
        a_start, b_start = np.split(splits[:-1], 2)
        a_size, b_size = np.split(np.diff(splits), 2)
        is_pair = b_size > 0
        self.lengths[begin:end] = a_size + b_size + 2 + is_pair
        check_room(self.max_seq_length, bool(is_pair.any()))
        a_kept, b_kept = truncated_sizes(a_size, b_size, self.max_seq_length)
        # A second text of which nothing is left still has its [SEP].
        rows = lay_out(
            pieces,
            (a_start, a_start + a_kept),
            (b_start, b_start + b_kept),
            self.tokenizer.vocabulary.cls_id,
            self.tokenizer.vocabulary.sep_id,
            self.max_seq_length,
            is_pair,
        )
        return {
            **rows,
            "label_ids": self.label_kind.ids(labels, self.labels),
            "is_real_example": np.ones([len(examples), 1], np.int32),
        }

    def _checked_label(self, example: InputExample) -> Label:
        return None if example.label is None else self.label_kind.check(example.label, self.labels, example.guid)

    def describe(self, positions: int) -> list[str]:
        """Lengths, what part max_seq_length cuts, what would cut none, the label histogram."""
        labels = self.label_kind.summary([example.label for example in self.examples], self.labels)
        return [*describe_lengths(self.lengths, self.max_seq_length, positions), *([f"  {labels}"] if labels else [])]

    def show(self, row: int, verbose: bool = False) -> list[str]:
        example, features = self.examples[row], self.features(row, row + 1)
        length = int(features["input_mask"].sum())
        tokens = [self.tokenizer.vocabulary.tokens[piece] for piece in features["input_ids"][0, :length]]
        lines = [f"guid: {example.guid}", f"tokens: {' '.join(tokens)}"]
        if verbose:
            lines += number_lines(features)
        if example.label is not None:
            label = ", ".join(example.label) if isinstance(example.label, tuple) else example.label
            ids = f" (id = {' '.join(map(str, features['label_ids'][0]))})" if self.label_kind.has_classes else ""
            lines.append(f"label: {label}{ids}")
        cut = f", cut from {self.lengths[row]}" if self.lengths[row] > length else ""
        return [*lines, f"length: {length} of {self.max_seq_length}{cut}"]


def describe_lengths(lengths: np.ndarray, max_seq_length: int, positions: int) -> list[str]:
    """Lines for the log: the lengths before truncation, what part max_seq_length cuts, and what would cut none.

    `positions` is the longest that the model can read.
    """
    summary = LengthSummary.of(lengths)
    cut = 100 * np.mean(lengths > max_seq_length)
    lines = [f"  WordPieces an example: {summary}; max_seq_length {max_seq_length} cuts {cut:.1f}%"]
    if cut and summary.longest <= positions:
        fewer = f", {summary.p99} would cut 1%" if max_seq_length < summary.p99 < summary.longest else ""
        lines.append(f"  `max_seq_length`={summary.longest} would cut none{fewer}.")
    elif cut:
        at_most = 100 * np.mean(lengths > positions)
        lines.append(f"  `max_seq_length`={positions}, all that the model has, would cut {at_most:.1f}%.")
    elif summary.longest < max_seq_length:
        lines.append(f"  A shorter `max_seq_length`={summary.longest} would cut none either.")
    return lines


def truncated_sizes(a_sizes: np.ndarray, b_sizes: np.ndarray, max_seq_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Sizes [B] of both texts after truncation (docs/parity.md 8).

    While a pair is longer than S - 3 the last WordPiece of the longer text goes, of the second if both are
    equal: the shorter text loses nothing while it fits into its half, and a gets the odd place. A single text
    is cut to S - 2.
    """
    room = np.where(b_sizes > 0, max_seq_length - 3, max_seq_length - 2)
    half_b = np.where(b_sizes > 0, room // 2, 0)
    return (
        np.minimum(a_sizes, np.maximum(room - b_sizes, room - half_b)),
        np.minimum(b_sizes, np.maximum(room - a_sizes, half_b)),
    )


def check_room(max_seq_length: int, has_pair: bool) -> None:
    """Raises InputError for a max_seq_length that the special tokens alone would fill over."""
    needed = 3 if has_pair else 2
    if max_seq_length < needed:
        layout = "[CLS] [SEP] [SEP] of a text pair" if has_pair else "[CLS] [SEP]"
        raise InputError(f"`max_seq_length` is {max_seq_length}, too short for {layout}, expected at least {needed}")
