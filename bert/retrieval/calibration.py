"""Below which score the answer is: I don't know. Shapes: E questions of the evaluation."""

import dataclasses
import logging

import numpy as np

logger = logging.getLogger(__name__)

MIN_PRECISION, F1 = "min_precision", "f1"
STORED = "the evaluation"
_TABLE_ROWS = 10


@dataclasses.dataclass(frozen=True)
class Point:
    """What a threshold does: the question is answered where its best score is not below it.

    Attributes:
      coverage: the share of all questions that is answered.
      precision: the share of the answers that is right; 1 where there is none.
      recall: the share of the questions that have an answer which gets it.
    """

    threshold: float
    coverage: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The threshold that was chosen, and those that could have been, the highest first."""

    chosen: Point
    points: tuple[Point, ...]
    criterion: str

    def table(self) -> list[str]:
        """Lines for the log: what other thresholds would do, at every tenth of the questions, then the one chosen."""
        wanted = np.arange(1, _TABLE_ROWS + 1) / _TABLE_ROWS if self.points else ()
        coverages = np.array([point.coverage for point in self.points])
        shown = {int(np.abs(coverages - share).argmin()): None for share in wanted}
        lines = ["threshold  coverage  precision  recall      F1"]
        lines += [_line(self.points[place]) for place in shown]
        return [*lines, f"{_line(self.chosen)}  chosen by {self.criterion}"]


def _line(point: Point) -> str:
    shares = f"{point.coverage:8.4f}  {point.precision:9.4f}  {point.recall:6.4f}  {point.f1:6.4f}"
    return f"{point.threshold:9.4f}  {shares}"


def curve(scores: np.ndarray, is_right: np.ndarray, has_answer: np.ndarray) -> tuple[Point, ...]:
    """A point for every number of answered questions that a threshold can give, the highest threshold first.

    Args:
      scores: of the best answer of each question, float32 [E]; -inf where it found none, which no threshold answers.
      is_right: whether that is the right one, bool [E].
      has_answer: whether there is a right one, bool [E].
    """
    order = np.argsort(-scores, kind="stable")
    own, right = scores[order].astype(np.float64), np.cumsum(is_right[order])
    last = np.flatnonzero(np.append(own[1:] < own[:-1], True) & np.isfinite(own))  # of those with the same score
    lower = np.append(own[1:], -np.inf)[last]
    # Half way to the next lower score: what is computed in another batch may differ in its last digits.
    thresholds = np.where(np.isfinite(lower), (own[last] + lower) / 2, own[last])
    total = max(1, int(has_answer.sum()))
    return tuple(
        Point(float(threshold), (place + 1) / len(own), right[place] / (place + 1), right[place] / total)
        for threshold, place in zip(thresholds, last.tolist(), strict=True)
    )


def at(threshold: float, scores: np.ndarray, is_right: np.ndarray, has_answer: np.ndarray) -> Calibration:
    """What a threshold that was chosen before does with other questions; the arrays are those of `curve`."""
    answered = scores >= threshold
    right, count = int((answered & is_right).sum()), int(answered.sum())
    precision, recall = right / count if count else 1.0, right / max(1, int(has_answer.sum()))
    return Calibration(Point(threshold, count / len(scores), precision, recall), (), STORED)


def calibrate(
    scores: np.ndarray, is_right: np.ndarray, has_answer: np.ndarray, by: str, min_precision: float
) -> Calibration:
    """Chooses the threshold: the one that answers most with `min_precision`, or the one of the highest F1.

    `by` is min_precision, f1, or auto: f1 where questions without an answer are among these. One score at least is
    finite. Of equal thresholds it is the highest. Where none is precise enough it is the most precise one, and a
    warning tells.
    """
    points = curve(scores, is_right, has_answer)
    if by == F1 or (by == "auto" and not has_answer.all()):
        return Calibration(max(points, key=lambda point: point.f1), points, F1)
    precise = [point for point in points if point.precision >= min_precision]
    if not precise:
        best = max(points, key=lambda point: (point.precision, point.coverage))
        logger.warning(
            "No threshold answers with a precision of `min_precision`=%g; the most precise one has %.4f.",
            min_precision,
            best.precision,
        )
        return Calibration(best, points, MIN_PRECISION)
    return Calibration(max(precise, key=lambda point: point.coverage), points, f"{MIN_PRECISION} {min_precision:g}")
