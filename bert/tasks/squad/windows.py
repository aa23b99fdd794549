"""Questions and documents as rows: [CLS] question [SEP] part of the document [SEP].

A document too long for a row is read through several windows, each `doc_stride` WordPieces further on. All texts are
tokenized at once, each different word a single time, and rows are laid out by arithmetic: no loop runs over tokens.

Shapes: E examples, W windows, S max_seq_length, T WordPieces of a document, K windows of one example.
"""

import dataclasses
import functools
import logging
from collections.abc import Iterator, Sequence

import numpy as np

from bert import records
from bert.tasks.squad.examples import Document, Example
from bert.tokenization import Tokenizer

logger = logging.getLogger(__name__)

FIRST_UNIQUE_ID = 1_000_000_000  # docs/parity.md 4
BATCH = 1000  # windows laid out at once
LOG_EVERY = 1000  # examples
SHOWN = 20  # examples shown in the log (docs/parity.md 3)


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Rows of differing length in one array: row i is values[splits[i]:splits[i + 1]]."""

    values: np.ndarray
    splits: np.ndarray

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.splits[row] : self.splits[row + 1]]

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.splits)


@dataclasses.dataclass(frozen=True)
class EncodedDocuments:
    """WordPieces of D documents. `pieces[d]`, int32 [T]; `words[d]`, int64 [T]: the word each piece is a part of;
    `first_pieces[d]`, int64 [words]: the piece each word begins with."""

    pieces: Ragged
    words: Ragged
    first_pieces: Ragged


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of all examples, in order. Arrays of int64 [W] unless said.

    example: index into `examples`; document: index into `documents`; span: number of the window in its example;
    first, size: the pieces of the document that are in it; question_size: the question's pieces, cut;
    start_positions, end_positions: the answer's place in the row, 0 where it is not in the window or there is none.
    """

    examples: Sequence[Example]
    documents: EncodedDocuments
    questions: Ragged
    tokenizer: Tokenizer
    max_seq_length: int
    example: np.ndarray
    document: np.ndarray
    span: np.ndarray
    first: np.ndarray
    size: np.ndarray
    question_size: np.ndarray
    start_positions: np.ndarray
    end_positions: np.ndarray

    def __len__(self) -> int:
        return len(self.example)

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """WordPieces of each row, special tokens included: int64 [W]."""
        return self.question_size + self.size + 3

    @functools.cached_property
    def offset(self) -> np.ndarray:
        """Place in the row of the window's first document piece: int64 [W]."""
        return self.question_size + 2

    @functools.cached_property
    def of_example(self) -> Ragged:
        """The windows of each example, by example."""
        counts = np.bincount(self.example, minlength=len(self.examples))
        return Ragged(np.arange(len(self)), np.concatenate([[0], np.cumsum(counts)]))

    def tokens(self, window: int) -> list[str]:
        ids = self.features(np.array([window]))["input_ids"][0, : self.lengths[window]]
        return [self.tokenizer.vocabulary.tokens[piece] for piece in ids]

    def words(self, window: int) -> np.ndarray:
        """The word of the document that each document piece of the window is a part of, int64 [size]."""
        return self.documents.words[self.document[window]][self.first[window] :][: self.size[window]]

    def is_max_context(self, window: int) -> np.ndarray:
        """Whether each document piece of the window has more context here than in other windows, bool [size].

        Context is what stands on the side that has less of it; a hundredth of the window's size settles ties,
        then the earlier window.
        """
        rivals = self.of_example[self.example[window]]  # [K]
        first, size = self.first[rivals][:, None], self.size[rivals][:, None]  # [K, 1]
        place = self.first[window] + np.arange(self.size[window])  # [size]
        left, right = place - first, first + size - 1 - place  # [K, size]
        context = np.where((left >= 0) & (right >= 0), np.minimum(left, right) + 0.01 * size, -np.inf)
        return rivals[context.argmax(axis=0)] == window

    def features(self, chosen: np.ndarray) -> dict[str, np.ndarray]:
        """The features of some windows, named as in records.SQUAD_TRAINING: int32 [len(chosen), S] or [len(chosen)]."""
        position = np.arange(self.max_seq_length)
        question_end = (1 + self.question_size[chosen])[:, None]  # the place of the first [SEP]
        row_end = question_end + 1 + self.size[chosen][:, None]  # the place of the last [SEP]
        in_question = (position >= 1) & (position < question_end)
        in_document = (position > question_end) & (position < row_end)
        question_start = self.questions.splits[self.example[chosen]][:, None]
        document_start = (self.documents.pieces.splits[self.document[chosen]] + self.first[chosen])[:, None]
        input_ids = np.zeros([len(chosen), self.max_seq_length], np.int32)
        input_ids[:, 0] = self.tokenizer.vocabulary.cls_id
        input_ids[in_question] = self.questions.values[(question_start + position - 1)[in_question]]
        input_ids[in_document] = self.documents.pieces.values[
            (document_start + position - question_end - 1)[in_document]
        ]
        input_ids[(position == question_end) | (position == row_end)] = self.tokenizer.vocabulary.sep_id
        impossible = np.array([self.examples[index].is_impossible for index in self.example[chosen]], np.int32)
        return {
            "unique_ids": FIRST_UNIQUE_ID + chosen,
            "input_ids": input_ids,
            "input_mask": (position <= row_end).astype(np.int32),
            "segment_ids": ((position > question_end) & (position <= row_end)).astype(np.int32),
            "start_positions": self.start_positions[chosen],
            "end_positions": self.end_positions[chosen],
            "is_impossible": impossible,
        }

    def describe(self) -> list[str]:
        """Lines for the log: how many examples and windows, and their lengths."""
        p50, p95, p99 = np.percentile(self.lengths, [50, 95, 99], method="higher") if len(self) else (0, 0, 0)
        lines = [
            f"  Num orig examples = {len(self.examples)}",
            f"  Num split examples = {len(self)}",
            f"  WordPieces a row: p50 {p50}, p95 {p95}, p99 {p99}, at most {self.max_seq_length}",
        ]
        without = len(self.examples) - len(np.unique(self.example))
        if without:
            lines.append(f"  Questions about a document without a WordPiece: {without}")
        return lines


