"""Fine-tunes BERT to answer questions about a text (SQuAD 1.1 and 2.0), predicts, and evaluates the predictions.

    python run_squad.py --train_file=$SQUAD_DIR/train-v1.1.json --predict_file=$SQUAD_DIR/dev-v1.1.json \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --output_dir=output/squad --do_train=true --do_predict=true \\
        --train_batch_size=12 --learning_rate=3e-5 --num_train_epochs=2.0 --max_seq_length=384 --doc_stride=128

SQuAD 2.0, with questions that have no answer: --version_2_with_negative=true. Checkpoints, predictions.json,
nbest_predictions.json and, where the file to predict holds the answers, eval_results.txt go to the output folder; the
same command started again goes on from the last checkpoint.
"""

import dataclasses
import logging
import os

from bert import flags
from bert.errors import InputError
from bert.options import option

logger = logging.getLogger("bert.run_squad")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(flags.TrainingFlags, flags.TextFlags):
    train_file: str | None = option(None, "SQuAD file to train on, such as train-v1.1.json.")
    predict_file: str | None = option(None, "SQuAD file to predict, such as dev-v1.1.json; its answers, if any, judge.")
    max_seq_length: int = option(384, "Most WordPieces of a row: question, part of the document, special tokens.")
    doc_stride: int = option(128, "WordPieces from one window of a long document to the next.")
    max_query_length: int = option(64, "Most WordPieces of a question; the rest of a longer one is cut off.")
    do_predict: bool = option(False, "Predict, and evaluate where the file has answers.")
    predict_batch_size: int = option(8, "Windows in one prediction batch.")
    num_train_epochs: float = option(3.0, "How often training sees every question.")
    warmup_proportion: float = option(0.1, "Share of the training steps in which the learning rate rises from 0.")
    n_best_size: int = option(20, "Answers a question has at most in nbest_predictions.json.")
    max_answer_length: int = option(30, "Most WordPieces of an answer.")
    verbose_logging: bool = option(False, "Log every answer that cannot be traced to the document's characters.")
    version_2_with_negative: bool = option(False, "Some questions have no answer, as in SQuAD 2.0.")
    null_score_diff_threshold: float = option(0.0, 'Answer "" where that scores more than this above the best answer.')
    metric: str = option(
        "auto",
        "How answers are judged: squad, by words; cmrc, by Chinese characters; auto, cmrc for Chinese documents.",
        choices=("auto", "squad", "cmrc"),
    )

    def check(self) -> None:
        if not (self.do_train or self.do_predict):
            raise InputError("nothing to do: give --do_train=true or --do_predict=true or both")
        if self.do_train and not self.train_file:
            raise InputError("--do_train needs --train_file, the questions to train on")
        if self.do_predict and not self.predict_file:
            raise InputError("--do_predict needs --predict_file, the questions to answer")
        super().check()
        flags.check_positive(
            self, "predict_batch_size", "doc_stride", "max_query_length", "n_best_size", "max_answer_length"
        )
        flags.check_case_matches_checkpoint(self.do_lower_case, self.init_checkpoint)
        if not 0 < self.num_train_epochs < float("inf"):
            raise InputError(f"--num_train_epochs is {self.num_train_epochs}, expected a number above 0")
        if not 0 <= self.warmup_proportion <= 1:
            raise InputError(f"--warmup_proportion is {self.warmup_proportion}, expected 0 to 1")
        if self.max_seq_length <= self.max_query_length + 3:
            raise InputError(
                f"--max_seq_length is {self.max_seq_length}, expected more than {self.max_query_length + 3}: the "
                f"question of --max_query_length={self.max_query_length} WordPieces and 3 special tokens"
            )


