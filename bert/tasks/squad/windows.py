"""Questions and documents as rows: [CLS] question [SEP] part of the document [SEP].

A document too long for a row is read through several windows, each `doc_stride` WordPieces further on. All texts are
tokenized at once, each different word a single time, and rows are laid out by arithmetic: no loop runs over tokens.

Shapes: E examples, W windows, S max_seq_length, T WordPieces of a document, K windows of one example.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from bert.records import SQUAD_PREDICTION, SQUAD_TRAINING, RecordKind
from bert.records.layout import lay_out
from bert.records.lengths import LengthSummary
from bert.records.rows import Rows, number_lines
from bert.tasks.squad.examples import Answer, Document, Example
from bert.tokenization import Tokenizer

FIRST_UNIQUE_ID = 1_000_000_000  # as in the original, whose record files can be read too (docs/parity.md 4)


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
class QuestionWindows(Rows):
    """The windows of all examples, in order. Arrays of int64 [W] unless said.

    example: index into `examples`; document: index into `documents`; span: number of the window in its example;
    first, size: the pieces of the document that are in it; question_size: the question's pieces, cut;
    start_positions, end_positions: the answer's position in the row, 0 where it is not in the window or there is none;
    with_answers: whether they go into the records, for training.
    """

    examples: Sequence[Example]
    documents: EncodedDocuments
    questions: Ragged
    tokenizer: Tokenizer
    max_seq_length: int
    with_answers: bool
    example: np.ndarray
    document: np.ndarray
    span: np.ndarray
    first: np.ndarray
    size: np.ndarray
    question_size: np.ndarray
    start_positions: np.ndarray
    end_positions: np.ndarray

    @property
    def record_kind(self) -> RecordKind:
        return SQUAD_TRAINING if self.with_answers else SQUAD_PREDICTION

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
        ids = self.features(window, window + 1)["input_ids"][0, : self.lengths[window]]
        return [self.tokenizer.vocabulary.tokens[piece] for piece in ids]

    def words(self, window: int) -> np.ndarray:
        """The word of the document that each document piece of the window is a part of, int64 [size]."""
        return self.documents.words[self.document[window]][self.first[window] :][: self.size[window]]

    def is_max_context(self, window: int) -> np.ndarray:
        """Whether each document piece of the window has more context here than in other windows, bool [size].

        Context is what stands on the side that has less of it; a hundredth of the window's size settles ties,
        then the earlier window.
        """
        rivals = self.of_example[self.example[window]]
        start, stop = self.first[window], self.first[window] + self.size[window]
        # Only those that overlap; of a very long document all would make the cost grow with its square.
        rivals = rivals[(self.first[rivals] < stop) & (self.first[rivals] + self.size[rivals] > start)]  # [K]
        first, size = self.first[rivals][:, None], self.size[rivals][:, None]  # [K, 1]
        position = self.first[window] + np.arange(self.size[window])  # [size]
        left, right = position - first, first + size - 1 - position  # [K, size]
        context = np.where((left >= 0) & (right >= 0), np.minimum(left, right) + 0.01 * size, -np.inf)
        return rivals[context.argmax(axis=0)] == window

    def features(self, begin: int, end: int) -> dict[str, np.ndarray]:
        chosen = slice(begin, end)
        owner = self.example[chosen]  # [B]
        question, document = self.questions.splits[owner], self.documents.pieces.splits[self.document[chosen]]
        part = document + self.first[chosen]
        rows = lay_out(
            self.questions.values,  # and those of the documents, see `build`
            (question, question + self.question_size[chosen]),
            (part, part + self.size[chosen]),
            self.tokenizer.vocabulary.cls_id,
            self.tokenizer.vocabulary.sep_id,
            self.max_seq_length,
        )
        features = {
            "unique_ids": np.arange(FIRST_UNIQUE_ID + begin, FIRST_UNIQUE_ID + end, dtype=np.int32)[:, None],
            **rows,
        }
        if self.with_answers:
            features["start_positions"] = self.start_positions[chosen, None].astype(np.int32)
            features["end_positions"] = self.end_positions[chosen, None].astype(np.int32)
            features["is_impossible"] = np.array([self.examples[index].is_impossible for index in owner], np.int32)[
                :, None
            ]
        return features

    def describe(self, positions: int) -> list[str]:
        """How many examples and windows there are, and the lengths of the rows."""
        lines = [
            f"  Num orig examples = {len(self.examples)}",
            f"  Num split examples = {len(self)}",
            f"  WordPieces a row: {LengthSummary.of(self.lengths)}; at most {self.max_seq_length}",
        ]
        without = len(self.examples) - len(np.unique(self.example))
        if without:
            lines.append(f"  Questions about a document without a WordPiece: {without}")
        return lines

    def show(self, row: int, verbose: bool = False) -> list[str]:
        tokens = self.tokens(row)
        lines = [
            f"unique_id: {FIRST_UNIQUE_ID + row}",
            f"example_index: {self.example[row]}",
            f"doc_span_index: {self.span[row]}",
            f"tokens: {' '.join(tokens)}",
        ]
        if verbose:
            positions = range(self.offset[row], self.lengths[row] - 1)
            words, best = self.words(row).tolist(), self.is_max_context(row).tolist()
            lines.append(f"token_to_orig_map: {' '.join(map('{}:{}'.format, positions, words))}")
            lines.append(f"token_is_max_context: {' '.join(map('{}:{}'.format, positions, best))}")
            lines += number_lines(self.features(row, row + 1))
        if self.with_answers and self.examples[self.example[row]].is_impossible:
            lines.append("impossible example")
        elif self.with_answers:
            start, end = self.start_positions[row], self.end_positions[row]
            answer = " ".join(tokens[start : end + 1]) if end else "not in this window"
            lines += [f"start_position: {start}", f"end_position: {end}", f"answer: {answer}"]
        return [*lines, f"length: {len(tokens)} of {self.max_seq_length}"]


def build(
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    max_seq_length: int,
    doc_stride: int,
    max_query_length: int,
    with_answers: bool = False,
) -> QuestionWindows:
    """Tokenizes all texts and lays the windows; max_seq_length must be more than max_query_length + 3."""
    numbers: dict[Document, int] = {}
    document = np.array([numbers.setdefault(example.document, len(numbers)) for example in examples], np.int64)
    documents = encode_documents(list(numbers), tokenizer)
    documents, questions = _joined(documents, *tokenizer.encode([example.question for example in examples]))
    question_size = np.minimum(questions.sizes, max_query_length)  # [E]
    room = max_seq_length - question_size - 3  # [E]
    step = np.minimum(room, doc_stride)  # no piece may fall between two windows
    size = documents.pieces.sizes[document]  # [E]
    count = np.where(size > 0, 1 + -(-np.maximum(size - room, 0) // step), 0)  # windows an example, [E]

    owner = np.repeat(np.arange(len(examples)), count)  # [W]
    span = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    first = span * step[owner]
    windows = QuestionWindows(
        examples=examples,
        documents=documents,
        questions=questions,
        tokenizer=tokenizer,
        max_seq_length=max_seq_length,
        with_answers=with_answers,
        example=owner,
        document=document[owner],
        span=span,
        first=first,
        size=np.minimum(room[owner], size[owner] - first),
        question_size=question_size[owner],
        start_positions=np.zeros(len(owner), np.int64),
        end_positions=np.zeros(len(owner), np.int64),
    )
    return _with_positions(windows, document) if with_answers else windows


def _joined(documents: EncodedDocuments, values: np.ndarray, splits: np.ndarray) -> tuple[EncodedDocuments, Ragged]:
    """The documents and the questions, both in one array of pieces, as the layout of rows wants it."""
    pieces = np.concatenate([values, documents.pieces.values])
    documents = dataclasses.replace(documents, pieces=Ragged(pieces, documents.pieces.splits + len(values)))
    return documents, Ragged(pieces, splits)


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


def _with_positions(windows: QuestionWindows, document: np.ndarray) -> QuestionWindows:
    """Fills in the places of the answers; `document` is that of each example, [E]."""
    answers = Ragged(*windows.tokenizer.encode([e.answer.text if e.answer else "" for e in windows.examples]))
    bounds = np.full([len(windows.examples), 2], -1)
    for index, example in enumerate(windows.examples):
        if example.answer:
            bounds[index] = _answer_pieces(windows.documents, document[index], example.answer, answers[index].tolist())
    has_answer = np.array([example.answer is not None for example in windows.examples], bool)[windows.example]
    start, end = bounds[windows.example].T  # [W]
    inside = has_answer & (start >= windows.first) & (end < windows.first + windows.size)
    shift = windows.offset - windows.first
    return dataclasses.replace(
        windows,
        start_positions=np.where(inside, start + shift, 0),
        end_positions=np.where(inside, end + shift, 0),
    )


def _answer_pieces(
    documents: EncodedDocuments, document: int, answer: Answer, wanted: Sequence[int]
) -> tuple[int, int]:
    """First and last piece of the answer, whose own pieces are `wanted`, in its document.

    The words an answer lies in may hold more than the answer: of (1895), the answer 1895. So the first place
    among their pieces where the pieces of the answer stand is taken; where they stand nowhere (an answer 1880 in
    the WordPiece 1880s), it is the whole words.
    """
    starts = documents.first_pieces[document]
    pieces = documents.pieces[document].tolist()
    first = int(starts[answer.first_word])
    next_word = answer.last_word + 1
    last = (int(starts[next_word]) if next_word < len(starts) else len(pieces)) - 1
    for start in range(first, last + 2 - len(wanted)) if wanted else ():
        if pieces[start : start + len(wanted)] == wanted:
            return start, start + len(wanted) - 1
    return first, last
