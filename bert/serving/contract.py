"""The REST contract of TensorFlow Serving: what the body of a request means, and what is answered.

Rows come as `instances` and go as `predictions`, or in columns, as `inputs` and `outputs`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bert import files
from bert.errors import InputError, shown
from bert.prediction import Prediction, Predictor

VERSION = "1"  # of every model; there is no other
SIGNATURE = "serving_default"
BODY = "body"  # what messages call the text of a request
_KEYS = ("instances", "inputs", "signature_name")
_TYPES = {str: "DT_STRING", float: "DT_FLOAT", int: "DT_INT32"}


class Question(NamedTuple):
    """The rows that are asked about, not checked yet, and how the answer is to be laid out."""

    rows: Sequence[object]
    is_columnar: bool

    @property
    def place(self) -> str:
        """What messages call a row."""
        return "inputs[{}]" if self.is_columnar else "instances[{}]"


def read(body: bytes) -> Question:
    """What a request asks. Raises InputError for what is no JSON, or another object than the contract has."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{BODY}: not UTF-8: byte 0x{body[error.start]:02x} at offset {error.start}") from None
    values = files.parse_json(text, BODY)
    if not isinstance(values, dict):
        raise InputError(f'found {shown(values)}, expected {{"instances": [...]}}')
    unknown = next((name for name in values if name not in _KEYS), None)
    if unknown is not None:
        raise InputError(f"found the field {shown(unknown)}, expected instances or inputs, and signature_name or not")
    signature = values.get("signature_name", "")
    if signature not in ("", SIGNATURE):
        raise InputError(f'"signature_name" is {shown(signature)}, expected "{SIGNATURE}", the only one here')
    if ("instances" in values) == ("inputs" in values):
        raise InputError('expected either "instances", a list of rows, or "inputs", their columns')
    if "inputs" in values:
        return Question(_rows_of(values["inputs"]), True)
    if not isinstance(values["instances"], list):
        raise InputError(f'"instances" is {shown(values["instances"])}, expected a list of rows')
    return Question(values["instances"], False)


def _rows_of(columns: object) -> list[object]:
    """Columns as rows: a list as it is, a list for each field as dicts."""
    if isinstance(columns, list):
        return columns
    if not isinstance(columns, dict) or not all(isinstance(column, list) for column in columns.values()):
        raise InputError(f'"inputs" is {shown(columns)}, expected a list, or an object with a list for each field')
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f'the columns of "inputs" have {shown(sizes)} rows, expected the same number')
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def answer(predictions: Sequence[Prediction], is_columnar: bool) -> bytes:
    """The body of an answer, in the layout of the question."""
    rows = [prediction.as_dict() for prediction in predictions]
    content: dict[str, Any] = {"predictions": rows}
    if is_columnar:
        content = {"outputs": {name: [row[name] for row in rows] for name in rows[0]} if rows else {}}
    return to_json(content)


def to_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def status() -> dict[str, Any]:
    """The state of a model that is loaded; one that cannot be does not get so far."""
    state = {"version": VERSION, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    return {"model_version_status": [state]}


def sample(predictor: Predictor[Any, Any]) -> dict[str, Any]:
    """A prediction, as JSON has it: what there is of fields in the answers of a model, and a first question to it."""
    row = {"question": "?", "context": "."} if "question" in predictor.fields else {"text": "[MASK]"}
    (prediction,) = predictor.predict([row])
    content: dict[str, Any] = json.loads(to_json(prediction.as_dict()))
    return content


def metadata(name: str, predictor: Predictor[Any, Any], prediction: Mapping[str, Any]) -> dict[str, Any]:
    """What TensorFlow Serving tells of a model, and under `model` what only we know.

    Of the outputs, those that are tensors there; an object or a list of lists has no type to name.
    """
    inputs = {field: _tensor(field, "DT_STRING", 2 if field == "words" else 1) for field in predictor.fields}
    outputs = {field: tensor for field, value in prediction.items() if (tensor := _output(field, value))}
    signature = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
    return {
        "model_spec": {"name": name, "signature_name": "", "version": VERSION},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}, "model": described(predictor)},
    }


def described(predictor: Predictor[Any, Any]) -> dict[str, Any]:
    """What a client, or the page, wants to know of a model."""
    stored = predictor.stored
    return {
        "kind": predictor.kind,
        "fields": dict(predictor.fields),
        "labels": list(stored.label_names),
        "max_seq_length": predictor.max_seq_length,
        "takes_pairs": stored.config.type_vocab_size > 1,
    }


def _output(name: str, value: object) -> dict[str, Any] | None:
    if type(value) in _TYPES:
        return _tensor(name, _TYPES[type(value)], 1)
    if isinstance(value, list) and value and type(value[0]) in _TYPES:
        return _tensor(name, _TYPES[type(value[0])], 2)
    return None


def _tensor(name: str, dtype: str, rank: int) -> dict[str, Any]:
    shape = {"dim": [{"size": "-1", "name": ""}] * rank, "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": name}
