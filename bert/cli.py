"""From the command line to one frozen settings object.

A command declares its flags as the fields of a frozen dataclass, made of the groups below and its own:

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Settings(cli.SequenceFlags, cli.TPUFlags):
        data_dir: str = cli.required("Folder with the task's files.")

        def check(self): ...          # raise InputError naming the flag and both values

    if __name__ == "__main__":
        cli.run(Settings, main)       # main(settings)

Parsing is absl's (`--x`, `--nox`, `--x=true`, `--flagfile`); an unknown flag or a stray argument is an error here.
Nothing in this module imports TensorFlow, so `--help` and a mistyped flag answer at once.
"""

import dataclasses
import difflib
import logging
import os
import re
import sys
import tempfile
import textwrap
import types
import typing
from collections.abc import Callable, Sequence

from absl import flags as absl_flags

from bert.errors import InputError, Stopped

_DEFINE = {
    str: absl_flags.DEFINE_string,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    bool: absl_flags.DEFINE_bool,
}


def flag(default, help: str, choices: Sequence[str] = ()):
    """A field of a settings class that is a flag with a default (None: not given)."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": tuple(choices)})


def required(help: str):
    """A field of a settings class that is a flag the user must give."""
    return dataclasses.field(metadata={"help": help, "choices": ()})


def is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING


def flag_type(settings_class: type, field: dataclasses.Field) -> type:
    """The flag's value type: str, int, float or bool (`str | None` counts as str)."""
    hint = typing.get_type_hints(settings_class)[field.name]
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


