"""Pre-trains the same model in several ways, as long each, and draws what the held-out text says against tokens seen.

    python -m examples.chinese.ablations --output_dir=ablations --records_dir=chinese_output/records \\
        --text_dir=chinese_output/text --vocab_file=chinese_output/vocab.txt \\
        --init_checkpoint=chinese_output/start/bert_model.ckpt --minutes=10

Every way is judged by the same records, of which 15% is hidden. A way that is finished is not trained again. The
numbers go to ablations.json, the picture to ablations.png (needs matplotlib).
"""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping

from benchmarks import processes
from bert import cli, files
from bert.config import BertConfig
from bert.errors import InputError
from bert.flags import check_positive
from bert.options import option, required
from examples import pictures

MEASURES = ("masked_lm_loss", "masked_lm_accuracy")
COMMON = {
    "do_train": True,
    "do_eval": True,
    "dynamic_masking": True,
    "adam_bias_correction": True,
    "eval_batch_size": 32,
    "best_metric": "masked_lm_loss",
}


@dataclasses.dataclass(frozen=True)
class Way:
    """How it differs from the usual: rates of the config, share of hidden pieces, where it starts, flags of
    run_pretraining."""

    title: str
    dropout: float = 0.0
    masked_lm_prob: float = 0.25
    counted: bool = True  # whether it starts from the weights that examples.chinese.start wrote
    flags: Mapping[str, object] = dataclasses.field(default_factory=dict)


