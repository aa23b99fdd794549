"""Fine-tunes BERT to answer questions about a text, as in SQuAD, evaluates it, and predicts.

    bert run_squad --train_file=$SQUAD_DIR/train-v1.1.json --predict_file=$SQUAD_DIR/dev-v1.1.json \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --output_dir=output/squad --do_train=true --do_predict=true \\
        --train_batch_size=12 --learning_rate=3e-5 --num_train_epochs=2.0 --max_seq_length=384 --doc_stride=128

SQuAD 2.0, with questions that have no answer: --version_2_with_negative=true. Checkpoints, predictions.json,
nbest_predictions.json and, where the file to predict holds the answers, eval_results.txt go to the output folder; the
same command started again goes on from the last checkpoint.
"""

import dataclasses
import functools

from bert.errors import InputError
from bert.flags import FineTuningFlags, check_positive
from bert.options import option
from bert.options.questions import QuestionOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(QuestionOptions, FineTuningFlags):
    """The flags of run_squad."""

    max_seq_length: int = option(384, "Most WordPieces of a row: question, part of the document, special tokens.")

    def check(self) -> None:
        files = {"do_train": "train_file", "do_eval": "dev_file", "do_predict": "predict_file"}
        for asked, name in files.items():
            if getattr(self, asked) and not getattr(self, name):
                raise InputError(f"--{asked} needs --{name}, the questions for it")
        super().check()
        check_positive(self, "doc_stride", "max_query_length", "n_best_size", "max_answer_length")
        if self.max_seq_length <= self.max_query_length + 3:
            raise InputError(
                f"--max_seq_length is {self.max_seq_length}, expected more than {self.max_query_length + 3}: the "
                f"question of --max_query_length={self.max_query_length} WordPieces and 3 special tokens"
            )


def main(settings: Settings) -> None:
    from bert.finetuning.fine_tune import fine_tune  # TensorFlow: --help does not wait for it
    from bert.finetuning.question_answering import QuestionAnswering

    fine_tune(settings, functools.partial(QuestionAnswering, settings))
