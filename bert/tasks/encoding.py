"""Examples to rows: [CLS] a [SEP] b [SEP], truncated as the original does it (docs/parity.md 8), or in other ways.

Whole batches are tokenized and laid out at once; no loop runs over tokens. Shapes: B examples or rows, E all examples,
W all windows, S max_seq_length, C labels.
"""

from collections.abc import Sequence

import numpy as np

from bert.options.classification import TRUNCATIONS
from bert.records import RecordKind
from bert.records.layout import lay_out
from bert.records.lengths import LengthSummary
from bert.records.rows import BATCH, Rows, number_lines
from bert.tasks import label_kinds
from bert.tasks.base import InputExample
from bert.tasks.label_kinds import Label, LabelKind
from bert.tasks.pairs import EncodedPairs, check_room, text_pair
from bert.tasks.truncation import head_sizes, keep, window_places
from bert.tokenization import Tokenizer


class ClassificationRows(Rows):
    """A row an example, tokenized when its features are asked for, so that memory holds one batch.

    Args:
      examples: of one split.
      labels: of the task; their order gives the ids.
      tokenizer: text to WordPieces.
      max_seq_length: S.
      label_kind: what a label is.
      truncation: what of a text too long is kept: head, tail or head_tail.

    Attributes:
      lengths: int64 [E], WordPieces with [CLS] and [SEP] before truncation; 0 until the features are made.
      lost: int64 [E], how many of them are in no row; 0 until then.
    """

    def __init__(
        self,
        examples: Sequence[InputExample],
        labels: Sequence[str],
        tokenizer: Tokenizer,
        max_seq_length: int,
        label_kind: LabelKind = label_kinds.CLASS,
        truncation: str = "head",
    ) -> None:
        self.examples, self.labels, self.label_kind = examples, labels, label_kind
        self.tokenizer, self.max_seq_length, self.truncation = tokenizer, max_seq_length, truncation
        self.lengths = np.zeros(len(examples), np.int64)
        self.lost = np.zeros(len(examples), np.int64)

    @property
    def record_kind(self) -> RecordKind:
        return self.label_kind.record_kind

    def __len__(self) -> int:
        return len(self.examples)

    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        """The features of rows `begin` to `end`; an example without a label gets id 0, as in the original's test sets.

        An empty second text, or one without a WordPiece, makes a single text. Raises InputError for an unknown label,
        and for a max_seq_length below 2, or below 3 with a pair.
        """
        examples = self.examples[begin:end]
        label_ids = self._label_ids(examples)
        pairs = EncodedPairs.of(map(text_pair, examples), self.tokenizer.encode)
        kept = pairs.kept(self.max_seq_length)
        self.lengths[begin:end] = pairs.lengths
        self.lost[begin:end] = (pairs.size - kept).sum(axis=0)
        return self._laid_out(label_ids, pairs, kept, head_sizes(kept, self.truncation))

    def of_examples(self, values: np.ndarray) -> np.ndarray:
        """What the model gave for each row, such as logits [W, C], for each example: float32 [E, C]."""
        return values

    def _label_ids(self, examples: Sequence[InputExample]) -> np.ndarray:
        labels: list[Label] = [
            None if example.label is None else self.label_kind.check(example.label, self.labels, example.guid)
            for example in examples
        ]
        return self.label_kind.ids(labels, self.labels)

    def _laid_out(
        self, label_ids: np.ndarray, pairs: EncodedPairs, kept: np.ndarray, head: np.ndarray
    ) -> dict[str, np.ndarray]:
        """A row a pair, with of each text its first `head` WordPieces and its last `kept - head`, int64 [2, B] both."""
        check_room(self.max_seq_length, bool(pairs.is_pair.any()))
        pieces, start = keep(pairs.pieces, *(part.ravel() for part in (pairs.start, pairs.size, kept, head)))
        a_start, b_start = start.reshape(2, -1)
        # A second text of which nothing is left still has its [SEP].
        rows = lay_out(
            pieces,
            (a_start, a_start + kept[0]),
            (b_start, b_start + kept[1]),
            self.tokenizer.vocabulary.cls_id,
            self.tokenizer.vocabulary.sep_id,
            self.max_seq_length,
            pairs.is_pair,
        )
        return {**rows, "label_ids": label_ids, "is_real_example": np.ones([len(label_ids), 1], np.int32)}

    def describe(self, positions: int) -> list[str]:
        """Lengths, what part max_seq_length cuts, what would cut none, the label histogram."""
        labels = self.label_kind.summary([example.label for example in self.examples], self.labels)
        return [*self._describe_lengths(positions), *([f"  {labels}"] if labels else [])]

    def _describe_lengths(self, positions: int) -> list[str]:
        lines = describe_lengths(self.lengths, self.max_seq_length, positions)
        if self.lost.any():
            others = " or ".join(name for name in TRUNCATIONS if name != self.truncation)
            lines.append(
                f"  {_share_lost(self)} (`truncation`={self.truncation}); `truncation`={others} keeps others, "
                "`long_text`=windows keeps all."
            )
        return lines

    def show(self, row: int, verbose: bool = False) -> list[str]:
        example, features = self.examples[self._example_of(row)], self.features(row, row + 1)
        length = int(features["input_mask"].sum())
        tokens = [self.tokenizer.vocabulary.tokens[piece] for piece in features["input_ids"][0, :length]]
        lines = [f"guid: {example.guid}", f"tokens: {' '.join(tokens)}"]
        if verbose:
            lines += number_lines(features)
        if example.label is not None:
            label = ", ".join(example.label) if isinstance(example.label, tuple) else example.label
            ids = f" (id = {' '.join(map(str, features['label_ids'][0]))})" if self.label_kind.has_classes else ""
            lines.append(f"label: {label}{ids}")
        return [*lines, f"length: {length} of {self.max_seq_length}{self._part_shown(row)}"]

    def _example_of(self, row: int) -> int:
        return row

    def _part_shown(self, row: int) -> str:
        return f", cut from {self.lengths[row]}" if self.lost[row] else ""