def main(settings: Settings) -> None:
    from bert import runs
    from bert.heads import SpanModel
    from bert.tasks import advice
    from bert.tasks.squad import examples

    strategy = runs.open_devices(settings)
    config = runs.read_config(settings.bert_config_file, settings.max_seq_length)
    if config.type_vocab_size < 2:
        raise InputError(
            f"--bert_config_file={settings.bert_config_file}: type_vocab_size is {config.type_vocab_size}, expected at "
            "least 2: question and document are two segments"
        )
    tokenizer = runs.read_tokenizer(settings.vocab_file, settings.do_lower_case, config)
    to_train = to_predict = ()
    if settings.do_train:
        to_train = examples.read_training(settings.train_file, settings.version_2_with_negative)
    if settings.do_predict:
        to_predict = examples.read_prediction(settings.predict_file)
    questions = (example.question for part in (to_train, to_predict) for example in part)
    advice.warn_of_multilingual_vocabulary(tokenizer.vocabulary, questions)
    total_steps = runs.count_steps(settings, len(to_train), "training questions")
    identity = {
        "command": "run_squad",
        "config": config.to_dict(),
        "vocabulary": tokenizer.vocabulary.sha256,
        "do_lower_case": settings.do_lower_case,
    }
    trainer = runs.start(settings, strategy, lambda: SpanModel(config), identity)
    if settings.do_train:
        _, train_set = encode(settings, trainer.output_dir, to_train, tokenizer, "train")
        runs.train(trainer, settings, train_set, total_steps, int(total_steps * settings.warmup_proportion))
    if settings.do_predict:
        windows, predict_set = encode(settings, trainer.output_dir, to_predict, tokenizer, "eval")
        evaluate(trainer, settings, to_predict, predict(trainer, settings, windows, predict_set))


def encode(settings: Settings, output_dir: str, examples, tokenizer, name: str):
    """Lays the windows and writes them to train.tf_record or eval.tf_record; returns them and the RecordSet."""
    from bert.input_pipeline import RecordSet
    from bert.records import rows
    from bert.tasks.squad import windows

    path = os.path.join(output_dir, f"{name}.tf_record")
    lengths = settings.max_seq_length, settings.doc_stride, settings.max_query_length
    built = windows.build(examples, tokenizer, *lengths, with_answers=name == "train")
    rows.write(path, built)
    for line in built.describe(0):
        logger.info(line)
    return built, RecordSet(built.record_kind, (path,), {"S": settings.max_seq_length})


def predict(trainer, settings: Settings, windows, record_set) -> dict:
    """Answers by question id; writes predictions.json, nbest_predictions.json and, for 2.0, null_odds.json."""
    from bert import runs
    from bert.tasks.squad import answers
    from bert.tasks.squad.windows import FIRST_UNIQUE_ID

    # Windows of like length come together and go back to their places; what stands behind their last token is dropped.
    start_logits, end_logits = [None] * len(windows), [None] * len(windows)
    for outputs in runs.predict(trainer, record_set, settings.predict_batch_size, settings.length_grouping):
        for row, window in enumerate(outputs["unique_ids"] - FIRST_UNIQUE_ID):
            start_logits[window] = outputs["start_logits"][row, : windows.lengths[window]]
            end_logits[window] = outputs["end_logits"][row, : windows.lengths[window]]
    options = answers.Options(
        **{field.name: getattr(settings, field.name) for field in dataclasses.fields(answers.Options)}
    )
    found = {
        example.id: answers.answer(windows, index, start_logits, end_logits, options)
        for index, example in enumerate(windows.examples)
    }
    for path in answers.write(trainer.output_dir, found):
        logger.info("Wrote %s", path)
    return found


def evaluate(trainer, settings: Settings, examples, found: dict) -> None:
    """Writes eval_results.txt where the file to predict says what is right."""
    from bert import reporting
    from bert.tasks.squad import evaluation
    from bert.tasks.squad.examples import has_references

    if not has_references(examples):
        logger.info("%s has no answers: nothing to evaluate.", settings.predict_file)
        return
    predictions = {name: answers.text for name, answers in found.items()}
    null_odds = {name: answers.null_odds for name, answers in found.items() if answers.null_odds is not None}
    results = evaluation.evaluate(examples, predictions, null_odds, settings.metric)
    path = os.path.join(trainer.output_dir, "eval_results.txt")
    reporting.write_results(path, {**results, "global_step": trainer.step})
    if "best_f1" in results:
        best = evaluation.evaluate(examples, {n: a.best for n, a in found.items()}, null_odds, settings.metric)
        logger.info(
            "The best F1 over all thresholds is %.2f, with --null_score_diff_threshold=%s.",
            best["best_f1"],
            best["best_f1_thresh"],
        )