def build(
    examples: Sequence[Example], tokenizer: Tokenizer, max_seq_length: int, doc_stride: int, max_query_length: int
) -> Windows:
    """Tokenizes all texts and lays the windows; max_seq_length must be more than max_query_length + 3."""
    numbers: dict[Document, int] = {}
    document = np.array([numbers.setdefault(example.document, len(numbers)) for example in examples], np.int64)
    documents = encode_documents(list(numbers), tokenizer)
    questions = Ragged(*tokenizer.encode([example.question for example in examples]))
    question_size = np.minimum(questions.sizes, max_query_length)  # [E]
    room = max_seq_length - question_size - 3  # [E]
    step = np.minimum(room, doc_stride)  # no piece may fall between two windows
    size = documents.pieces.sizes[document]  # [E]
    count = np.where(size > 0, 1 + -(-np.maximum(size - room, 0) // step), 0)  # windows an example, [E]

    owner = np.repeat(np.arange(len(examples)), count)  # [W]
    span = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    first = span * step[owner]
    windows = Windows(
        examples=examples,
        documents=documents,
        questions=questions,
        tokenizer=tokenizer,
        max_seq_length=max_seq_length,
        example=owner,
        document=document[owner],
        span=span,
        first=first,
        size=np.minimum(room[owner], size[owner] - first),
        question_size=question_size[owner],
        start_positions=np.zeros(len(owner), np.int64),
        end_positions=np.zeros(len(owner), np.int64),
    )
    return _with_answers(windows, document)


def encode_documents(documents: Sequence[Document], tokenizer: Tokenizer) -> EncodedDocuments:
    """Tokenizes word by word, as the original does: a word's pieces depend on nothing around it."""
    numbers: dict[str, int] = {}
    word = np.array([numbers.setdefault(word, len(numbers)) for document in documents for word in document.words], int)
    values, splits = tokenizer.encode(list(numbers))
    sizes = np.diff(splits)[word]  # pieces of every word of all documents
    ends = np.cumsum(sizes)
    starts = ends - sizes
    of_piece = np.repeat(np.arange(len(word)), sizes)  # the word of every piece
    pieces = values[(splits[word] - starts)[of_piece] + np.arange(len(of_piece))]

    word_splits = np.cumsum([0, *(len(document.words) for document in documents)])
    piece_splits = np.concatenate([[0], ends])[word_splits]
    piece_counts = np.diff(piece_splits)
    return EncodedDocuments(
        pieces=Ragged(pieces, piece_splits),
        words=Ragged(of_piece - np.repeat(word_splits[:-1], piece_counts), piece_splits),
        first_pieces=Ragged(starts - np.repeat(piece_splits[:-1], np.diff(word_splits)), word_splits),
    )


def _with_answers(windows: Windows, document: np.ndarray) -> Windows:
    """Fills in the places of the answers; `document` is that of each example, [E]."""
    answers = Ragged(*windows.tokenizer.encode([e.answer.text if e.answer else "" for e in windows.examples]))
    bounds = np.full([len(windows.examples), 2], -1)
    for index, example in enumerate(windows.examples):
        if example.answer:
            bounds[index] = _answer_pieces(windows.documents, document[index], example, answers[index])
    has_answer = np.array([example.answer is not None for example in windows.examples], bool)[windows.example]
    start, end = bounds[windows.example].T  # [W]
    inside = has_answer & (start >= windows.first) & (end < windows.first + windows.size)
    shift = windows.offset - windows.first
    return dataclasses.replace(
        windows,
        start_positions=np.where(inside, start + shift, 0),
        end_positions=np.where(inside, end + shift, 0),
    )


def _answer_pieces(documents: EncodedDocuments, document: int, example: Example, answer: np.ndarray) -> tuple[int, int]:
    """First and last piece of the answer in its document.

    The words an answer lies in may hold more than the answer: of (1895), the answer 1895. So the first place
    among their pieces where the pieces of the answer stand is taken; where they stand nowhere (an answer 1880 in
    the WordPiece 1880s), it is the whole words.
    """
    starts = documents.first_pieces[document]
    pieces = documents.pieces[document].tolist()
    first = int(starts[example.answer.first_word])
    next_word = example.answer.last_word + 1
    last = (int(starts[next_word]) if next_word < len(starts) else len(pieces)) - 1
    wanted = answer.tolist()
    for start in range(first, last + 2 - len(wanted)) if wanted else ():
        if pieces[start : start + len(wanted)] == wanted:
            return start, start + len(wanted) - 1
    return first, last


def write_records(path: str, windows: Windows, kind: records.RecordKind) -> None:
    """Writes the windows, in order, to a TFRecord file of records.SQUAD_TRAINING or SQUAD_PREDICTION, atomically."""
    told = -1

    def batches() -> Iterator[dict[str, np.ndarray]]:
        nonlocal told
        for start in range(0, len(windows), BATCH):
            chosen = np.arange(start, min(start + BATCH, len(windows)))
            features = windows.features(chosen)
            example = int(windows.example[start])
            if example // LOG_EVERY > told:
                told = example // LOG_EVERY
                logger.info("Writing example %d of %d", example, len(windows.examples))
            yield {name: values.reshape(len(chosen), -1) for name, values in features.items()}

    _show(windows, kind)
    records.write_rows(path, kind, batches())


def _show(windows: Windows, kind: records.RecordKind) -> None:
    """Logs the windows of the first examples in the words of the original's log (docs/parity.md 3)."""
    for window in np.flatnonzero(windows.example < SHOWN):
        features = windows.features(np.array([window]))
        tokens, place = windows.tokens(window), range(windows.offset[window], windows.lengths[window] - 1)
        words, best = windows.words(window).tolist(), windows.is_max_context(window).tolist()
        logger.info("*** Example ***")
        logger.info("unique_id: %d", FIRST_UNIQUE_ID + window)
        logger.info("example_index: %d", windows.example[window])
        logger.info("doc_span_index: %d", windows.span[window])
        logger.info("tokens: %s", " ".join(tokens))
        logger.info("token_to_orig_map: %s", " ".join(map("{}:{}".format, place, words)))
        logger.info("token_is_max_context: %s", " ".join(map("{}:{}".format, place, best)))
        for name in ("input_ids", "input_mask", "segment_ids"):
            logger.info("%s: %s", name, " ".join(map(str, features[name][0])))
        if kind is not records.SQUAD_TRAINING:
            continue
        if windows.examples[windows.example[window]].is_impossible:
            logger.info("impossible example")
            continue
        start, end = windows.start_positions[window], windows.end_positions[window]
        logger.info("start_position: %d", start)
        logger.info("end_position: %d", end)
        logger.info("answer: %s", " ".join(tokens[start : end + 1]))
