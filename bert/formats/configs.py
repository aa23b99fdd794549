"""The two kinds of config files. They share most keys; where they differ in meaning, this module translates.

Hugging Face's `gelu` is the exact one, with the error function; Google's is the tanh form, which Hugging Face calls
`gelu_new`. Here Google's names keep Google's meaning, and the exact one is `gelu_exact`.
"""

from collections.abc import Mapping, Sequence

from bert.errors import InputError

# Hugging Face's name -> ours. Of several with one meaning the first is written.
ACTIVATIONS = {
    "gelu": "gelu_exact",
    "gelu_new": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "gelu_fast": "gelu",
    "relu": "relu",
    "tanh": "tanh",
    "linear": "linear",
}
# They tell a config of Hugging Face from one of Google, which therefore never keeps them.
_MARKS = ("model_type", "architectures", "transformers_version")
# How the weights lay in the file, which says nothing of the model: they are float32 here.
_STORAGE = ("_name_or_path", "torch_dtype", "dtype")
# The kind of labels of a labels.json -> `problem_type`; classes have none.
PROBLEM_TYPES = {"multilabel": "multi_label_classification", "regression": "regression"}
# What makes another model of the same weights: key -> what it must be.
_EXPECTED = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}


def is_huggingface(values: Mapping) -> bool:
    return any(mark in values for mark in _MARKS)


def from_huggingface(values: Mapping) -> dict:
    """The content of a Hugging Face config as a Google config has it. Raises InputError for a model that is no BERT."""
    model_type = values.get("model_type", "bert")
    if model_type != "bert":
        raise InputError(f"model_type is {model_type!r}, expected 'bert'")
    for key, expected in _EXPECTED.items():
        if values.get(key, expected) not in (expected, None):
            raise InputError(f"{key} is {values[key]!r}, expected {expected!r}: this model has no other")
    activation = values.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise InputError(f"hidden_act is {activation!r}, expected one of {', '.join(ACTIVATIONS)}")
    dropped = (*_MARKS, *_STORAGE, "layer_norm_eps", *_EXPECTED)
    kept = {key: value for key, value in values.items() if key not in dropped}
    # What Hugging Face takes for a key that is not there, where Google takes something else.
    defaults = {"vocab_size": 30522, "type_vocab_size": 2}
    epsilon = values.get("layer_norm_eps", 1e-12)
    return {**defaults, **kept, "hidden_act": ACTIVATIONS[activation], "layer_norm_epsilon": epsilon}


def to_huggingface(values: Mapping, architecture: str, labels: Sequence[str] = (), label_kind: str = "class") -> dict:
    """The content of a Google config as a Hugging Face config has it. Its labels and their kind are those given."""
    activation = (values.get("hidden_act") or "linear").lower()
    name = next(theirs for theirs, ours in ACTIVATIONS.items() if ours == activation)
    kept = {key: value for key, value in values.items() if key != "layer_norm_epsilon"}
    told = {
        "model_type": "bert",
        "architectures": [architecture],
        "hidden_act": name,
        "layer_norm_eps": values.get("layer_norm_epsilon", 1e-12),
        "pad_token_id": values.get("pad_token_id", 0),
    }
    if labels:
        told["id2label"] = {str(index): label for index, label in enumerate(labels)}
        told["label2id"] = {label: index for index, label in enumerate(labels)}
    if label_kind in PROBLEM_TYPES:
        told["problem_type"] = PROBLEM_TYPES[label_kind]
    return {**kept, **told}


def label_kind_of(values: Mapping, labels: Sequence[str]) -> str:
    """The kind of labels of a classifier's config; one label and no word about it is a number."""
    problem = values.get("problem_type") or ("regression" if len(labels) == 1 else None)
    return next((kind for kind, name in PROBLEM_TYPES.items() if name == problem), "class")


def labels_of(values: Mapping) -> tuple[str, ...]:
    """The labels of a config, by their ids; none where it has none. Raises InputError where an id is missing, and for
    what names none."""
    names = values.get("id2label") or {}
    if not isinstance(names, Mapping):
        raise InputError(f"id2label is {names!r}, expected an object: a name for each id")
    labels = [names.get(str(index)) for index in range(len(names))]
    known = tuple(label for label in labels if isinstance(label, str))
    if len(known) < len(labels):
        raise InputError(f"id2label is {names!r}, expected a name for each of 0 to {len(names) - 1}")
    return known
