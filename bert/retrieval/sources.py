"""Where the questions come from: tables, or the files of a task that is known by its name."""

from collections.abc import Collection, Sequence

from bert import tasks
from bert.errors import InputError
from bert.options.retrieval import KnowledgeOptions
from bert.retrieval import knowledge
from bert.retrieval.knowledge import KnowledgeBase, Queries
from bert.tasks import InputExample, Task, label_kinds

_EQUAL = "1"  # what `equal_label` is for a task of pairs in two classes


def base(options: KnowledgeOptions) -> KnowledgeBase:
    """The knowledge base: of `knowledge_file`, or the training set of `task_name`.

    Of a task of single texts a class is an answer; the class of those that have none is left out. Of pairs a cluster of
    equal questions is one. Raises InputError as `knowledge` and the task do, and for a task that has neither.
    """
    if not options.task_name:
        assert options.knowledge_file is not None
        return knowledge.read(options.knowledge_file, options)
    task, path = _task(options)
    examples = task.examples(path, "train")
    if examples[0].text_b is not None:
        return _clusters(task, examples, options)
    if task.label_kind is not label_kinds.CLASS:
        raise InputError(f"`task_name` is {task.name}, which has no answers, expected one class a text, or pairs")
    kept = [example for example in examples if example.label != task.outside]
    if not kept:
        raise InputError(f"{task.path(path, 'train')}: no text of another class than {task.outside}")
    return KnowledgeBase(tuple(each.text_a for each in kept), tuple(str(each.label) for each in kept))


def asked(options: KnowledgeOptions, split: str) -> Queries:
    """The questions of a split, dev or test: of `dev_file` or `predict_file`, or the task's. Those of dev have answers.

    Raises InputError as `base` does, and for a task of pairs: what its dev set asks the training set does not answer.
    """
    path = file_of(options, split)
    if path:
        return knowledge.read_queries(path, options, needs_answers=split == "dev")
    task, folder = _task(options)
    examples = task.examples(folder, split)
    if examples[0].text_b is not None:
        raise InputError(
            f"`task_name` is {task.name}, whose {split} set is of pairs: give a file of questions"
            + (", or `dev_fraction`" if split == "dev" else "")
        )
    labels = [example.label for example in examples]
    if split == "test" and task.has_test_labels:
        labelled = (task.example(row, "dev") for row in task.rows(folder, split))
        labels = [example.label for example in labelled if example]
    texts = tuple(example.text_a for example in examples)
    if None in labels:
        return Queries(texts, None)
    return Queries(texts, tuple("" if label == task.outside else str(label) for label in labels))


def asked_of(base: KnowledgeBase, options: KnowledgeOptions, split: str) -> Queries:
    """The same, for a knowledge base that has to have their answers. Raises InputError for one that it has not."""
    queries = asked(options, split)
    knowledge.check_known(queries, base, place(options, split))
    return queries


def file_of(options: KnowledgeOptions, split: str) -> str | None:
    """The flag that names a split's file, if it was given."""
    return {"train": options.knowledge_file, "dev": options.dev_file, "test": options.predict_file}[split]


def place(options: KnowledgeOptions, split: str) -> str:
    """What messages call the file of a split."""
    if path := file_of(options, split):
        return path
    task, folder = _task(options)
    return task.path(folder, split)


def has_no_dev_set(options: KnowledgeOptions) -> bool:
    """Whether the evaluation asks the test set of a task, which has no dev set beside it. Raises InputError as `asked`
    does."""
    if not options.task_name or options.dev_file or options.predict_file:
        return False
    task, folder = _task(options)
    if task.path(folder, "dev") != task.path(folder, "test"):
        return False
    return asked(options, "dev").texts == asked(options, "test").texts  # one file may hold both


def check(options: KnowledgeOptions, splits: Collection[str]) -> None:
    """Raises InputError for a task that is not known, or has no file for one of these splits."""
    if not options.task_name:
        return
    task, folder = _task(options)
    task.check(folder, [split for split in splits if not file_of(options, split)])


def _task(options: KnowledgeOptions) -> tuple[Task, str]:
    assert options.task_name
    assert options.data_dir
    return tasks.find(options.task_name)(), options.data_dir


def _clusters(task: Task, examples: Sequence[InputExample], options: KnowledgeOptions) -> KnowledgeBase:
    """What equal pairs connect: those of the class `equal_label`, or of a number that is at least that."""
    equal = options.equal_label or (_EQUAL if task.label_kind is label_kinds.CLASS else "")
    if task.label_kind is label_kinds.CLASS:
        if equal not in task.labels:
            raise InputError(f"`equal_label` is '{equal}', expected one of {', '.join(task.labels)}")
        are_equal = [example.label == equal for example in examples]
    else:
        least = _number(equal, task)
        are_equal = [float(str(example.label)) >= least for example in examples]
    pairs = [(example.text_a, str(example.text_b)) for example in examples]
    if not any(are_equal):
        raise InputError(f"{place(options, 'train')}: no pair has the label '{equal}' (`equal_label`)")
    return knowledge.of_pairs(pairs, are_equal)


def _number(value: str, task: Task) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(
            f"`equal_label` is '{value}', but the labels of task {task.name} are numbers: expected the least of equal "
            "questions, such as 5"
        ) from None
