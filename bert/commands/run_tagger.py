"""Fine-tunes BERT to give every word of a sentence a tag, such as its part of speech or the name it is part of.

    python run_tagger.py --data_dir=$DATA_DIR --output_dir=output/names \\
        --vocab_file=$BERT_BASE_DIR/vocab.txt --bert_config_file=$BERT_BASE_DIR/bert_config.json \\
        --init_checkpoint=$BERT_BASE_DIR/bert_model.ckpt --do_lower_case=false --do_train=true --do_eval=true \\
        --do_predict=true --max_seq_length=128 --train_batch_size=32 --learning_rate=5e-5 --num_train_epochs=3.0

The folder holds train.txt, dev.txt and test.txt in CoNLL style: a word and its tag a line, a blank line after each
sentence; test.txt needs no tags. Checkpoints, eval_results.txt, eval_report.json and test_predictions.txt go to the
output folder; the same command started again goes on from the last checkpoint.
"""

import dataclasses
import functools
import logging
import os

from bert import flags
from bert.errors import InputError
from bert.options import option, required

logger = logging.getLogger("bert.run_tagger")

SPAN_MEASURES = ("precision", "recall", "f1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(flags.FineTuningFlags):
    data_dir: str = required("Folder with train.txt, dev.txt and test.txt, or those of them that are asked for.")
    token_column: int = option(1, "Column of the words, counted from 1; -1 is the last.")
    tag_column: int = option(-1, "Column of the tags, counted from 1; -1 is the last; 0: test.txt has none.")
    scheme: str = option(
        "auto",
        "What the tags mean: bio, bioes (spans), plain (each word for itself); auto, the first that all tags fit.",
        ("auto", "bio", "bioes", "plain"),
    )
    constrained_decoding: bool = option(False, "Predict only sequences of tags that the scheme allows.")

    def check(self) -> None:
        super().check()
        if self.max_seq_length < 3:
            raise InputError(f"--max_seq_length is {self.max_seq_length}, expected at least 3: [CLS], a word, [SEP]")
        if self.tag_column == 0 and (self.do_train or self.do_eval):
            raise InputError("--tag_column is 0, no tags, but --do_train and --do_eval need some")


def main(settings: Settings) -> None:
    from bert import runs
    from bert.heads import TokenClassifier
    from bert.tasks import advice
    from bert.tasks.tagging import decoding, windows
    from bert.tasks.tagging.conll import Tagging

    strategy = runs.open_devices(settings)
    config = runs.read_config(settings.bert_config_file, settings.max_seq_length)
    task = Tagging(settings.token_column, settings.tag_column, settings.scheme)
    task.prepare(settings.data_dir, settings.output_dir, settings.splits)
    tokenizer = runs.read_tokenizer(settings.vocab_file, settings.do_lower_case, config)
    texts = {split: task.sentences(settings.data_dir, split) for split in settings.splits}
    every_word = (word for text in texts.values() for word in text.words)
    advice.warn_of_multilingual_vocabulary(tokenizer.vocabulary, every_word)
    order = find_order(settings, task)
    built = {
        split: windows.build(text, task.labels, tokenizer, settings.max_seq_length) for split, text in texts.items()
    }
    tell_scheme(task, built.get("train"))
    total_steps = runs.count_steps(settings, len(built.get("train", ())), "training rows")
    identity = {
        "command": "run_tagger",
        "labels": list(task.labels),
        "scheme": task.scheme,
        "config": config.to_dict(),
        "vocabulary": tokenizer.vocabulary.sha256,
        "do_lower_case": settings.do_lower_case,
    }
    trainer = runs.start(settings, strategy, lambda: TokenClassifier(config, len(task.labels)), identity)
    task.save_labels(trainer.output_dir)
    record_sets = {split: encode_split(settings, trainer.output_dir, built[split], split) for split in settings.splits}
    if settings.do_train:
        evaluation = None
        if settings.do_eval:
            evaluation = runs.Evaluation(record_sets["dev"], settings.eval_batch_size)
            if task.scheme != "plain":
                score = functools.partial(judge_batches, task, built["dev"], order)
                evaluation = dataclasses.replace(evaluation, score=score, score_names=SPAN_MEASURES)
        warmup_steps = int(total_steps * settings.warmup_proportion)
        runs.train(trainer, settings, record_sets["train"], total_steps, warmup_steps, evaluation)
    judged = {"dev": ("eval", settings.eval_batch_size), "test": ("test", settings.predict_batch_size)}
    for split, (name, batch_size) in judged.items():
        if split in built:
            batches = runs.predict(trainer, record_sets[split], batch_size, settings.length_grouping)
            scores = scores_of(batches, built[split])
            tags = [task.labels[label] for label in decoding.decode(scores, texts[split].splits, order)]
            if split == "test":
                write_predictions(trainer, texts[split], tags)
            evaluate(trainer, task, built[split], scores, tags, name)


def tell_scheme(task, train) -> None:
    """Logs the scheme, and what in the training file, if there is one, is against it."""
    import numpy as np

    from bert.tasks.tagging import schemes

    logger.info("%d labels, scheme %s.", len(task.labels), task.scheme)
    odd = [label for label in task.labels if not schemes.fits(label, "bioes")]
    if task.scheme == "plain" and 0 < len(odd) <= len(task.labels) / 2:
        logger.warning("The tags are taken as plain, each for itself: %s is none of BIO or BIOES.", odd[0])
    if train is None:
        return
    splits, order = train.text.splits, schemes.Order.of(task.labels, task.scheme)
    wrong = np.flatnonzero(~order.is_well_formed(train.label_ids, splits))
    if len(wrong):
        logger.warning(
            "The tags of %d of %d sentences are not well-formed %s; the first begins at %s.",
            len(wrong),
            len(splits) - 1,
            task.scheme.upper(),
            train.text.where(splits[wrong[0]]),
        )


def find_order(settings: Settings, task):
    """The order that --constrained_decoding keeps to, None without. Raises InputError where there is none."""
    from bert.tasks.tagging.schemes import Order

    if not settings.constrained_decoding:
        return None
    if task.scheme == "plain":
        raise InputError("--constrained_decoding needs tags of BIO or BIOES, but these are plain: any may follow any")
    order = Order.of(task.labels, task.scheme)
    order.check(task.labels)
    unused = [task.labels[label] for label in order.out_of_reach()]
    if unused:
        logger.warning("With --constrained_decoding no sentence can have the tags %s.", ", ".join(unused))
    return order


def encode_split(settings: Settings, output_dir: str, built, split: str):
    """Writes a split's records to the output folder and returns them as a RecordSet."""
    from bert.input_pipeline import RecordSet
    from bert.records import rows

    names = {"train": "train.tf_record", "dev": "eval.tf_record", "test": "predict.tf_record"}
    path = os.path.join(output_dir, names[split])
    rows.write(path, built)
    for line in built.describe(0):
        logger.info(line)
    return RecordSet(built.record_kind, (path,), {"S": settings.max_seq_length, "C": len(built.labels)})


def scores_of(batches, built):
    """The scores of all labels for every word, float32 [T, C], from the model's outputs in any order."""
    import numpy as np

    scores = np.zeros([len(built.text.words), len(built.labels)], np.float32)
    # Windows of like length may come together; each writes the words that count in it to their places.
    for outputs in batches:
        for row, window in enumerate(outputs["unique_ids"]):
            scores[built.words(window)] = outputs["logits"][row, built.places(window)]
    return scores


def judge_batches(task, built, order, batches) -> dict[str, float]:
    """What --best_metric can choose by beside the means: precision, recall and F1 of the spans."""
    from bert.tasks.tagging import decoding, evaluation

    found = decoding.decode(scores_of(batches, built), built.text.splits, order)
    tags = [task.labels[label] for label in found]
    micro = evaluation.evaluate(built.text.tags, tags, built.text.splits, task.scheme).micro
    return {name: getattr(micro, name) for name in SPAN_MEASURES}


def write_predictions(trainer, text, tags: list[str]) -> None:
    """Writes test_predictions.txt: test.txt with one column more."""
    from bert import files

    path = os.path.join(trainer.output_dir, "test_predictions.txt")
    files.write_text(path, text.with_column(tags))
    logger.info("Wrote the tags of %d words to %s", len(tags), path)


def evaluate(trainer, task, built, scores, tags: list[str], name: str) -> None:
    """Writes NAME_results.txt and NAME_report.json where the file says what is right; NAME is eval or test."""
    from bert import files, reporting
    from bert.tasks.tagging import evaluation

    if built.text.tags is None:
        logger.info("%s has no tags: nothing to evaluate.", built.text.path)
        return
    report = evaluation.evaluate(built.text.tags, tags, built.text.splits, task.scheme)
    results = {
        f"{name}_accuracy": report.accuracy,
        f"{name}_loss": evaluation.cross_entropy(scores, built.label_ids),
        "global_step": trainer.step,
    }
    if task.scheme != "plain":
        results |= {f"{name}_{key}": getattr(report.micro, key) for key in SPAN_MEASURES}
    for line in report.table():
        logger.info("  %s", line)
    reporting.write_results(os.path.join(trainer.output_dir, f"{name}_results.txt"), results)
    files.write_json(os.path.join(trainer.output_dir, f"{name}_report.json"), report.values())
