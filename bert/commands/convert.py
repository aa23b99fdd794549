"""Turns a model into a folder of Google, Hugging Face or sentence-transformers.

    bert convert --model_dir=mrpc_output --to=huggingface --output_dir=mrpc_huggingface

The model may be a Google download, a Hugging Face folder with safetensors files, or an output folder of a training
here, of which the best checkpoint is taken, or else the last. docs/weights.md tells what each folder holds.
"""

import dataclasses
import logging

from bert import formats
from bert.options import option, required

logger = logging.getLogger("bert.convert")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    model_dir: str = required("Folder of the model: a Google download, a Hugging Face folder, or an --output_dir.")
    to: str = option(formats.HUGGINGFACE, "For what program the new folder is.", formats.KINDS)
    output_dir: str = required("Folder to make; it must not be there yet, or be empty.")
    vocab_file: str | None = option(None, "The vocabulary, where the folder of the model does not tell where it is.")


def main(settings: Settings) -> None:
    from bert import conversion, stored_model

    model = stored_model.read(settings.model_dir, settings.vocab_file)
    conversion.convert(model, settings.output_dir, settings.to)
    logger.info("Wrote %s", settings.output_dir)
