"""TF-IDF and a logistic regression (scikit-learn): what any other classifier has to be better than.

    python -m benchmarks.tfidf --task_name=table --data_dir=examples/faq/intents --output_dir=output/tfidf

It reads what run_classifier reads (one class a text, or a pair), and writes eval_results.txt, eval_report.json and
predictions.tsv, as far as there is a dev and a test set. Words are those of BM25: what stands between spaces and marks;
of Chinese, the characters and each two neighbours. A pair is |u - v| and u * v of its two texts, and their cosine.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from bert import cli, files, reporting
from bert.errors import InputError
from bert.options import option, required
from bert.options.classification import ClassificationOptions
from bert.retrieval.bm25 import words
from bert.tasks import InputExample, class_weights, label_kinds, predictions, reports

MOST_STEPS = 1000  # of the solver


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(ClassificationOptions):
    """The flags of this baseline."""

    output_dir: str = required("Folder for the results.")
    strength: float = option(10.0, "C of the regression: the larger, the less is it held back.")

    def check(self) -> None:
        if not self.strength > 0:
            raise InputError(f"--strength is {self.strength}, expected more than 0")


class Features:
    """Texts as sparse rows, from the words of the training texts."""

    def __init__(self, examples: Sequence[InputExample]):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.are_pairs = examples[0].text_b is not None
        self._words = TfidfVectorizer(analyzer=words, sublinear_tf=True)
        texts = [example.text_a for example in examples]
        self._words.fit(texts + [example.text_b for example in examples] if self.are_pairs else texts)

    def __call__(self, examples: Sequence[InputExample]) -> sparse.csr_matrix:
        first = self._words.transform([example.text_a for example in examples])  # rows of length 1
        if not self.are_pairs:
            return first
        second = self._words.transform([example.text_b or "" for example in examples])
        product = first.multiply(second)
        return sparse.hstack([abs(first - second), product, product.sum(axis=1)]).tocsr()


def main(settings: Settings) -> None:
    from sklearn.linear_model import LogisticRegression

    from bert.finetuning.classification import open_task

    task = open_task(settings)
    has = {split: files.exists(task.path(settings.data_dir, split)) for split in ("dev", "test")}
    splits = ["train", *(split for split in has if has[split])]
    files.check_folder(settings.output_dir, "output_dir")
    examples = {split: task.examples(settings.data_dir, split) for split in splits}
    kind, labels = task.label_kind, task.labels
    if kind is not label_kinds.CLASS:
        raise InputError(f"the labels of task {task.name} are of the kind {kind.name}, expected one class each")
    files.make_folder(settings.output_dir)
    features = Features(examples["train"])
    own = [example.label for example in examples["train"]]
    ids = kind.ids(own, labels)[:, 0]
    weights = class_weights.read(settings.class_weights, kind, labels, own)
    weights = {number: weights[number] for number in np.unique(ids)} if weights else None
    model = LogisticRegression(C=settings.strength, max_iter=MOST_STEPS, class_weight=weights)
    model.fit(features(examples["train"]), ids)
    print(f"Model: {model.coef_.size + model.intercept_.size:,} parameters.")
    for split in splits[1:]:
        probabilities = of_all_classes(model.predict_proba(features(examples[split])), model.classes_, len(labels))
        if split == "dev":
            right = kind.ids([example.label for example in examples[split]], labels)
            report = reports.banded(kind.report(right, probabilities, labels), kind.counts(own, labels))
            write_report(settings.output_dir, task.name, report)
        else:
            path = os.path.join(settings.output_dir, "predictions.tsv")
            answers = kind.answers(probabilities, labels)
            predictions.write_table(path, examples[split], probabilities, answers, labels, kind)
            print(f"Wrote {path}")


def of_all_classes(known: np.ndarray, ids: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities [N, C] of those of the classes `ids`; of two classes scikit-learn's columns are both."""
    found = np.zeros([len(known), classes], np.float32)
    found[:, ids] = known
    return found


def write_report(folder: str, name: str, report: reports.Report) -> None:
    results = {f"eval_{measure}": value for measure, value in report.measures.items()}
    reporting.write_results(os.path.join(folder, "eval_results.txt"), results)
    files.write_json(os.path.join(folder, "eval_report.json"), {"task": name, **report.values()})


if __name__ == "__main__":
    cli.run(Settings, main)
