"""The file that the server of the GLUE benchmark takes."""

from collections.abc import Sequence

from bert import files
from bert.tasks.base import Task

LOWEST, HIGHEST = 0.0, 5.0  # the scores of STS-B, GLUE's only regression


def write(path: str, task: Task, answers: Sequence[str]) -> None:
    """Writes the answers for a test set, one an example in the order of its file, to `path`, atomically.

    An answer is a label of the task as its training file has it, and as the server wants it: the name of an entailment
    class, else 0 or 1; or a number, which is clipped to 0 to 5. Raises InputError for an answer that the task has not.
    """
    lines = ["index\tprediction"]
    for index, answer in enumerate(answers):
        value = task.label_kind.check(answer, task.labels, f"{path}: prediction {index}")
        lines.append(f"{index}\t{value if task.label_kind.has_classes else clipped(value)}")
    files.write_text(path, "\n".join(lines) + "\n")


def clipped(score: float) -> str:
    """The nearest score there is, with three decimals."""
    return f"{max(LOWEST, min(HIGHEST, score)):.3f}"
