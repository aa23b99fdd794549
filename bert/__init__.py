"""BERT: pre-training and fine-tuning from the command line, on Keras 3 and TensorFlow 2; trained models in Python.

model = bert.load("mrpc_output")
model.predict(["a text", ("a text", "its pair")])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bert.prediction import Predictor

__version__ = "0.1.0"


def load(
    folder: str,
    *,
    vocab_file: str | None = None,
    do_lower_case: bool | None = None,
    max_seq_length: int | None = None,
    **options: Any,
) -> "Predictor[Any, Any]":
    """Loads the model of a folder, to be asked often: an output folder, a Google download or a Hugging Face folder.

    `vocab_file` and `do_lower_case` are for a folder that does not tell its vocabulary and casing; `max_seq_length` and
    the options of the model's kind (docs/using-a-model.md) stand in place of what it says. Raises
    `bert.errors.InputError`, a ValueError.
    """
    from bert import prediction  # TensorFlow: whoever asks for the version does not wait for it

    return prediction.load(
        folder, vocab_file=vocab_file, do_lower_case=do_lower_case, max_seq_length=max_seq_length, **options
    )
