"""Scores of starts and ends to the n best answers of each question, and the original's three files (docs/parity.md 3).

Shapes: S positions of a window, N n_best_size, Q candidates of a question.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from bert import files
from bert.options.questions import AnswerOptions
from bert.tasks.squad.projection import joined, project
from bert.tasks.squad.windows import QuestionWindows


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A possible answer; the text of "no answer" is empty.

    place: its first character in the document and the one behind its last, None where it stands nowhere. From one to
    the other there may be more space than in the text, which has a single one for every run.
    """

    text: str
    start_logit: float
    end_logit: float
    place: tuple[int, int] | None = None

    @property
    def score(self) -> float:
        return self.start_logit + self.end_logit


@dataclasses.dataclass(frozen=True)
class Answers:
    """What is known about one question.

    text: the answer given, empty for none; best: the best answer that is not empty, empty if there is none;
    n_best: candidates with different texts, best first, never empty; null_odds: how much "no answer" scores above
    `best`, None without version_2_with_negative.
    """

    text: str
    best: str
    n_best: list[Candidate]
    null_odds: float | None


@dataclasses.dataclass(frozen=True)
class _Spans:
    """Candidates as places in windows: arrays [Q], in the order of window, start, end."""

    window: np.ndarray
    start: np.ndarray
    end: np.ndarray
    start_logit: np.ndarray
    end_logit: np.ndarray


def answer_all(
    windows: QuestionWindows,
    start_logits: Sequence[np.ndarray],
    end_logits: Sequence[np.ndarray],
    options: AnswerOptions,
    verbose: bool = False,
) -> list[Answers]:
    """The answers to all questions, from the logits of every window, float32 [S] or fewer each."""
    # What stands behind a window's last token is padding that a longer neighbour in its batch brought along.
    start = [logits[:length] for logits, length in zip(start_logits, windows.lengths, strict=True)]
    end = [logits[:length] for logits, length in zip(end_logits, windows.lengths, strict=True)]
    return [answer(windows, index, start, end, options, verbose) for index in range(len(windows.examples))]


def answer(
    windows: QuestionWindows,
    example: int,
    start_logits: Sequence,
    end_logits: Sequence,
    options: AnswerOptions,
    verbose: bool = False,
) -> Answers:
    """The answers to one question. `start_logits[w]`, `end_logits[w]`: float32 [S] (or fewer) of each window w.

    The N best starts and the N best ends of each window are paired. A pair counts if both lie in the document, the
    start where it has most context, and it is not longer than max_answer_length. `verbose` logs
    answers that cannot be traced to the document's characters.
    """
    own = windows.of_example[example]
    spans = _concatenated([_spans(windows, w, start_logits[w], end_logits[w], options) for w in own])
    null = _null(own, start_logits, end_logits) if options.version_2_with_negative else None
    n_best = _different_texts(windows, example, spans, null, options.n_best_size, verbose)
    if null and all(candidate.text for candidate in n_best):
        n_best.append(null)
    if not n_best:  # no pair of the best starts and ends fits
        n_best = [Candidate("empty", 0.0, 0.0)]
    if null is None:
        return Answers(n_best[0].text, n_best[0].text, n_best, None)
    best = next((candidate for candidate in n_best if candidate.text), Candidate("", 0.0, 0.0))
    odds = null.score - best.start_logit - best.end_logit
    text = "" if odds > options.null_score_diff_threshold else best.text
    return Answers(text, best.text, n_best, odds)


def _spans(
    windows: QuestionWindows, window: int, start_logits: np.ndarray, end_logits: np.ndarray, options: AnswerOptions
) -> _Spans:
    starts = _largest(start_logits, options.n_best_size)  # [N]
    ends = _largest(end_logits, options.n_best_size)
    offset, size = windows.offset[window], windows.size[window]
    start, end = starts - offset, ends - offset  # pieces of the window's part of the document
    may_start = (start >= 0) & (start < size)
    may_start &= windows.is_max_context(window)[np.where(may_start, start, 0)]
    may_end = (end >= 0) & (end < size)
    length = end - start[:, None] + 1  # [N, N]
    fits = may_start[:, None] & may_end & (length >= 1) & (length <= options.max_answer_length)
    i, j = np.nonzero(fits)
    return _Spans(
        window=np.full(len(i), window),
        start=start[i],
        end=end[j],
        start_logit=start_logits[starts[i]].astype(np.float64),
        end_logit=end_logits[ends[j]].astype(np.float64),
    )