@dataclasses.dataclass(frozen=True, kw_only=True)
class TPUFlags:
    """The original's flags for Cloud TPUs."""

    use_tpu: bool = flag(False, "Train on a TPU through tf.distribute; it is an error if there is none.")
    tpu_name: str | None = flag(None, "Name or grpc:// address of the Cloud TPU.")
    tpu_zone: str | None = flag(None, "Zone of the Cloud TPU; found from the machine's metadata if not given.")
    gcp_project: str | None = flag(None, "Project of the Cloud TPU; found from the machine's metadata if not given.")
    master: str | None = flag(None, "Address of the TPU's TensorFlow server, instead of --tpu_name.")
    num_tpu_cores: int = flag(8, "Number of TPU cores expected; another number found is an error. Only with --use_tpu.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingFlags(TPUFlags):
    """What every command that trains shares."""

    bert_config_file: str = required("JSON file with the sizes of the model, as beside a Google checkpoint.")
    output_dir: str = required("Folder for checkpoints and results; the same command goes on from what it finds there.")
    init_checkpoint: str | None = flag(None, "Checkpoint to start from, such as bert_model.ckpt of a Google download.")
    max_seq_length: int = flag(128, "Most WordPieces of an input, [CLS] and [SEP] included.")
    do_train: bool = flag(False, "Train.")
    train_batch_size: int = flag(32, "Examples in one training step, over all devices.")
    learning_rate: float = flag(5e-5, "Peak learning rate of the Adam optimizer, reached after warmup.")
    adam_bias_correction: bool = flag(False, "Correct the bias of Adam's moments, as other AdamWs do and Google's not.")
    save_checkpoints_steps: int = flag(1000, "Steps from one checkpoint to the next.")
    iterations_per_loop: int = flag(1000, "At most this many steps run on the device before the program looks up.")
    seed: int = flag(12345, "Fixes initialisation, shuffling and dropout: same seed, same run.")
    length_grouping: bool = flag(True, "Let rows of like length share a batch, so that little padding is computed.")
    gradient_accumulation_steps: int = flag(1, "Pieces a batch is cut into, to need less memory.")
    mixed_precision: str = flag(
        "none", "Compute in half precision; weights and optimizer stay float32.", ("none", "bfloat16", "float16")
    )
    recompute: bool = flag(False, "Compute each layer again in the backward pass instead of keeping it in memory.")
    distribution: str = flag(
        "auto",
        "Where to train: auto takes a TPU with --use_tpu, the workers of TF_CONFIG, several GPUs, or one device.",
        ("auto", "one_device", "mirrored", "multi_worker", "tpu"),
    )

    def check(self) -> None:
        check_positive(
            self,
            "max_seq_length",
            "train_batch_size",
            "save_checkpoints_steps",
            "iterations_per_loop",
            "num_tpu_cores",
            "gradient_accumulation_steps",
        )
        if not 0 <= self.learning_rate < float("inf"):
            raise InputError(f"--learning_rate is {self.learning_rate}, expected 0 or more")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"--seed is {self.seed}, expected 0 to {2**31 - 1}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunFlags(TrainingFlags):
    """What every command shares that trains and evaluates on batches of examples."""

    do_eval: bool = flag(False, "Evaluate, each example once.")
    eval_batch_size: int = flag(8, "Examples in one evaluation batch.")
    eval_every_steps: int = flag(0, "Evaluate after every so many training steps too; 0: only at the end.")
    best_metric: str = flag("loss", "What the best checkpoint is chosen by; kept in the folder best, used at the end.")
    early_stopping_patience: int = flag(0, "Stop after so many evaluations without a better one; 0: never.")

    def check(self) -> None:
        super().check()
        check_positive(self, "eval_batch_size")
        for name in ("eval_every_steps", "early_stopping_patience"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name} is {getattr(self, name)}, expected 0 or more")
        if self.eval_every_steps and not self.do_eval:
            raise InputError(f"--eval_every_steps={self.eval_every_steps} needs --do_eval=true")
        if self.early_stopping_patience and not self.eval_every_steps:
            raise InputError(f"--early_stopping_patience={self.early_stopping_patience} needs --eval_every_steps")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextFlags:
    """How text becomes WordPieces."""

    vocab_file: str = required("The vocabulary, a WordPiece a line: vocab.txt of a Google download.")
    do_lower_case: bool = flag(True, "Lower-case and strip accents; false for cased models.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTuningFlags(RunFlags, TextFlags):
    """What the commands share that learn from a training, a dev and a test set of texts."""

    do_predict: bool = flag(False, "Predict the test set.")
    predict_batch_size: int = flag(8, "Examples in one prediction batch.")
    num_train_epochs: float = flag(3.0, "How often training sees every example.")
    warmup_proportion: float = flag(0.1, "Share of the training steps in which the learning rate rises from 0.")

    def check(self) -> None:
        if not self.splits:
            raise InputError("nothing to do: give --do_train=true, --do_eval=true or --do_predict=true, or several")
        super().check()
        check_positive(self, "predict_batch_size")
        check_case_matches_checkpoint(self.do_lower_case, self.init_checkpoint)
        if not 0 < self.num_train_epochs < float("inf"):
            raise InputError(f"--num_train_epochs is {self.num_train_epochs}, expected a number above 0")
        if not 0 <= self.warmup_proportion <= 1:
            raise InputError(f"--warmup_proportion is {self.warmup_proportion}, expected 0 to 1")

    @property
    def splits(self) -> list[str]:
        """The sets asked for."""
        asked = {"train": self.do_train, "dev": self.do_eval, "test": self.do_predict}
        return [split for split, wanted in asked.items() if wanted]


LOWER_CASED_MODELS = frozenset(
    ("uncased_L-24_H-1024_A-16", "uncased_L-12_H-768_A-12", "multilingual_L-12_H-768_A-12", "chinese_L-12_H-768_A-12")
)
CASED_MODELS = frozenset(("cased_L-12_H-768_A-12", "cased_L-24_H-1024_A-16", "multi_cased_L-12_H-768_A-12"))


def check_case_matches_checkpoint(do_lower_case: bool, init_checkpoint: str | None) -> None:
    """Raises InputError where the folder of a known Google download contradicts --do_lower_case (docs/parity.md 2)."""
    found = re.match(r"^.*?([A-Za-z0-9_-]+)/bert_model\.ckpt", init_checkpoint or "")
    model = found.group(1) if found else None
    if model in (CASED_MODELS if do_lower_case else LOWER_CASED_MODELS):
        kind = "cased" if do_lower_case else "lower-cased"
        raise InputError(
            f"--do_lower_case is {do_lower_case}, but --init_checkpoint={init_checkpoint} is of {model}, a {kind} "
            f"model; give --do_lower_case={not do_lower_case}, or rename the folder if its model is another"
        )


def check_positive(settings, *names: str) -> None:
    """Raises InputError for the first of the flags that is not at least 1."""
    for name in names:
        if getattr(settings, name) < 1:
            raise InputError(f"--{name} is {getattr(settings, name)}, expected at least 1")


def parse(settings_class: type, argv: Sequence[str]):
    """Turns a command line (program name first) into a settings object and checks it.

    Raises InputError for an unknown flag, a stray argument, a value of the wrong type, a missing
    required flag, and for whatever `settings_class.check` refuses.
    """
    values = absl_flags.FlagValues()
    fields = dataclasses.fields(settings_class)
    for field in fields:
        default = None if is_required(field) else field.default
        kind = flag_type(settings_class, field)
        if field.metadata["choices"]:
            absl_flags.DEFINE_enum(
                field.name, default, field.metadata["choices"], field.metadata["help"], flag_values=values
            )
        else:
            _DEFINE[kind](field.name, default, field.metadata["help"], flag_values=values)
    try:
        stray = values(list(argv))[1:]
    except absl_flags.UnrecognizedFlagError as error:
        raise InputError(_unknown_flag(error.flagname, [field.name for field in fields])) from None
    except absl_flags.Error as error:
        raise InputError(str(error)) from None
    if stray:
        raise InputError(f"stray argument '{stray[0]}', expected only --flag=value")
    missing = [f"--{field.name}" for field in fields if is_required(field) and values[field.name].value in (None, "")]
    if missing:
        raise InputError(f"{', '.join(missing)} must be given (--help lists all flags)")
    settings = settings_class(**{field.name: values[field.name].value for field in fields})
    if hasattr(settings, "check"):
        settings.check()
    return settings


def _unknown_flag(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"unknown flag --{name}" + (f", did you mean --{close[0]}?" if close else " (--help lists all flags)")


def help_text(settings_class: type, description: str) -> str:
    """The text of --help: what the command does, then every flag with type and default."""
    lines = [description.strip(), "", "Flags:"]
    for field in dataclasses.fields(settings_class):
        kind = "|".join(field.metadata["choices"]) or flag_type(settings_class, field).__name__
        state = "required" if is_required(field) else f"default {field.default}"
        lines.append(f"  --{field.name} ({kind}, {state})")
        lines.extend(textwrap.wrap(field.metadata["help"], 100, initial_indent="      ", subsequent_indent="      "))
    return "\n".join(lines)


def run(settings_class: type, main: Callable, argv: Sequence[str] | None = None) -> typing.NoReturn:
    """Runs a command: parses the flags, calls `main(settings)`, turns bad input into one line and status 1."""
    argv = sys.argv if argv is None else argv
    if any(argument in ("--help", "-h", "-help", "--helpfull") for argument in argv[1:]):
        print(help_text(settings_class, sys.modules[settings_class.__module__].__doc__ or ""))
        sys.exit(0)
    show_log()
    try:
        settings = parse(settings_class, argv)
        import_tensorflow()
        main(settings)
    except Stopped as stopped:
        print(f"stopped: {stopped}; the same command goes on from there", file=sys.stderr)
        sys.exit(128 + stopped.signal_number)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = _one_line(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def import_tensorflow() -> None:
    """Imports TensorFlow without the lines it writes to stderr at the start; they are shown if it fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # not the logical ones: they would settle the distribution
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def show_log() -> None:
    """Sends the package's log lines to stderr, as they are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("bert")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _one_line(error: Exception) -> str | None:
    """The line to print for an error the user can mend, None for one that is ours."""
    if isinstance(error, InputError):
        return " ".join(str(error).split("\n"))
    tf_errors = sys.modules["tensorflow"].errors if "tensorflow" in sys.modules else None
    if tf_errors and isinstance(error, tf_errors.ResourceExhaustedError):
        return (
            "out of memory: lower --train_batch_size or --max_seq_length, or give --gradient_accumulation_steps, "
            "--recompute or --mixed_precision=bfloat16"
        )
    if tf_errors and isinstance(error, tf_errors.UnavailableError):
        return (
            "another worker is gone; start the same command on every worker again, it goes on from the last checkpoint"
        )
    if isinstance(error, OSError):  # a full disk, a read-only folder, a file that is no longer there
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return None
