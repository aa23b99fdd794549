"""The tasks that the example's models are judged by, and how each is learned."""

import dataclasses
import pathlib
from collections.abc import Mapping

from benchmarks.drawing import drawn
from bert import files


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned: its command with flags, where its files lie, and what is told of it.

    Attributes:
      folder: where the files lie, empty where a flag says it.
      flag: that flag.
      measures: keys of the entry `part` of `report`, a file in the output folder.
      unit: what a row ends with in the training file.
      header: whether the training file begins with a line that is no row.
    """

    name: str
    title: str
    command: str
    flags: Mapping[str, object]
    measures: tuple[str, ...]
    folder: str = ""
    flag: str = ""
    report: str = "eval_report.json"
    part: str = "measures"
    unit: str = "\n"
    header: bool = False

    def measured(self, output_dir: pathlib.Path) -> dict[str, float]:
        """The measures of a run that has finished."""
        values = files.read_json(str(output_dir / self.report))[self.part]
        return {name: float(values[name]) for name in self.measures}

    def drawn(self, path: pathlib.Path, count: int) -> str:
        """So many rows of a training file, or all if it has fewer, drawn by chance, in the order of the file."""
        text = path.read_text(encoding="utf-8")
        first, rest = text.split("\n", 1) if self.header else ("", text)
        rows = [row for row in rest.split(self.unit) if row.strip()]
        kept = "".join(row.strip("\n") + self.unit for row in drawn(rows, count))
        return f"{first}\n{kept}" if self.header else kept


def _classifier(task_name: str, length: int, rate: float, epochs: int, **more: object) -> dict[str, object]:
    sizes = {"max_seq_length": length, "learning_rate": rate, "num_train_epochs": epochs}
    return {"task_name": task_name, **more, **sizes}


# All are judged after the last step: nothing is chosen by the set that it is judged on.
TASKS = {
    task.name: task
    for task in (
        Task(
            "intents",
            "FAQ intents, dev",
            "run_classifier",
            _classifier("table", 48, 1e-3, 30, class_weights="balanced"),
            ("accuracy", "macro_f1"),
            folder="examples/faq/intents",
            header=True,
        ),
        Task(
            "pairs",
            "FAQ pairs, dev",
            "run_classifier",
            _classifier("table", 64, 2e-4, 30),
            ("pearson", "spearman"),
            folder="examples/faq/pairs",
            header=True,
        ),
        Task(
            "names",
            "names in the People's Daily, test",
            "run_tagger",
            {
                "do_predict": True,
                "predict_batch_size": 64,
                "constrained_decoding": True,
                "max_seq_length": 128,
                "learning_rate": 3e-4,
                "num_train_epochs": 3,
            },
            ("precision", "recall", "f1"),
            flag="names_dir",
            report="test_report.json",
            part="micro",
            unit="\n\n",
        ),
        Task(
            "afqmc",
            "AFQMC, dev",
            "run_classifier",
            _classifier("afqmc", 64, 2e-4, 3),
            ("accuracy", "f1"),
            flag="afqmc_dir",
        ),
        Task(
            "tnews",
            "TNEWS, dev",
            "run_classifier",
            _classifier("tnews", 64, 2e-4, 3),
            ("accuracy", "macro_f1"),
            flag="tnews_dir",
        ),
    )
}
