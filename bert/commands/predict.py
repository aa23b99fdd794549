"""Answers the lines it reads with a trained model, from standard input at once, or from a file.

    bert predict --model_dir=mrpc_output
    bert predict --model_dir=mrpc_output --input_file=texts.tsv --output_file=answers.jsonl --output_format=json

A line is a text, a pair of texts separated by a tab (for question answering the question, a tab, the document), or a
JSON object such as {"text": "...", "text_b": "..."}. Each line of the output answers the line of the input in its
place; docs/using-a-model.md says how.
"""

import dataclasses
import logging
import math
from typing import Any

from bert.errors import InputError
from bert.options import option, required
from bert.options.classification import LONG_TEXTS, TRUNCATIONS
from bert.options.pooling import POOLINGS

logger = logging.getLogger("bert.predict")

_OWN = ("model_dir", "input_file", "input_format", "output_file", "output_format")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of predict. What is not given is as the folder of the model says."""

    model_dir: str = required("Folder of the model: an --output_dir, a Google download, or a Hugging Face folder.")
    input_file: str | None = option(None, "Lines to answer; standard input if not given.")
    input_format: str = option(
        "auto",
        "What a line is: text (a text, or several separated by tabs) or json; auto takes lines of a file named .jsonl, "
        "and others that begin with {, for JSON.",
        ("auto", "text", "json"),
    )
    output_file: str | None = option(None, "File for the answers; standard output if not given.")
    output_format: str = option(
        "text", "What an answer is: text (columns separated by tabs) or json.", ("text", "json")
    )
    vocab_file: str | None = option(None, "The vocabulary, where the folder of the model does not tell where it is.")
    do_lower_case: bool | None = option(None, "Whether the model is lower-cased, where the folder does not say.")
    vectors: bool = option(False, "Give vectors, whatever stands on the encoder.")
    max_seq_length: int | None = option(None, "Most WordPieces of a row.")
    label_separator: str | None = option(None, "Classification: stands between several classes in a line.")
    truncation: str | None = option(None, "Classification: what is read of a text too long.", TRUNCATIONS)
    long_text: str | None = option(None, "Classification: truncate, or all through windows.", LONG_TEXTS)
    doc_stride: int | None = option(None, "Question answering: WordPieces from one window to the next.")
    max_query_length: int | None = option(None, "Question answering: most WordPieces of a question.")
    max_answer_length: int | None = option(None, "Question answering: most WordPieces of an answer.")
    version_2_with_negative: bool | None = option(None, "Question answering: a question may have no answer.")
    null_score_diff_threshold: float | None = option(None, "Question answering: how much better no answer must be.")
    n_best_size: int | None = option(None, "Question answering: answers that are weighed; [MASK]: words told for each.")
    constrained_decoding: bool | None = option(None, "Tagging: only sequences of tags that the scheme allows.")
    pooling: str | None = option(None, "Vectors: how they become one.", POOLINGS)
    layer: int | None = option(None, "Vectors: of which layer; -1 is the last.")
    top_k: int | None = option(None, "Retrieval: nearest answers that are told.")
    threshold: float | None = option(
        None, "Retrieval: an answer of a lower score is not known; -inf: all are.", infinite=(-math.inf,)
    )
    rerank_model: str | None = option(None, "Retrieval: folder of the model that orders the nearest anew.")
    rerank_candidates: int | None = option(None, "Retrieval: how many of the nearest it orders.")
    rerank_label: str | None = option(None, "Retrieval: its class that means equal.")
    intent_model: str | None = option(None, "Retrieval: folder of a classifier, whose answer is told beside.")

    def check(self) -> None:
        if self.output_file and not self.input_file:
            raise InputError("--output_file needs --input_file; standard input is answered on standard output")

    @property
    def options(self) -> dict[str, Any]:
        """What was given of the options of `bert.load`."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if name not in _OWN}
        return {name: value for name, value in given.items() if value is not None}


def main(settings: Settings) -> None:
    from bert import prediction  # TensorFlow: --help does not wait for it
    from bert.prediction import lines

    if settings.input_file:
        lines.check_files(
            settings.input_file, settings.output_file, [settings.vocab_file] if settings.vocab_file else []
        )
    predictor = prediction.load(settings.model_dir, **settings.options)
    logger.info("Model: %s, for %s.", predictor.stored.weights, predictor.kind)
    answering = lines.Lines(predictor, settings.input_format, settings.output_format)
    if settings.input_file:
        answering.answer_file(settings.input_file, settings.output_file)
    else:
        answering.answer_standard_input()