class WindowRows(ClassificationRows):
    """Several rows for an example that is too long for one: windows over its text, each with the example's label.

    Of a pair the longer text is read through windows, the first if both are equal; the other one stands in all of them,
    truncated where it is longer than its half. Constructing tokenizes every text once, to know how many rows there are.

    Attributes:
      example: int64 [W], the example of each row.
      first: int64 [W], the first WordPiece of the text that is read through windows.
      splits: int64 [E + 1]; the rows of example e are splits[e] to splits[e + 1].
    """

    def __init__(
        self,
        examples: Sequence[InputExample],
        labels: Sequence[str],
        tokenizer: Tokenizer,
        max_seq_length: int,
        label_kind: LabelKind = label_kinds.CLASS,
        truncation: str = "head",
    ) -> None:
        super().__init__(examples, labels, tokenizer, max_seq_length, label_kind, truncation)
        longer, room = self.lengths.copy(), self.lengths.copy()  # of the text that is read through windows
        for begin in range(0, len(examples), BATCH):
            batch = slice(begin, begin + BATCH)
            pairs = EncodedPairs.of(map(text_pair, examples[batch]), tokenizer.encode)
            kept, windowed = pairs.kept(max_seq_length), _is_longer(pairs.size)
            longer[batch], room[batch] = pairs.size.max(axis=0), kept.max(axis=0, where=windowed, initial=0)
            self.lengths[batch] = pairs.lengths
            # Nothing of the longer text is lost, unless there is no room for it at all.
            self.lost[batch] = ((pairs.size - kept) * (~windowed | (kept == 0))).sum(axis=0)
        self.splits, self.first = window_places(longer, room)
        self.example = np.repeat(np.arange(len(examples)), np.diff(self.splits))

    def __len__(self) -> int:
        return len(self.example)

    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        example = self.example[begin:end]  # [B]
        number = example - example[:1]  # among those of these rows
        examples = self.examples[example[0] : example[-1] + 1] if len(example) else []
        label_ids = self._label_ids(examples)[number]
        pairs = EncodedPairs.of(map(text_pair, examples), self.tokenizer.encode)
        size, windowed = pairs.size[:, number], _is_longer(pairs.size[:, number])
        start = pairs.start[:, number] + windowed * self.first[begin:end]
        pairs = EncodedPairs(pairs.pieces, start, size)
        kept = pairs.kept(self.max_seq_length)
        return self._laid_out(label_ids, pairs, kept, np.where(windowed, kept, head_sizes(kept, self.truncation)))

    def of_examples(self, values: np.ndarray) -> np.ndarray:
        """The mean over the windows of each example."""
        return np.add.reduceat(values, self.splits[:-1], axis=0) / np.diff(self.splits)[:, None].astype(np.float32)

    def _describe_lengths(self, positions: int) -> list[str]:
        longer, most = 100 * np.mean(self.lengths > self.max_seq_length), np.diff(self.splits).max()
        lines = [
            f"  WordPieces an example: {LengthSummary.of(self.lengths)}; {longer:.1f}% are longer than max_seq_length "
            f"{self.max_seq_length}",
            f"  {len(self.examples)} examples in {len(self)} rows (`long_text`=windows), at most {most} each",
        ]
        if self.lost.any():
            lines.append(f"  {_share_lost(self)}: the shorter text of a pair is cut to its half.")
        return lines

    def _example_of(self, row: int) -> int:
        return int(self.example[row])

    def _part_shown(self, row: int) -> str:
        example = self.example[row]
        begin, end = self.splits[example : example + 2]
        return f", window {row - begin + 1} of {end - begin} over {self.lengths[example]}" if end - begin > 1 else ""


def build(
    examples: Sequence[InputExample],
    labels: Sequence[str],
    tokenizer: Tokenizer,
    max_seq_length: int,
    label_kind: LabelKind = label_kinds.CLASS,
    truncation: str = "head",
    long_text: str = "truncate",
) -> ClassificationRows:
    """The rows of a split, as `truncation` and `long_text` (truncate or windows) say."""
    kind = WindowRows if long_text == "windows" else ClassificationRows
    return kind(examples, labels, tokenizer, max_seq_length, label_kind, truncation)


def _is_longer(size: np.ndarray) -> np.ndarray:
    """Which text of each pair is the longer one, the first if both are equal: int64 [2, B] -> bool [2, B]."""
    return np.stack([size[0] >= size[1], size[0] < size[1]])


def _share_lost(rows: ClassificationRows) -> str:
    return f"{100 * rows.lost.sum() / rows.lengths.sum():.1f}% of the WordPieces are in no row"


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
