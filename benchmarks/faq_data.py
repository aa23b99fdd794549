"""What benchmarks/faq.py learns: its tasks, and the tables that every row of a task reads.

A task's training set is cut in two, what is learned from and what learning rates are chosen by; it is judged by the
set that its authors give out for that: BANKING77's test set, the dev sets of AFQMC and TNEWS, whose test sets have no
labels.
"""

import dataclasses
import pathlib
import random
from collections.abc import Callable, Mapping, Sequence

from benchmarks.drawing import DRAW_SEED, drawn
from bert import files, tasks
from bert.retrieval import knowledge
from bert.retrieval.knowledge import normalised
from bert.tasks import InputExample, table
from bert.tasks.predictions import TO_SPACES
from bert.tasks.reports import BANDS

EQUAL = "1"  # the label of pairs that ask the same
TUNING_SHARE = 0.1  # of the training rows
LEAST_SHARE, LEAST_ROWS = 1 / 32, 4  # of its rows the rarest class of the thinned set keeps, and any
Tables = Mapping[str, Sequence[Sequence[str]]]  # file name -> header and rows


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned.

    Attributes:
      source: the set, known to run_classifier by this name.
      flag: the flag of its folder.
      language: whose models are its rows.
      tables: makes what the rows read.
      measures: what the table shows; the first one chooses the learning rate.
    """

    name: str
    title: str
    source: str
    flag: str
    language: str
    tables: Callable[["Draw"], Tables]
    measures: tuple[str, ...]
    epochs: int
    flags: Mapping[str, object] = dataclasses.field(default_factory=dict)
    max_seq_length: int = 64
    train_batch_size: int = 32

    @property
    def is_retrieval(self) -> bool:
        return "hit_at_1" in self.measures


@dataclasses.dataclass(frozen=True)
class Draw:
    """The rows of a set that are used: so many to learn from, tuning included, and so many to judge by; 0: all."""

    source: str
    folder: str
    train_rows: int
    test_rows: int

    def examples(self) -> tuple[list[InputExample], list[InputExample]]:
        """Those to learn from, without what is among those to judge by, and these."""
        task = tasks.find(self.source)()
        training, test = (task.examples(self.folder, split) for split in ("train", "dev"))
        known = {texts(example) for example in test}
        training = [example for example in training if texts(example) not in known]
        return drawn(training, self.train_rows), drawn(test, self.test_rows)


def texts(example: InputExample) -> tuple[str, str]:
    return normalised(example.text_a), normalised(example.text_b or "")


def classes(draw: Draw) -> Tables:
    """Texts, or pairs, and their classes."""
    training, test = draw.examples()
    return split_tables(training, test)


def thinned(draw: Draw) -> Tables:
    """Classes from all of their rows down to LEAST_SHARE of them, in equal steps of the logarithm, in an order by
    chance (long-tailed as in Cui et al. 2019)."""
    training, test = draw.examples()
    names = sorted({str(example.label) for example in training})
    random.Random(DRAW_SEED).shuffle(names)
    kept: list[InputExample] = []
    for place, name in enumerate(names):
        own = [example for example in training if example.label == name]
        share = LEAST_SHARE ** (place / max(1, len(names) - 1))
        kept += drawn(own, max(LEAST_ROWS, round(share * len(own))))
    return split_tables(kept, test)


def split_tables(training: Sequence[InputExample], test: Sequence[InputExample]) -> Tables:
    tuning = tuning_rows([str(example.label) for example in training])
    parts = {
        "train.tsv": [example for index, example in enumerate(training) if index not in tuning],
        "dev.tsv": [example for index, example in enumerate(training) if index in tuning],
        "test.tsv": test,
    }
    has_pairs = training[0].text_b is not None
    header = ["text", "text_b", "label"] if has_pairs else ["text", "label"]
    rows = {
        name: [[each.text_a, *([str(each.text_b)] if has_pairs else []), str(each.label)] for each in part]
        for name, part in parts.items()
    }
    return {name: [header, *part] for name, part in rows.items()}


def tuning_rows(labels: Sequence[str]) -> frozenset[int]:
    """The same share of each class."""
    return table.stratified([(label,) for label in labels], TUNING_SHARE, DRAW_SEED)


QUESTIONS, ASKED = ["question", "answer_id"], ["text", "answer_id"]


def intents_as_answers(draw: Draw) -> Tables:
    """Each intent is an answer; new questions are asked for answers that have been trained on."""
    training, test = draw.examples()
    tuning = tuning_rows([str(example.label) for example in training])
    rows = [[example.text_a, str(example.label)] for example in training]
    known = {row[1] for index, row in enumerate(rows) if index not in tuning}
    return {
        "questions.tsv": [QUESTIONS, *(row for index, row in enumerate(rows) if index not in tuning)],
        "dev.tsv": [ASKED, *(row for index, row in enumerate(rows) if index in tuning)],
        "test.tsv": [ASKED, *([each.text_a, str(each.label)] for each in test if each.label in known)],
    }


def clusters_as_answers(draw: Draw) -> Tables:
    """Each cluster of equal questions is an answer; those to judge by, and those to tune by, are new ones: one of their
    questions is in the knowledge base, the others are asked."""
    training = clusters(draw, "train")
    known = {normalised(text) for cluster in training for text in cluster}
    test = [[text for text in cluster if normalised(text) not in known] for cluster in clusters(draw, "dev")]
    test = drawn([cluster for cluster in test if len(cluster) > 1], draw.test_rows)
    training = drawn(training, draw.train_rows // 2)  # nearly all are of two questions
    tuning = frozenset(drawn(range(len(training)), max(1, round(TUNING_SHARE * len(training)))))
    parts = {
        "train": [cluster for number, cluster in enumerate(training) if number not in tuning],
        "dev": [cluster for number, cluster in enumerate(training) if number in tuning],
        "test": test,
    }
    rows = {
        part: [[text, f"{part}-{number}"] for number, cluster in enumerate(own) for text in cluster]
        for part, own in parts.items()
    }
    asked = {part: [row for row in rows[part] if not opens(row, parts[part])] for part in ("dev", "test")}
    indexed = [row for part in ("dev", "test") for row in rows[part] if opens(row, parts[part])]
    return {
        "questions.tsv": [QUESTIONS, *rows["train"], *indexed],
        **{f"{part}.tsv": [ASKED, *own] for part, own in asked.items()},
    }


def opens(row: Sequence[str], own: Sequence[Sequence[str]]) -> bool:
    """Whether a question is the first of its cluster."""
    return own[int(row[1].split("-")[1])][0] == row[0]


def clusters(draw: Draw, split: str) -> list[list[str]]:
    """The questions of each answer that has several, of the pairs of a split."""
    examples = tasks.find(draw.source)().examples(draw.folder, split)
    pairs = [(example.text_a, str(example.text_b)) for example in examples]
    base = knowledge.of_pairs(pairs, [example.label == EQUAL for example in examples])
    found: dict[str, list[str]] = {name: [] for name in base.names}
    for question, name in zip(base.questions, base.answer_ids, strict=True):
        found[name].append(question)
    return [cluster for cluster in found.values() if len(cluster) > 1]


def write(task: Task, draw: Draw, folder: pathlib.Path) -> None:
    """Writes the tables, unless they are there."""
    if files.is_folder(str(folder)):
        return
    tables = task.tables(draw)
    with files.new_folder(str(folder), "--work_dir") as temporary:
        for name, rows in tables.items():
            lines = ["\t".join(cell.translate(TO_SPACES) for cell in row) for row in rows]
            files.write_text(f"{temporary}/{name}", "".join(f"{line}\n" for line in lines))


_INTENTS = ("macro_f1", "accuracy")
_FOUND = ("mrr_at_10", "hit_at_1")
TASKS = {
    task.name: task
    for task in (
        Task("afqmc", "Pairs, AFQMC", "afqmc", "afqmc_dir", "chinese", classes, ("f1", "accuracy"), 3),
        Task("mrpc", "Pairs, MRPC", "mrpc", "mrpc_dir", "english", classes, ("f1", "accuracy"), 3, max_seq_length=128),
        Task("banking77", "Intents, BANKING77", "banking77", "banking77_dir", "english", classes, _INTENTS, 10),
        Task("tnews", "Intents, TNEWS", "tnews", "tnews_dir", "chinese", classes, _INTENTS, 3),
        Task(
            *("banking77-thin", "Intents, BANKING77 thinned", "banking77", "banking77_dir", "english", thinned),
            *((*_INTENTS, *BANDS), 20),
        ),
        Task(
            *("banking77-thin-balanced", "The same with class weights", "banking77", "banking77_dir", "english"),
            *(thinned, (*_INTENTS, *BANDS), 20, {"class_weights": "balanced"}),
        ),
        Task(
            *(
                "banking77-answers",
                "Retrieval, BANKING77's intents as answers",
                "banking77",
                "banking77_dir",
                "english",
            ),
            *(intents_as_answers, _FOUND, 10),
            train_batch_size=64,
        ),
        Task(
            *("afqmc-answers", "Retrieval, AFQMC's clusters as answers", "afqmc", "afqmc_dir", "chinese"),
            *(clusters_as_answers, _FOUND, 5, {"single_questions": "leave_out"}),
            train_batch_size=64,
        ),
    )
}
