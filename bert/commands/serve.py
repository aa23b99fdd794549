"""Answers over HTTP with trained models, as TensorFlow Serving does, with a page to try them.

    bert serve --model_dir=mrpc=mrpc_output,squad=squad_output --port=8501
    curl -d '{"instances": [{"text": "It rains.", "text_b": "It is wet."}]}' http://127.0.0.1:8501/v1/models/mrpc:predict

Only this machine is answered unless --host says otherwise; there are no passwords. SIGTERM and Ctrl-C end it when all
that was asked is answered. docs/serving.md tells more.
"""

import dataclasses
import logging
import os
import re
from typing import Any

from bert.errors import InputError, check_installed
from bert.options import option, part, required
from bert.options.serving import LimitOptions

_NAME = re.compile(r"[\w.-]+", re.ASCII)
_HIGHEST_PORT = 65535
_MOST_MB = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(LimitOptions):
    """The flags of serve."""

    model_dir: str = required(
        "The models, comma-separated: NAME=FOLDER each, or a FOLDER whose last part is the name. A folder is an "
        "--output_dir, a Google download, or a Hugging Face folder."
    )
    port: int = option(8501, "Where it listens; 0: any port that is free, which the log tells.")
    host: str = option("127.0.0.1", "The address it listens at: 0.0.0.0 is every one of this machine.")
    vocab_file: str | None = option(None, "The vocabulary of all models, where their folders do not tell theirs.")
    do_lower_case: bool | None = option(None, "Whether the models are lower-cased, where their folders do not say.")
    intent_model: str | None = option(
        None, "Folder of a classifier, whose answer is told beside those of all models for retrieval."
    )

    def check(self) -> None:
        named_folders(self.model_dir)
        if not 0 <= self.port <= _HIGHEST_PORT:
            raise InputError(f"--port is {self.port}, expected 0 to {_HIGHEST_PORT}")
        for name in (field.name for field in dataclasses.fields(LimitOptions)):
            if not getattr(self, name) > 0:
                raise InputError(f"--{name} is {getattr(self, name)}, expected more than 0")
        if self.max_body_mb > _MOST_MB:
            raise InputError(f"--max_body_mb is {self.max_body_mb}, expected at most {_MOST_MB}")
        if self.max_rows > self.max_queue:
            raise InputError(
                f"--max_rows is {self.max_rows}, expected at most --max_queue={self.max_queue}: a request of more rows "
                "than may wait would never be taken on"
            )


def named_folders(text: str) -> dict[str, str]:
    """The folders by name. Raises InputError for a name that is none, or twice there."""
    found: dict[str, str] = {}
    for item in text.split(","):
        name, equals, folder = item.partition("=")
        if not equals:
            name, folder = os.path.basename(item.rstrip("/")), item
        if not _NAME.fullmatch(name) or not folder:
            raise InputError(f"--model_dir: '{item}', expected NAME=FOLDER, the name of letters, digits, '.', '_', '-'")
        if name in found:
            raise InputError(f"--model_dir: two models have the name '{name}'")
        found[name] = folder
    return found


def _tell_intents(predictors: dict[str, Any], folder: str) -> None:
    """Raises InputError where there is no model for retrieval, beside which the intent could stand."""
    from bert.prediction import RetrievalPredictor, reranking

    found = [predictor for predictor in predictors.values() if isinstance(predictor, RetrievalPredictor)]
    if not found:
        raise InputError(f"--intent_model={folder}, but none of --model_dir is a model for retrieval")
    intents = reranking.intent_classifier(folder)
    for predictor in found:
        predictor.intents = intents


def main(settings: Settings) -> None:
    check_installed("serve", "serve", "starlette", "uvicorn")
    from bert import prediction  # TensorFlow: --help does not wait for it
    from bert.serving import server

    # Each model's tokenizer is traced once, which TensorFlow warns of from the fifth model on.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    bound = server.bind(settings.host, settings.port)  # first: loading takes a while
    with bound:
        predictors = {
            name: prediction.load(folder, vocab_file=settings.vocab_file, do_lower_case=settings.do_lower_case)
            for name, folder in named_folders(settings.model_dir).items()
        }
        if settings.intent_model:
            _tell_intents(predictors, settings.intent_model)
        server.serve(predictors, bound, part(settings, LimitOptions))
