"""What a retrieval of answers is about: the files, how the encoder learns, how is searched and judged."""

import dataclasses
from typing import Any

from bert.options import BEST, NOTHING, option
from bert.options.pooling import PoolingOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnowledgeOptions:
    """The files and their columns. A column is a name of the header, or a number counted from 1."""

    knowledge_file: str | None = option(
        None, "The knowledge base, TSV, CSV or JSON lines: a question, the id of its answer, and the answer's text."
    )
    task_name: str | None = option(
        None,
        "Instead of files, a task that run_classifier knows by its name: the classes of single texts are the answers, "
        "clusters of equal questions those of pairs.",
    )
    data_dir: str | None = option(None, "With `task_name`: folder with the task's files.")
    dev_file: str | None = option(
        None, "Questions and the ids of their answers, to evaluate with; no id: no answer.", decides=BEST
    )
    predict_file: str | None = option(None, "Questions to answer; ids of answers, if any, judge.", decides=NOTHING)
    header: bool = option(True, "The first line of a TSV or CSV file names the columns.")
    question_column: str = option("question", "Column of the questions of the knowledge base.")
    text_column: str | None = option(
        None, "Column of the questions of the other files; text where the header has it, else `question_column`."
    )
    answer_id_column: str = option("answer_id", "Column of the id of the answer.")
    answer_column: str | None = option(None, "Column of the answer's text; answer where the header has it.")
    equal_label: str | None = option(
        None,
        "The knowledge base is a file of pairs: those with this label are equal questions, and a cluster of equal "
        "questions is an answer. The pairs are in `question_column` and `question_b_column`. Of a task of "
        "graded pairs, those whose number is at least this.",
    )
    question_b_column: str = option("question_b", "With `equal_label`: column of the second question.")
    label_column: str = option("label", "With `equal_label`: column of the label.")
    dev_fraction: float = option(0.0, "Evaluate with this part of the knowledge base, which is not trained on.")
    dev_split: str = option(
        "answers",
        "What `dev_fraction` takes: answers with all their questions, to see what new answers will be like, or "
        "questions of every answer.",
        ("answers", "questions"),
    )
    dev_seed: int = option(0, "Fixes what `dev_fraction` takes.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoTowerOptions(PoolingOptions):
    """How the encoder learns."""

    temperature: float = option(0.05, "Cosines are divided by this before the softmax over the answers of a batch.")
    single_questions: str = option(
        "dropout",
        "A question that is the only one of its answer: dropout takes it for its own partner, under another dropout "
        "mask; leave_out does not train on it.",
        ("dropout", "leave_out"),
    )
    hard_negatives: int = option(
        0, "So many of the nearest questions of other answers go with each question as wrong ones."
    )
    hard_negatives_from: str = option(
        "bm25", "What finds `hard_negatives`: bm25, or a folder with a model whose vectors do."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RerankOptions:
    """A second model, which reads the question beside each of the nearest."""

    rerank_model: str = option(
        "", "Folder of a classifier or regressor of pairs, trained by run_classifier, which orders the nearest anew."
    )
    rerank_candidates: int = option(20, "So many of the nearest questions are ordered anew.")
    rerank_label: str = option("", "The class that means equal, where the classes are no numbers.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnsweringOptions(RerankOptions):
    """How a question is answered."""

    top_k: int = option(3, "Nearest answers that are told.")
    intent_model: str = option("", "Folder of a classifier of single texts, whose answer is told beside.")


def _to_change(name: str) -> Any:
    """A field that is None where it is not given."""
    field = AnsweringOptions.__dataclass_fields__[name]
    shown = f" (at first {field.default})" if field.default else ""
    return option(None, f"{field.metadata['help']} Not given: as the index says{shown}.", decides=NOTHING)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnsweringChanges:
    """What is to be another than in the index; it is stored there by whatever makes, changes or evaluates the index."""

    rerank_model: str | None = _to_change("rerank_model")
    rerank_candidates: int | None = _to_change("rerank_candidates")
    rerank_label: str | None = _to_change("rerank_label")
    top_k: int | None = _to_change("top_k")
    intent_model: str | None = _to_change("intent_model")

    @property
    def given(self) -> dict[str, Any]:
        """What was given of the options of `AnsweringOptions`."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(AnsweringOptions)}
        return {name: value for name, value in values.items() if value is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetrievalOptions(KnowledgeOptions, TwoTowerOptions, AnsweringChanges):
    """All of it."""

    do_index: bool = option(False, "Encode the knowledge base and write the index.", decides=NOTHING)
    index: str = option(
        "exact",
        "How the index is searched: exact, by all products, or faiss, by a graph, nearly exact.",
        ("exact", "faiss"),
        decides=NOTHING,
    )
    retriever: str = option(
        "model", "What searches: the model, or bm25, by words, as the baseline that needs none.", ("model", "bm25")
    )
    add_file: str | None = option(
        None,
        "Add the questions of this file to the index; its columns are those of `knowledge_file`.",
        decides=NOTHING,
    )
    remove_file: str | None = option(None, "Remove the questions of this file from the index.", decides=NOTHING)
    remove_ids: str | None = option(
        None,
        "Remove the answers with these ids, comma-separated, from the index; where an id has a comma, name its "
        "questions in `remove_file`.",
        decides=NOTHING,
    )
    min_precision: float = option(
        0.9,
        "Answer as many questions as can be with at least this share right; the others get: I don't know.",
        decides=NOTHING,
    )
    threshold_by: str = option(
        "auto",
        "How the threshold of I don't know is chosen: by min_precision, or by f1; auto, by f1 where questions without "
        "an answer are among those of the evaluation.",
        ("auto", "min_precision", "f1"),
        decides=NOTHING,
    )
