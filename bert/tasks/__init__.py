"""What is learned: each task is a class, found by the name that `task_name` gives."""

from bert.tasks import clue, glue, intents, table
from bert.tasks.base import SPLITS, InputExample, Task, find, known, load, register
from bert.tasks.rows import Row

__all__ = [
    "SPLITS",
    "InputExample",
    "Row",
    "Task",
    "clue",
    "find",
    "glue",
    "intents",
    "known",
    "load",
    "register",
    "table",
]
