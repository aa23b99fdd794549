"""Examples to classifier records: [CLS] a [SEP] b [SEP], truncated as the original does it (docs/parity.md 8).

Whole batches are tokenized and laid out at once; no loop runs over tokens.
"""

import dataclasses
import logging
from collections.abc import Iterator, Sequence

import numpy as np

from bert import records
from bert.errors import InputError
from bert.tasks import label_kinds
from bert.tasks.base import InputExample
from bert.tasks.label_kinds import LabelKind
from bert.tokenization import Tokenizer

logger = logging.getLogger(__name__)

BATCH = 2000  # examples tokenized at once; a divisor of LOG_EVERY
LOG_EVERY = 10000
SHOWN = 5  # examples shown in the log


@dataclasses.dataclass(frozen=True)
class EncodedBatch:
    """The features of B examples, as arrays named like those of records.CLASSIFIER and its kin.

    input_ids, input_mask, segment_ids int32 [B, S]; label_ids int32 or, of a regression, float32 [B, 1], of several
    labels [B, C]; is_real_example int32 [B]; lengths int64 [B]: WordPieces with [CLS] and [SEP], before truncation.
    """

    input_ids: np.ndarray
    input_mask: np.ndarray
    segment_ids: np.ndarray
    label_ids: np.ndarray
    is_real_example: np.ndarray
    lengths: np.ndarray


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What was written: `examples` real ones, then `padding`; lengths int64 [examples] before truncation."""

    examples: int
    padding: int
    max_seq_length: int
    lengths: np.ndarray
    labels: str  # a line of their histogram, "" where there are none

    def describe(self, positions: int = 512) -> list[str]:
        """Lines for the log: the lengths, what part max_seq_length cuts, what would cut none, the label histogram.

        `positions` is the longest that the model can read.
        """
        p50, p95, p99 = np.percentile(self.lengths, [50, 95, 99], method="higher")
        longest = self.lengths.max()
        cut = 100 * np.mean(self.lengths > self.max_seq_length)
        lines = [
            f"  WordPieces an example: p50 {p50}, p95 {p95}, p99 {p99}, longest {longest}; "
            f"max_seq_length {self.max_seq_length} cuts {cut:.1f}%"
        ]
        if cut and longest <= positions:
            fewer = f", {p99} would cut 1%" if self.max_seq_length < p99 < longest else ""
            lines.append(f"  --max_seq_length={longest} would cut none{fewer}.")
        elif cut:
            at_most = 100 * np.mean(self.lengths > positions)
            lines.append(f"  --max_seq_length={positions}, all that the model has, would cut {at_most:.1f}%.")
        elif longest < self.max_seq_length:
            lines.append(f"  A shorter --max_seq_length={longest} would cut none either.")
        return [*lines, f"  {self.labels}"] if self.labels else lines


def write_records(
    path: str,
    examples: Sequence[InputExample],
    labels: Sequence[str],
    tokenizer: Tokenizer,
    max_seq_length: int,
    pad_to_multiple: int = 1,
    kind: LabelKind = label_kinds.CLASS,
) -> Statistics:
    """Writes the examples, in order, to a TFRecord file of the kind's records, atomically.

    Padding records (all zero, is_real_example 0) follow until their number is a multiple of
    `pad_to_multiple`. Raises InputError for a max_seq_length that has no room for the special tokens.
    """
    lengths = []
    padding = -len(examples) % pad_to_multiple

    def batches() -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, len(examples), BATCH):
            if start % LOG_EVERY == 0:
                logger.info("Writing example %d of %d", start, len(examples))
            part = examples[start : start + BATCH]
            batch = encode(part, labels, tokenizer, max_seq_length, kind)
            lengths.append(batch.lengths)
            if start == 0:
                _show(part, batch, tokenizer)
            yield _columns(batch)
        width = kind.ids([None], labels).shape[1]
        yield _columns(padding_batch(padding, max_seq_length, width))

    records.write_rows(path, kind.record_kind, batches())
    return Statistics(
        examples=len(examples),
        padding=padding,
        max_seq_length=max_seq_length,
        lengths=np.concatenate([np.zeros(0, np.int64), *lengths]),
        labels=kind.summary([example.label for example in examples], labels),
    )


def encode(
    examples: Sequence[InputExample],
    labels: Sequence[str],
    tokenizer: Tokenizer,
    max_seq_length: int,
    kind: LabelKind = label_kinds.CLASS,
) -> EncodedBatch:
    """Encodes a batch of examples; an example without a label gets id 0, as the original's test sets have.

    An empty second text, or one without a WordPiece, makes a single text. Raises InputError for an unknown
    label, and for a max_seq_length below 2, or below 3 with a pair.
    """
    found = [None if example.label is None else kind.check(example.label, labels, example.guid) for example in examples]
    pieces, splits = tokenizer.encode([example.text_a for example in examples] + [e.text_b or "" for e in examples])
    a_starts, b_starts = np.split(splits[:-1], 2)
    a_sizes, b_sizes = np.split(np.diff(splits), 2)
    is_pair = b_sizes > 0
    lengths = a_sizes + b_sizes + 2 + is_pair
    check_room(max_seq_length, is_pair.any())
    a_sizes, b_sizes = truncated_sizes(a_sizes, b_sizes, max_seq_length)

    # Where each part ends, as columns [B, 1], so that one comparison with the positions [S] says what stands where.
    position = np.arange(max_seq_length)
    a_end = (1 + a_sizes)[:, None]  # the place of the first [SEP]
    b_end = a_end + (b_sizes + is_pair)[:, None]  # the place of the last [SEP], the same one without a pair
    in_a = (position >= 1) & (position < a_end)
    in_b = (position > a_end) & (position < b_end)
    vocabulary = tokenizer.vocabulary
    input_ids = np.zeros([len(examples), max_seq_length], np.int32)
    input_ids[:, 0] = vocabulary.cls_id
    input_ids[in_a] = pieces[(a_starts[:, None] + position - 1)[in_a]]
    input_ids[in_b] = pieces[(b_starts[:, None] + position - a_end - 1)[in_b]]
    input_ids[(position == a_end) | (position == b_end)] = vocabulary.sep_id
    return EncodedBatch(
        input_ids=input_ids,
        input_mask=(position <= b_end).astype(np.int32),
        segment_ids=((position > a_end) & (position <= b_end)).astype(np.int32),
        label_ids=kind.ids(found, labels),
        is_real_example=np.ones(len(examples), np.int32),
        lengths=lengths,
    )


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


def padding_batch(size: int, max_seq_length: int, width: int = 1) -> EncodedBatch:
    """`size` examples that weigh nothing, with `width` label_ids each: all features 0."""
    features = {name: np.zeros([size, max_seq_length], np.int32) for name in ("input_ids", "input_mask", "segment_ids")}
    return EncodedBatch(
        **features,
        label_ids=np.zeros([size, width], np.int32),
        is_real_example=np.zeros(size, np.int32),
        lengths=np.zeros(size, np.int64),
    )


def check_room(max_seq_length: int, has_pair: bool) -> None:
    """Raises InputError for a max_seq_length that the special tokens alone would fill over."""
    needed = 3 if has_pair else 2
    if max_seq_length < needed:
        layout = "[CLS] [SEP] [SEP] of a text pair" if has_pair else "[CLS] [SEP]"
        raise InputError(f"--max_seq_length is {max_seq_length}, too short for {layout}, expected at least {needed}")


def _columns(batch: EncodedBatch) -> dict[str, np.ndarray]:
    return {**vars(batch), "is_real_example": batch.is_real_example[:, None]}


def _show(examples: Sequence[InputExample], batch: EncodedBatch, tokenizer: Tokenizer) -> None:
    """Logs the first examples in the words that readers of the original's log look for (docs/parity.md 3)."""
    for i, example in enumerate(examples[:SHOWN]):
        tokens = [tokenizer.vocabulary.tokens[j] for j in batch.input_ids[i, : batch.input_mask[i].sum()]]
        logger.info("*** Example ***")
        logger.info("guid: %s", example.guid)
        logger.info("tokens: %s", " ".join(tokens))
        for name in ("input_ids", "input_mask", "segment_ids"):
            logger.info("%s: %s", name, " ".join(map(str, getattr(batch, name)[i])))
        if example.label is not None:
            logger.info("label: %s (id = %s)", example.label, " ".join(map(str, batch.label_ids[i])))
