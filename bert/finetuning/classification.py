"""Fine-tuning on a label for a text or a pair of texts: a class, several classes at once, or a number."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import SupportsFloat

import numpy as np

from bert import heads, tasks
from bert.config import BertConfig
from bert.errors import InputError
from bert.finetuning.base import FineTuning
from bert.flags import FineTuningFlags
from bert.heads import HeadedModel
from bert.measures import Measure
from bert.options.classification import ClassificationOptions
from bert.tasks import (
    InputExample,
    Task,
    class_weights,
    encoding,
    labels_file,
    pairs,
    predictions,
    reports,
    submission,
    table,
    task_files,
)
from bert.tokenization import Tokenizer
from bert.training.outputs import Outputs


class Classification(FineTuning[reports.Report]):
    """A task of `bert.tasks`; what depends on the kind of its labels is the label kind's to say."""

    command = "run_classifier"

    def __init__(
        self, options: ClassificationOptions, settings: FineTuningFlags, config: BertConfig, tokenizer: Tokenizer
    ) -> None:
        super().__init__(settings, config, tokenizer)
        self.options = options
        self.task = open_task(options)
        self.name = self.task.name
        self._reading = {"truncation": options.truncation, "long_text": options.long_text}
        folder = self.model_folder()
        self.task.prepare(options.data_dir, folder, settings.splits)
        if folder != settings.output_dir:  # what changes in the output folder itself is told by its owner
            labels_file.warn_of_changes(folder, self._reading)
        if options.long_text == "windows":
            self.unit = "training windows"
        self._rows: dict[str, encoding.ClassificationRows] = {}
        self.examples = {split: self.task.examples(options.data_dir, split) for split in settings.splits}
        self.label_kind, self.labels_in_order = self.task.label_kind, self.task.labels
        self._headline = _headline(self.task)
        self._has_pairs = self._check_pairs()
        self._class_weights = class_weights.read(
            options.class_weights, self.label_kind, self.labels_in_order, self._labels_of("train")
        )

        self._training_counts = self._count_classes(folder)

    def texts(self) -> Iterator[str]:
        return (example.text_a for part in self.examples.values() for example in part)

    def identity(self) -> dict[str, object]:
        identity: dict[str, object] = {
            "task": self.task.name,
            "labels": list(self.labels_in_order),
            "label_kind": self.label_kind.name,
        }
        if self.settings.do_train or self.settings.do_eval:  # another split would evaluate on rows of the training
            identity |= {"dev_fraction": self.options.dev_fraction, "dev_seed": self.options.dev_seed}
        return identity

    def labels(self) -> dict[str, object]:
        counts = {"training_counts": list(self._training_counts)} if self._training_counts else {}
        return {**self.task.labels_content(), **self._reading, "pairs": self._has_pairs, **counts}

    def sizes(self) -> dict[str, int]:
        return {"C": len(self.labels_in_order)}

    def build_model(self) -> HeadedModel:
        arguments = self.label_kind.head_arguments(self.labels_in_order, self._labels_of("train"), self._class_weights)
        return getattr(heads, self.label_kind.head)(self.config, **arguments)

    def rows(self, split: str) -> encoding.ClassificationRows:
        if split not in self._rows:
            self._rows[split] = encoding.build(
                self.examples[split],
                self.labels_in_order,
                self.tokenizer,
                self.settings.max_seq_length,
                self.label_kind,
                **self._reading,
            )
        return self._rows[split]

    @property
    def measures(self) -> Sequence[Measure]:
        return self.label_kind.measures(self.labels_in_order)

    def judge(self, split: str, outputs: Outputs) -> reports.Report | None:
        if split == "test":  # a test set's labels are not read
            return None
        return self.report(split, self.probabilities(split, outputs))

    def report(self, split: str, probabilities: np.ndarray) -> reports.Report:
        """The same of the probabilities of every example, float32 [E, C]."""
        predictions.warn_of_one_answer(self.label_kind.answers(probabilities, self.labels_in_order))
        report = self.label_kind.report(self.label_ids(split), probabilities, self.labels_in_order)
        return reports.banded(report, self._training_counts)

    def results(
        self, name: str, report: reports.Report, means: Mapping[str, SupportsFloat], losses: Sequence[Measure]
    ) -> tuple[dict, dict]:
        """The original's four lines first (docs/parity.md 3), with the first measure in the place of its accuracy."""
        first, *others = report.measures
        originals = {
            f"{name}_{first}": np.float32(report.measures[first]),
            f"{name}_loss": means[losses[0].name],
            "global_step": means["global_step"],
            "loss": means["loss"],
        }
        return originals, {f"{name}_{other}": np.float32(report.measures[other]) for other in others}

    def headline(self, report: reports.Report) -> str:
        return ", ".join(f"{name} {report.measures[name]:.4f}" for name in self._headline)

    def write_predictions(self, folder: str, outputs: Outputs) -> list[str]:
        """Writes test_results.tsv, predictions.tsv and, for a benchmark, the file its server takes."""
        return self.write_probabilities(folder, self.probabilities("test", outputs))

    def write_probabilities(self, folder: str, probabilities: np.ndarray) -> list[str]:
        """The same of the probabilities of every example, float32 [E, C]."""
        answers = self.label_kind.answers(probabilities, self.labels_in_order, self.options.label_separator)
        predictions.warn_of_one_answer(answers)
        paths = [os.path.join(folder, name) for name in ("test_results.tsv", "predictions.tsv")]
        predictions.write_columns(paths[0], probabilities)
        predictions.write_table(
            paths[1], self.examples["test"], probabilities, answers, self.labels_in_order, self.label_kind
        )
        if self.task.submission:
            paths.append(os.path.join(folder, self.task.submission))
            submission.write(paths[2], self.task, answers)
        return paths

    def probabilities(self, split: str, outputs: Outputs) -> np.ndarray:
        """The probabilities of every example, float32 [E, C], from the logits of every row, [C] each."""
        return self.label_kind.probabilities(self.rows(split).of_examples(np.stack(outputs["logits"])))

    def label_ids(self, split: str) -> np.ndarray:
        """What is right for every example, [E, 1] or [E, C]."""
        return self.label_kind.ids(self._labels_of(split), self.labels_in_order)

    def _count_classes(self, folder: str) -> Sequence[int]:
        """The training rows of each class, of the training set or of what the model's labels.json says of it; none
        where nobody knows them."""
        if self.settings.do_train:
            return self.label_kind.counts(self._labels_of("train"), self.labels_in_order)
        return (labels_file.read(folder) or {}).get("training_counts", ())

    def _labels_of(self, split: str) -> list:
        return [example.label for example in self.examples.get(split, ())]

    def _check_pairs(self) -> bool:
        """Whether any example is a text pair. Raises InputError where the lengths or the model have no room for it."""
        examples: Iterator[InputExample] = (example for part in self.examples.values() for example in part)
        has_pair = any(example.text_b and example.text_b.strip() for example in examples)
        pairs.check_room(self.settings.max_seq_length, has_pair)
        if has_pair and self.config.type_vocab_size < 2:
            raise InputError(
                f"task {self.name} has text pairs, but type_vocab_size in `bert_config_file`="
                f"{self.settings.bert_config_file} is {self.config.type_vocab_size}, expected at least 2"
            )
        return has_pair


def open_task(options: ClassificationOptions) -> Task:
    """The task of `task_name`. Raises InputError for an unknown one, and for options that it does not have."""
    if options.task_file:
        tasks.load(options.task_file)
    found = tasks.find(options.task_name)
    if issubclass(found, table.Table):
        return found(options)
    table.check_unused(options, options.task_name)
    with task_files.calling(found):
        return found()


def _headline(task: Task) -> Sequence[str]:
    """The measures of the closing line. Raises InputError for a task that asks for one its reports do not have."""
    wanted = task.measures or task.label_kind.headline
    known = [measure.name for measure in task.label_kind.measures(task.labels)]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(f"task {task.name} is to be judged by '{unknown[0]}', expected some of {', '.join(known)}")
    return wanted
