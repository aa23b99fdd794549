"""Predictions as files: test_results.tsv with the bare columns of the original, predictions.tsv for people."""

import logging
from collections.abc import Sequence

import numpy as np

from bert import files
from bert.tasks.base import InputExample
from bert.tasks.label_kinds import LabelKind

logger = logging.getLogger(__name__)

# Tabs, and all that str.splitlines takes for the end of a line.
TO_SPACES = str.maketrans(dict.fromkeys("\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", " "))
OWN_COLUMNS = ("id", "text", "text_b", "label", "score")


def write_columns(path: str, probabilities: np.ndarray) -> None:
    """A line an example, its numbers in the order of the labels (docs/parity.md 3): float32 [N, C]."""
    files.write_text(path, "".join("\t".join(map(str, row)) + "\n" for row in probabilities))


def write_table(
    path: str,
    examples: Sequence[InputExample],
    probabilities: np.ndarray,
    answers: Sequence[str],
    labels: Sequence[str],
    kind: LabelKind,
) -> None:
    """A header, then a line an example: id, texts, the answer, its score, and a column a class with its probability.

    The score is the probability of the answer; of several classes that of the least certain decision; of a regression
    the number itself. Tabs and line ends inside a text become spaces, so that lines and columns stay what they are.
    """
    has_pair = any(example.text_b is not None for example in examples)
    columns = kind.columns(labels)
    names = [name for name in OWN_COLUMNS if name != "text_b" or has_pair]
    classes = [f"class {label}" if label in OWN_COLUMNS else label for label in columns]
    lines = [[*names, *classes]]
    for example, row, answer, score in zip(examples, probabilities, answers, kind.scores(probabilities), strict=True):
        texts = [example.text_a, example.text_b or ""] if has_pair else [example.text_a]
        lines.append([example.guid, *texts, answer, str(score), *map(str, row[: len(columns)])])
    files.write_text(path, "".join("\t".join(map(_one_cell, line)) + "\n" for line in lines))


def _one_cell(text: str) -> str:
    return text.translate(TO_SPACES)


def warn_of_one_answer(answers: Sequence[str]) -> None:
    """Warns where all rows have the same answer: mostly the sign of a model that has learned nothing."""
    if len(answers) > 1 and len(set(answers)) == 1:
        logger.warning(
            "All %d predictions are '%s'. Training may have failed: look at its loss, try another `learning_rate`, "
            "more epochs, or, for classes, `class_weights`=balanced.",
            len(answers),
            answers[0] or "no class",
        )
