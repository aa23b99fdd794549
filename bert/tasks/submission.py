"""The file that the server of the GLUE benchmark takes."""

from collections.abc import Sequence

from bert import files
from bert.tasks.base import Task


def write(path: str, task: Task, answers: Sequence[str]) -> None:
    """Writes the answers for a test set, one an example in the order of its file, to `path`, atomically.

    An answer is a label of the task as its training file has it, and as the server wants it: the name of an entailment
    class, else 0 or 1; or a number, which is clipped to 0 to 5. Raises InputError for an answer that the task has not.
    """
    lines = ["index\tprediction"]
    for index, answer in enumerate(answers):
        lines.append(f"{index}\t{task.label_kind.submitted(answer, task.labels, f'{path}: prediction {index}')}")
    files.write_text(path, "\n".join(lines) + "\n")