WAYS = {
    "usual": Way("no dropout, 25% hidden, next sentence"),
    "dropout": Way("dropout 0.1", dropout=0.1),
    "masking-15": Way("15% hidden", masked_lm_prob=0.15),
    "masked-lm-alone": Way("without next sentence", flags={"next_sentence": False}),
    "random-start": Way("from random weights", counted=False),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    output_dir: str = required("Folder for the runs, ablations.json and ablations.png.")
    records_dir: str = required("Folder of run.sh with train-64.tfrecord and held_out-64.tfrecord.")
    text_dir: str = required("Folder of run.sh with train.txt, for records that hide another share.")
    vocab_file: str = required("The vocabulary of the records.")
    bert_config_file: str = option("examples/chinese/bert_config.json", "Sizes of the model.")
    init_checkpoint: str = required("What examples.chinese.start wrote, for all ways but the one without it.")
    mixed_precision: str = option("none", "As run_pretraining takes it.")
    ways: str = option(",".join(WAYS), "Which ways to train: all or some of these.")
    minutes: float = option(10.0, "Minutes of each way; 0: num_train_steps instead, which spares ways a busy machine.")
    num_train_steps: int = option(100000, "Most steps of each way.")
    eval_every_steps: int = option(500, "Steps from one evaluation to the next.")
    learning_rate: float = option(1e-3, "Peak learning rate.")
    train_batch_size: int = option(32, "Rows of a step.")
    max_seq_length: int = option(64, "Length of the rows, as in the names of the records.")

    def check(self) -> None:
        check_positive(self, "num_train_steps", "eval_every_steps", "train_batch_size", "max_seq_length")
        for name in self.ways.split(","):
            if name not in WAYS:
                raise InputError(f"--ways has '{name}', expected some of {','.join(WAYS)}")
        if self.minutes < 0:
            raise InputError(f"--minutes is {self.minutes}, expected 0 or more")


def most_hidden(length: int, share: float) -> int:
    """Room for hidden pieces in a row, as run.sh has it."""
    return int(length * share) + 1


def records(settings: Settings, way: Way) -> str:
    """Training records of the way's share of hidden pieces, made if they are not there. The text and its order are
    the same; only the masks, which training draws anew, follow another rule."""
    length, share = settings.max_seq_length, way.masked_lm_prob
    if share == WAYS["usual"].masked_lm_prob:
        return f"{settings.records_dir}/train-{length}.tfrecord"
    path = pathlib.Path(settings.output_dir, f"train-{length}-{share:.0%}.tfrecord".replace("%", ""))
    if not path.exists():
        flags = {
            "input_file": f"{settings.text_dir}/train.txt",
            "output_file": path,
            "vocab_file": settings.vocab_file,
            "do_whole_word_mask": True,
            "segmenter": "jieba",
            "write_word_starts": True,
            "max_seq_length": length,
            "max_predictions_per_seq": most_hidden(length, share),
            "masked_lm_prob": share,
            "dupe_factor": 1,
        }
        run_command("create_pretraining_data", flags, pathlib.Path(f"{path}.log"))
    return str(path)


def train(settings: Settings, name: str) -> None:
    """Trains a way, or goes on where it was stopped. Raises InputError with the last line of the log if it fails."""
    way, folder, length = WAYS[name], pathlib.Path(settings.output_dir, name), settings.max_seq_length
    rates = {"hidden_dropout_prob": way.dropout, "attention_probs_dropout_prob": way.dropout}
    config = dataclasses.replace(BertConfig.from_json_file(settings.bert_config_file), **rates)
    files.write_text(f"{folder}.json", config.to_json())
    flags = {
        **COMMON,
        "input_file": records(settings, way),
        "eval_file": f"{settings.records_dir}/held_out-{length}.tfrecord",
        "output_dir": folder,
        "bert_config_file": f"{folder}.json",
        "max_seq_length": length,
        "max_predictions_per_seq": most_hidden(length, way.masked_lm_prob),
        "eval_every_steps": settings.eval_every_steps,
        "train_batch_size": settings.train_batch_size,
        "learning_rate": settings.learning_rate,
        "mixed_precision": settings.mixed_precision,
        **({"init_checkpoint": settings.init_checkpoint} if way.counted else {}),
        "num_train_steps": settings.num_train_steps,
        "num_warmup_steps": settings.num_train_steps // 10,
        **({"train_minutes": settings.minutes} if settings.minutes else {}),
        **way.flags,
    }
    run_command("run_pretraining", flags, pathlib.Path(f"{folder}.log"))


def run_command(command: str, flags: Mapping[str, object], log: pathlib.Path) -> None:
    """Shows a command as a user would type it and runs it; what it says goes to the log."""
    argv = ["python", "-m", "bert", command, *(f"--{name}={value}" for name, value in flags.items())]
    print(f"\n{processes.typed(argv)}", flush=True)
    processes.logged([sys.executable, *argv[1:]], str(log), "a")  # behind what a stopped run said


def curve(folder: pathlib.Path) -> Iterator[dict[str, float]]:
    """The evaluations of a run, each with the real tokens that training had seen."""
    tokens, seen = [0.0], 0.0
    for line in files.read_lines(str(folder / "metrics.jsonl")):
        seen += json.loads(line)["tokens"]
        tokens.append(seen)
    for line in files.read_lines(str(folder / "evaluations.jsonl")):
        values = json.loads(line)
        yield {"step": values["step"], "tokens": tokens[values["step"]], **{name: values[name] for name in MEASURES}}


def draw(curves: Mapping[str, list[dict[str, float]]], path: str) -> None:
    """A panel for each measure, a line for each way."""
    titles = [f"held-out {measure.replace('_', ' ').replace('lm', 'LM')}" for measure in MEASURES]
    with pictures.panels(path, titles, "million tokens seen") as panels:
        for name, points in curves.items():
            tokens = [point["tokens"] / 1e6 for point in points]
            for panel, measure in zip(panels, MEASURES, strict=True):
                panel.plot(tokens, [point[measure] for point in points], label=name)


def main(settings: Settings) -> None:
    output = pathlib.Path(settings.output_dir)
    files.make_folder(str(output))
    names = settings.ways.split(",")
    for name in names:
        if not (output / name / "eval_results.txt").exists():
            train(settings, name)
    curves = {name: list(curve(output / name)) for name in WAYS if (output / name / "eval_results.txt").exists()}
    content = {name: {"title": WAYS[name].title, "curve": points} for name, points in curves.items()}
    files.write_json(str(output / "ablations.json"), content)
    print("\n| way | evaluated at step | million tokens | held-out masked LM loss | accuracy |")
    print("|---|---:|---:|---:|---:|")
    for name, points in curves.items():
        last = points[-1]
        numbers = f"{last['step']} | {last['tokens'] / 1e6:.2f} | {last[MEASURES[0]]:.3f} | {last[MEASURES[1]]:.3f}"
        print(f"| {WAYS[name].title} | {numbers} |")
    try:
        draw(curves, str(output / "ablations.png"))
    except InputError as error:  # the numbers are there
        print(f"No picture: {error}")


if __name__ == "__main__":
    cli.run(Settings, main)
