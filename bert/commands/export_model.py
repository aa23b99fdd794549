"""Writes a trained model for other programs: TensorFlow Serving, TensorFlow alone, ONNX.

    bert export_model --model_dir=mrpc_output --export_dir=models/mrpc/1
    bert export_model --model_dir=mrpc_output --export_dir=mrpc_onnx --format=onnx

A SavedModel takes texts, with the tokenizer inside, and gives labels, scores and probabilities, tags or vectors; its
signature `ids`, and ONNX, take ids and give logits. docs/exporting.md tells of each kind what goes in and comes out.
"""

import dataclasses
import logging
from typing import Any

from bert.options import option, required
from bert.options.classification import LONG_TEXTS, TRUNCATIONS
from bert.options.pooling import POOLINGS

logger = logging.getLogger("bert.export_model")

_OWN = ("model_dir", "export_dir", "format", "vocab_file", "do_lower_case", "max_seq_length")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The flags of export_model. What is not given is as the folder of the model says."""

    model_dir: str = required("Folder of the model: an --output_dir, a Google download, or a Hugging Face folder.")
    export_dir: str = required("Folder to make; it must not be there yet, or be empty.")
    format: str = option("saved_model", "What is written.", ("saved_model", "onnx"))
    vocab_file: str | None = option(None, "The vocabulary, where the folder of the model does not tell where it is.")
    do_lower_case: bool | None = option(None, "Whether the model is lower-cased, where the folder does not say.")
    max_seq_length: int | None = option(None, "Most WordPieces of a row.")
    pairs: bool | None = option(
        None, "Classification and vectors: a row has two texts, `text` and `text_b`, of which the second may be empty."
    )
    label_separator: str | None = option(None, "Classification: stands between several classes of one text.")
    truncation: str | None = option(None, "Classification: what is read of a text too long.", TRUNCATIONS)
    long_text: str | None = option(None, "Classification: only truncate can be exported.", LONG_TEXTS)
    constrained_decoding: bool | None = option(None, "Tagging: only false can be exported.")
    pooling: str | None = option(None, "Vectors: how they become one.", POOLINGS)
    layer: int | None = option(None, "Vectors: of which layer; -1 is the last.")

    @property
    def options(self) -> dict[str, Any]:
        """What was given of the options of the model's kind."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if name not in _OWN}
        return {name: value for name, value in given.items() if value is not None}


def main(settings: Settings) -> None:
    from bert import exporting, stored_model  # TensorFlow: --help does not wait for it

    stored = stored_model.read(settings.model_dir, settings.vocab_file, settings.do_lower_case)
    if settings.do_lower_case is not None:
        stored = dataclasses.replace(stored, do_lower_case=settings.do_lower_case)
    logger.info("Model: %s, for %s.", stored.weights, stored.kind)
    exporting.export(stored, settings.export_dir, settings.format, settings.max_seq_length, settings.options)
    logger.info("Wrote %s", settings.export_dir)
