"""What is learned: each task is a class, found by the name that --task_name gives."""

from bert.tasks import glue, table
from bert.tasks.base import SPLITS, InputExample, Row, Task, find, known, register

__all__ = ["SPLITS", "InputExample", "Row", "Task", "find", "glue", "known", "register", "table"]
