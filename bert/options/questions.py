"""Question answering: the files, how documents are cut into windows, and how answers are chosen and judged."""

import dataclasses
import math

from bert.options import BEST, NOTHING, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """Which of the possible answers counts."""

    n_best_size: int = option(20, "Answers a question has at most in nbest_predictions.json.", decides=BEST)
    max_answer_length: int = option(30, "Most WordPieces of an answer.", decides=BEST)
    version_2_with_negative: bool = option(False, "Some questions have no answer, as in SQuAD 2.0.")
    null_score_diff_threshold: float = option(
        0.0,
        'Answer "" where that scores more than this above the best answer; inf: never, -inf: always.',
        decides=BEST,
        infinite=(-math.inf, math.inf),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadingOptions(AnswerOptions):
    """How questions and documents become rows."""

    doc_stride: int = option(128, "WordPieces from one window of a long document to the next.")
    max_query_length: int = option(64, "Most WordPieces of a question; the rest of a longer one is cut off.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuestionOptions(ReadingOptions):
    """The files and the measure."""

    train_file: str | None = option(None, "SQuAD file to train on, such as train-v1.1.json.")
    dev_file: str | None = option(
        None, "SQuAD file to evaluate on, with `do_eval`, on the way and at the end.", decides=BEST
    )
    predict_file: str | None = option(
        None, "SQuAD file to predict, such as dev-v1.1.json; its answers, if any, judge.", decides=NOTHING
    )
    metric: str = option(
        "auto",
        "How answers are judged: squad, by words; cmrc, by Chinese characters; auto, cmrc for Chinese documents.",
        choices=("auto", "squad", "cmrc"),
        decides=BEST,
    )
