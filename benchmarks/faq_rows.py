"""The rows of the tables of benchmarks/faq.py, the commands that they run, and how these are judged."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.faq_data import Task
from bert import files
from bert.config import BertConfig
from bert.errors import InputError
from bert.formats import config_file, vocab_file
from bert.tasks import reports, table

WORDS = "words"


@dataclasses.dataclass(frozen=True)
class Row:
    """What is compared.

    Attributes:
      config: the config of an encoder; none: that of the language's BERT.
      rates: learning rates to try, the likeliest first; of a logistic regression, its strengths C.
      retrieval_rates: the same in another order, for retrieval.
      starts_trained: whether it starts from the weights of the language's BERT.
    """

    name: str
    title: str
    rates: Sequence[float]
    config: Mapping[str, object] | None = None
    starts_trained: bool = False
    retrieval_rates: Sequence[float] = ()

    def rates_in(self, task: Task) -> Sequence[float]:
        return (self.retrieval_rates or self.rates) if task.is_retrieval else self.rates

    def title_in(self, task: Task) -> str:
        return "BM25" if self.name == WORDS and task.is_retrieval else self.title


_LSTM = {"embedding_size": 300, "hidden_size": 512, "num_hidden_layers": 2, "directions": 2, "pooling": "max"}
_DSSM = {"num_hidden_layers": 3, "intermediate_size": 300, "hidden_size": 128}
ROWS = {
    row.name: row
    for row in (
        Row("words", "TF-IDF, logistic regression", (10.0, 100.0, 1.0)),
        Row("average", "average of word vectors", (1e-3, 3e-3, 3e-4), {"encoder": "average", "hidden_size": 300}),
        Row(
            *("dssm", "DSSM, three layers", (1e-3, 3e-4, 1e-4), {"encoder": "dssm", **_DSSM}),
            retrieval_rates=(1e-4, 3e-4, 1e-3),  # with 1e-3 its vectors collapse into one
        ),
        Row("lstm", "LSTM, two layers, both directions", (1e-3, 3e-4, 3e-3), {"encoder": "lstm", **_LSTM}),
        Row("bert-random", "BERT, random weights", (3e-4, 1e-4, 5e-5)),
        Row("bert", "BERT, pre-trained", (1e-4, 2e-4, 5e-5), starts_trained=True),
    )
}


@dataclasses.dataclass(frozen=True)
class Model:
    """The BERT of a language: a folder with config and vocabulary, and mostly with weights."""

    folder: str

    @property
    def weights(self) -> pathlib.Path | None:
        """The checkpoint, as --init_checkpoint takes it."""
        folder = pathlib.Path(self.folder)
        if (folder / "bert_model.ckpt.index").exists():
            return folder / "bert_model.ckpt"
        return folder if any(folder.glob("*.safetensors")) else None

    def check(self, flag: str) -> None:
        for path in (config_file(self.folder), vocab_file(self.folder)):
            files.check_readable(path, flag)

    def fingerprint(self, row: Row) -> str:
        """A hash of what a row takes of it."""
        paths = [pathlib.Path(config_file(self.folder)), pathlib.Path(vocab_file(self.folder))]
        if row.starts_trained and self.weights:
            is_google = self.weights.name == "bert_model.ckpt"
            found = (
                self.weights.parent.glob("bert_model.ckpt.data*") if is_google else self.weights.glob("*.safetensors")
            )
            paths += sorted(found)
        digest = hashlib.sha256()
        for path in paths:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def write_config(self, row: Row, path: pathlib.Path) -> None:
        """The config of a row: the language's, or a baseline's with the same vocabulary."""
        config = BertConfig.from_json_file(self.folder)
        if row.config:
            config = BertConfig.from_dict({"vocab_size": config.vocab_size, "type_vocab_size": 2, **row.config})
        files.write_text(str(path), config.to_json())


def command(
    task: Task, row: Row, model: Model, data: pathlib.Path, output: pathlib.Path, rate: float, epochs: float, seed: int
) -> list[str]:
    """What is run: the module and its flags, as a user types them."""
    asked: dict[str, object] = {"output_dir": output}
    if task.is_retrieval:
        asked |= {"knowledge_file": data / "questions.tsv", "dev_file": data / "dev.tsv"}
        asked |= {"predict_file": data / "test.tsv", "do_eval": True, "do_predict": True}
    else:
        asked |= {"task_name": "table", "data_dir": data}
    if row.name == WORDS:
        if task.is_retrieval:
            return _typed("bert", "run_retrieval", {**asked, "retriever": "bm25"})
        return _typed("benchmarks.tfidf", "", {**asked, **task.flags, "strength": rate})
    config = output.with_name(f"{output.name}.json")
    model.write_config(row, config)
    asked |= {
        **task.flags,
        "bert_config_file": config,
        "vocab_file": vocab_file(model.folder),
        **({"init_checkpoint": model.weights} if row.starts_trained else {}),
        "do_train": True,
        "do_eval": True,
        "do_predict": True,
        "max_seq_length": task.max_seq_length,
        "train_batch_size": task.train_batch_size,
        "eval_batch_size": 64,
        "predict_batch_size": 64,
        "learning_rate": rate,
        "num_train_epochs": epochs,
        "adam_bias_correction": True,
        "seed": seed,
    }
    if task.is_retrieval:
        return _typed("bert", "run_retrieval", {**asked, "do_index": True})
    return _typed("bert", "run_classifier", asked)


def _typed(module: str, name: str, flags: Mapping[str, object]) -> list[str]:
    return ["-m", module, *([name] if name else []), *(f"--{key}={value}" for key, value in flags.items())]


def measured(task: Task, data: pathlib.Path, output: pathlib.Path) -> dict[str, float]:
    """What a run reached: the task's measures, and under `tuning` the first of them on the tuning rows."""
    first = task.measures[0]
    tuning = float(files.read_json(str(output / "eval_report.json"))["measures"][first])
    if task.is_retrieval:
        values = files.read_json(str(output / "test_report.json"))["measures"]
    else:
        values = _judged(data, output)
    return {"tuning": tuning, **{name: float(values[name]) for name in task.measures if name in values}}


def _judged(data: pathlib.Path, output: pathlib.Path) -> dict[str, float]:
    """The measures of predictions.tsv, and macro F1 of frequent and rare classes (bert/tasks/reports.py)."""
    training, gold, said = (
        [str(row["label"]) for row in table.rows_of(str(path), has_header=True)]
        for path in (data / "train.tsv", data / "test.tsv", output / "predictions.tsv")
    )
    if len(gold) != len(said):
        raise InputError(f"{output}: {len(said)} predictions, expected {len(gold)}")
    names = sorted({*training, *gold})
    ids = {name: number for number, name in enumerate(names)}
    own = [np.array([ids[label] for label in labels]) for labels in (training, gold, said)]
    report = reports.banded(
        reports.single_label(own[1], own[2], names), np.bincount(own[0], minlength=len(names)).tolist()
    )
    return {**report.measures, **{band: values["macro_f1"] for band, values in report.bands.items()}}
