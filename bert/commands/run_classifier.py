"""Fine-tunes BERT on sentences or pairs of sentences, evaluates it, and predicts.

    bert run_classifier --task_name=MRPC --data_dir=$GLUE_DIR/MRPC --output_dir=output/mrpc \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --do_train=true --do_eval=true \\
        --max_seq_length=128 --train_batch_size=32 --learning_rate=2e-5 --num_train_epochs=3.0

For data of your own: --task_name=table, and train.tsv, dev.tsv, test.tsv (or .csv, .jsonl) with a header line that
names the columns text, label and, for pairs, text_b. Labels may be classes, several classes (a|b), or numbers.

Checkpoints, eval_results.txt, eval_report.json, test_results.tsv and predictions.tsv go to the output folder; the same
command started again goes on from the last checkpoint.
"""

import dataclasses
import functools

from bert.errors import InputError
from bert.flags import FineTuningFlags, check_dev_fraction
from bert.options import option, required
from bert.options.classification import ClassificationOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(ClassificationOptions, FineTuningFlags):
    """The flags of run_classifier."""

    bert_config_file: str = required(
        "JSON file with the sizes of the model: Google's bert_config.json or Hugging Face's config.json. Not needed "
        "with --ensemble.",
        unless="ensemble",
    )
    vocab_file: str = required(
        "The vocabulary, a WordPiece a line: vocab.txt of a Google download or of Hugging Face. Not needed with "
        "--ensemble.",
        unless="ensemble",
    )
    ensemble: str | None = option(
        None,
        "Folders of trained models with commas between them, whose mean probabilities are evaluated and predicted; "
        "each reads texts with its own config, vocabulary, casing and length.",
    )

    @property
    def reads_vocabulary(self) -> bool:
        return super().reads_vocabulary and not self.ensemble

    @property
    def members(self) -> list[str]:
        """The folders of the ensemble."""
        return [name.strip() for name in (self.ensemble or "").split(",") if name.strip()]

    def check(self) -> None:
        super().check()
        if self.ensemble is not None:
            self._check_ensemble()
        check_dev_fraction(self)
        if not self.label_separator:
            raise InputError("--label_separator is empty, expected what stands between two labels")

    def _check_ensemble(self) -> None:
        if len(self.members) < 2:
            raise InputError(
                f"--ensemble is '{self.ensemble}', expected at least two folders with a comma between them"
            )
        for name in ("do_train", "init_checkpoint", "word_vectors"):
            if getattr(self, name):
                raise InputError(f"--ensemble and --{name}={getattr(self, name)}: its models are trained already")


def main(settings: Settings) -> None:
    if settings.ensemble:
        from bert.prediction import ensemble

        ensemble.run(settings, settings, settings.members)
        return
    from bert.finetuning.classification import Classification  # TensorFlow: --help does not wait for it
    from bert.finetuning.fine_tune import fine_tune

    fine_tune(settings, functools.partial(Classification, settings))
