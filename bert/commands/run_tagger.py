"""Fine-tunes BERT to tag every word of a sentence: its part of speech, or the name it is in.

    bert run_tagger --data_dir=$DATA_DIR --output_dir=output/names \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --do_lower_case=false --do_train=true --do_eval=true \\
        --do_predict=true --max_seq_length=128 --train_batch_size=32 --learning_rate=5e-5 --num_train_epochs=3.0

The folder holds train.txt, dev.txt and test.txt in CoNLL style: a word and its tag a line, a blank line after each
sentence; test.txt needs no tags. Checkpoints, eval_results.txt, eval_report.json and test_predictions.txt go to the
output folder; the same command started again goes on from the last checkpoint.
"""

import dataclasses
import functools

from bert.errors import InputError
from bert.flags import FineTuningFlags
from bert.options.tagging import TaggingOptions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(TaggingOptions, FineTuningFlags):
    """The flags of run_tagger."""

    def check(self) -> None:
        super().check()
        if self.max_seq_length < 3:
            raise InputError(f"--max_seq_length is {self.max_seq_length}, expected at least 3: [CLS], a word, [SEP]")
        if self.tag_column == 0 and (self.do_train or self.do_eval):
            raise InputError("--tag_column is 0, no tags, but --do_train and --do_eval need some")


def main(settings: Settings) -> None:
    from bert.finetuning.fine_tune import fine_tune  # TensorFlow: --help does not wait for it
    from bert.finetuning.tagging import Tagging

    fine_tune(settings, functools.partial(Tagging, settings))
