"""Groups of flags that several commands share: the original's, and our own beside them."""

import dataclasses
import math
import re
from typing import Any

from bert.errors import InputError
from bert.formats import tokenizers
from bert.options import BEST, NOTHING, option, required


@dataclasses.dataclass(frozen=True, kw_only=True)
class TPUFlags:
    """The original's flags for Cloud TPUs."""

    use_tpu: bool = option(False, "Train on a TPU through tf.distribute; it is an error if there is none.")
    tpu_name: str | None = option(None, "Name or grpc:// address of the Cloud TPU.", decides=NOTHING)
    tpu_zone: str | None = option(
        None, "Zone of the Cloud TPU; found from the machine's metadata if not given.", decides=NOTHING
    )
    gcp_project: str | None = option(
        None, "Project of the Cloud TPU; found from the machine's metadata if not given.", decides=NOTHING
    )
    master: str | None = option(None, "Address of the TPU's TensorFlow server, instead of --tpu_name.", decides=NOTHING)
    num_tpu_cores: int = option(
        8, "Number of TPU cores expected; another number found is an error. Only with --use_tpu."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingFlags(TPUFlags):
    """What every command that trains shares."""

    bert_config_file: str = required(
        "JSON file with the sizes of the model: Google's bert_config.json or Hugging Face's config.json."
    )
    output_dir: str = required(
        "Folder for checkpoints and results; the same command goes on from what it finds there.", decides=NOTHING
    )
    init_checkpoint: str | None = option(
        None, "Checkpoint to start from: a Google download or bert_model.ckpt in it, or a Hugging Face folder."
    )
    allow_partial_checkpoint: bool = option(
        False, "Start although --init_checkpoint lacks a part of the encoder, which then starts random."
    )
    max_seq_length: int = option(128, "Most WordPieces of an input, [CLS] and [SEP] included.")
    do_train: bool = option(False, "Train.", decides=NOTHING)
    train_batch_size: int = option(32, "Examples in one training step, over all devices.")
    learning_rate: float = option(5e-5, "Peak learning rate of the Adam optimizer, reached after warmup.")
    adam_bias_correction: bool = option(
        False, "Correct the bias of Adam's moments, as other AdamWs do and Google's does not."
    )
    save_checkpoints_steps: int = option(1000, "Steps from one checkpoint to the next.", decides=NOTHING)
    iterations_per_loop: int = option(
        1000, "At most this many steps run on the device before the program looks up.", decides=NOTHING
    )
    seed: int = option(12345, "Fixes initialisation, shuffling and dropout: same seed, same run.")
    length_grouping: bool = option(False, "Let rows of like length share a batch; padding costs little without, too.")
    gradient_accumulation_steps: int = option(1, "Micro-batches a batch is cut into, to need less memory.")
    mixed_precision: str = option(
        "none", "Compute in half precision; weights and optimizer stay float32.", ("none", "bfloat16", "float16")
    )
    recompute: bool = option(False, "Compute each layer again in the backward pass instead of keeping it in memory.")
    distribution: str = option(
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
class EvaluationFlags(TrainingFlags):
    """What every command shares that trains and evaluates on batches of examples."""

    do_eval: bool = option(False, "Evaluate, each example once.", decides=NOTHING)
    eval_batch_size: int = option(8, "Examples in one evaluation batch.", decides=BEST)  # the loss is a mean of batches
    eval_every_steps: int = option(0, "Evaluate after every so many training steps too; 0: only at the end.")
    best_metric: str = option(
        "loss", "What the best checkpoint is chosen by; it is kept in the folder best.", decides=BEST
    )
    early_stopping_patience: int = option(0, "Stop after so many evaluations without a better one; 0: never.")

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

    @property
    def rows_together(self) -> int:
        """How many rows go through the model together: of a training those of a micro-batch, else the fewest."""
        return self.train_batch_size // self.gradient_accumulation_steps if self.do_train else self.eval_batch_size


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextFlags:
    """How text becomes WordPieces."""

    vocab_file: str = required("The vocabulary, a WordPiece a line: vocab.txt of a Google download or of Hugging Face.")
    do_lower_case: bool = option(True, "Lower-case and strip accents; false for cased models.")


MOST_TRIALS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTuningFlags(EvaluationFlags, TextFlags):
    """What the commands share that learn from a training, a dev and a test set of texts."""

    word_vectors: str | None = option(
        None, "Text file of word2vec or GloVe from which the word embeddings of an lstm, gru or average start."
    )
    do_predict: bool = option(False, "Predict the test set.", decides=NOTHING)
    predict_batch_size: int = option(8, "Examples in one prediction batch.", decides=NOTHING)
    num_train_epochs: float = option(3.0, "How often training sees every example.")
    warmup_proportion: float = option(0.1, "Share of the training steps in which the learning rate rises from 0.")
    num_trials: int = option(
        1,
        "Train so often, with seeds 1, 2, ..., in the folders trial-1, trial-2, ..., and report mean and spread.",
        decides=NOTHING,
    )
    verbose_logging: bool = option(
        False, "Show the first five rows of each set as the model reads them, not one.", decides=NOTHING
    )

    def check(self) -> None:
        if self.asks_for_nothing:
            raise InputError("nothing to do: give --do_train=true, --do_eval=true or --do_predict=true, or several")
        super().check()
        check_positive(self, "predict_batch_size")
        if self.num_trials != 1:
            self._check_trials()
        if self.word_vectors and self.init_checkpoint:
            raise InputError(
                f"--word_vectors={self.word_vectors} and --init_checkpoint={self.init_checkpoint}: expected only one"
            )
        check_case_matches_checkpoint(self.do_lower_case, self.init_checkpoint)
        if self.reads_vocabulary:
            tokenizers.check_lower_case(self.do_lower_case, self.vocab_file)
        if not 0 < self.num_train_epochs < float("inf"):
            raise InputError(f"--num_train_epochs is {self.num_train_epochs}, expected a number above 0")
        if not 0 <= self.warmup_proportion <= 1:
            raise InputError(f"--warmup_proportion is {self.warmup_proportion}, expected 0 to 1")

    def _check_trials(self) -> None:
        if not 1 < self.num_trials <= MOST_TRIALS:
            raise InputError(f"--num_trials is {self.num_trials}, expected 1 to {MOST_TRIALS}")
        for name, purpose in (("do_train", "a trial is a training"), ("do_eval", "trials are compared by the dev set")):
            if not getattr(self, name):
                raise InputError(f"--num_trials={self.num_trials} needs --{name}=true: {purpose}")
        if self.seed != type(self).seed:  # the default
            raise InputError(
                f"--num_trials={self.num_trials} and --seed={self.seed}: expected only one, trials have the seeds 1 to "
                f"{self.num_trials}"
            )

    @property
    def rows_together(self) -> int:
        sizes = {"dev": self.eval_batch_size, "test": self.predict_batch_size}
        return super().rows_together if self.do_train else min(sizes[split] for split in self.splits)

    @property
    def reads_vocabulary(self) -> bool:
        """Whether texts are read with `vocab_file`."""
        return bool(self.vocab_file)

    @property
    def asks_for_nothing(self) -> bool:
        """Whether no work was named."""
        return not self.splits

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


def check_dev_fraction(settings: Any) -> None:
    """Raises InputError for a `dev_fraction` that is none, or stands beside a `dev_file`."""
    if not 0 <= settings.dev_fraction < 1:
        raise InputError(f"--dev_fraction is {settings.dev_fraction}, expected 0 or more and less than 1")
    if settings.dev_fraction and settings.dev_file:
        raise InputError(
            f"--dev_fraction={settings.dev_fraction} and --dev_file={settings.dev_file}: expected only one"
        )


def check_positive(options: object, *names: str) -> None:
    """Raises InputError for the first of the options that is not at least 1."""
    for name in names:
        if getattr(options, name) < 1:
            raise InputError(f"`{name}` is {getattr(options, name)}, expected at least 1")


def check_finite(field: dataclasses.Field, value: object) -> None:
    """Raises InputError for a number that is none, or endless where that means nothing."""
    if isinstance(value, float) and not math.isfinite(value) and value not in field.metadata["infinite"]:
        expected = " or ".join(map(str, ("a finite number", *field.metadata["infinite"])))
        raise InputError(f"`{field.name}` is {value}, expected {expected}")