def _largest(logits: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest values, largest first, of equal ones the first first."""
    return np.argsort(-logits, kind="stable")[:count]


def _concatenated(spans: Sequence[_Spans]) -> _Spans:
    names = [field.name for field in dataclasses.fields(_Spans)]
    return _Spans(*(np.concatenate([np.zeros(0, int), *(getattr(part, name) for part in spans)]) for name in names))


def _null(own: np.ndarray, start_logits: Sequence, end_logits: Sequence) -> Candidate:
    """ "No answer", which points at [CLS], as the window scores it that believes in it least."""
    nulls = [Candidate("", float(start_logits[window][0]), float(end_logits[window][0])) for window in own]
    return min(nulls, key=lambda candidate: candidate.score, default=Candidate("", 0.0, 0.0))


def _different_texts(
    windows: QuestionWindows, example: int, spans: _Spans, null: Candidate | None, n_best_size: int, verbose: bool
) -> list[Candidate]:
    """The best candidates, `null` among them, each text once."""
    scores = spans.start_logit + spans.end_logit
    if null:
        scores = np.append(scores, null.score)
    chosen: dict[str, Candidate] = {}
    for index in np.argsort(-scores, kind="stable"):
        if len(chosen) >= n_best_size:
            break
        if null and index == len(spans.start):
            chosen[""] = null
            continue
        words, touched, part = _traced(windows, example, spans, index, verbose)
        text = touched[part]
        if text not in chosen:
            logits = float(spans.start_logit[index]), float(spans.end_logit[index])
            chosen[text] = Candidate(text, *logits, windows.examples[example].document.place(*words, part))
    return list(chosen.values())


def _traced(
    windows: QuestionWindows, example: int, spans: _Spans, index: int, verbose: bool
) -> tuple[tuple[int, int], str, slice]:
    """The first and the last word that a candidate touches, these words, and which part of them it is."""
    window, start, end = spans.window[index], spans.start[index], spans.end[index]
    document, first = windows.document[window], windows.first[window]
    ids = windows.documents.pieces[document][first + start : first + end + 1]
    words = windows.documents.words[document][first + start : first + end + 1]
    pieces = [windows.tokenizer.vocabulary.tokens[piece] for piece in ids]
    touched = windows.examples[example].document.between(words[0], words[-1])
    part = project(joined(pieces), touched, windows.tokenizer.do_lower_case, verbose)
    return (words[0], words[-1]), touched, part


def probabilities(candidates: Sequence[Candidate]) -> list[float]:
    """Softmax of the candidates' scores."""
    return special.softmax([candidate.score for candidate in candidates]).tolist()


def write(folder: str, answers: Mapping[str, Answers]) -> list[str]:
    """Writes predictions.json, nbest_predictions.json and, for SQuAD 2.0, null_odds.json; returns their paths."""
    contents = {
        "predictions.json": {name: found.text for name, found in answers.items()},
        "nbest_predictions.json": {name: _n_best_entries(found.n_best) for name, found in answers.items()},
    }
    if any(found.null_odds is not None for found in answers.values()):
        contents["null_odds.json"] = {name: found.null_odds for name, found in answers.items()}
    paths = []
    for name, content in contents.items():
        paths.append(os.path.join(folder, name))
        files.write_text(paths[-1], json.dumps(content, indent=4) + "\n")
    return paths


def _n_best_entries(candidates: Sequence[Candidate]) -> list[dict]:
    return [
        {
            "text": candidate.text,
            "probability": probability,
            "start_logit": candidate.start_logit,
            "end_logit": candidate.end_logit,
        }
        for candidate, probability in zip(candidates, probabilities(candidates), strict=True)
    ]
