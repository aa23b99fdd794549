"""BertConfig: the shape of a BERT model, read from Google's `bert_config.json` or Hugging Face's `config.json`."""

import dataclasses
import itertools
import json
import os

from bert import files
from bert.errors import InputError
from bert.formats import config_file, configs

MOST_LAYERS = 1000  # the largest models have about a hundred; each takes seconds to build, whatever its size
LARGEST_SIZE = 2**31 - 1  # ids and positions are int32
ACTIVATIONS = ("linear", "relu", "gelu", "gelu_exact", "tanh")  # gelu is Google's, the tanh form
BASELINES = ("dssm", "lstm", "gru", "average")  # what BERT is compared with (docs/baselines.md)
ENCODERS = ("bert", *BASELINES)

_SHARED = (
    *("encoder", "vocab_size", "hidden_size", "hidden_dropout_prob"),
    *("max_position_embeddings", "type_vocab_size", "initializer_range"),
)
_OF_BERT = (
    *("num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("attention_probs_dropout_prob", "layer_norm_epsilon"),
)
_RECURRENT = ("num_hidden_layers", "embedding_size", "directions", "pooling")
# Encoder -> the keys that it reads beside those of all. Others in its file are kept as they are.
_KEYS = {
    "bert": _OF_BERT,
    "dssm": ("num_hidden_layers", "intermediate_size", "hash_buckets"),
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
    "average": (),
}


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Sizes and rates of a model; the defaults are BERT base (Devlin et al. 2019, section 3).

    A missing key of the JSON file takes the default here, so a file without `type_vocab_size` means 16
    (docs/parity.md 2). Keys this class does not know are kept in `other` and written back. `layer_norm_epsilon` is
    our own, for models of other programs; it is written where it is not Google's 1e-12 (docs/parity.md 9).

    `encoder`, our own too, says what stands under the heads: BERT, or one of the baselines, which read some of BERT's
    keys and the last four (docs/baselines.md). A config of a BERT does not write it.
    """

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str | None = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 16
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-12
    encoder: str = "bert"
    embedding_size: int = 300
    directions: int = 2
    pooling: str = "max"
    hash_buckets: int = 32768
    other: dict = dataclasses.field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for field in _FIELDS:
            _check_type(field, getattr(self, field.name))
        for name, expected in (("encoder", ENCODERS), ("directions", (1, 2)), ("pooling", ("max", "last"))):
            if getattr(self, name) not in expected:
                choices = ", ".join(map(str, expected))
                raise InputError(f"{name} is {getattr(self, name)!r}, expected one of {choices}")
        if self.hash_buckets < 2:
            raise InputError(f"hash_buckets is {self.hash_buckets}, expected at least 2")
        divisor = {"bert": "num_attention_heads", "lstm": "directions", "gru": "directions"}.get(self.encoder)
        if divisor and self.hidden_size % getattr(self, divisor):
            raise InputError(
                f"hidden_size ({self.hidden_size}) is not a multiple of {divisor} ({getattr(self, divisor)})"
            )
        if self.activation not in ACTIVATIONS:
            raise InputError(f"hidden_act is '{self.hidden_act}', expected one of {', '.join(ACTIVATIONS)}")
        if self.num_hidden_layers > MOST_LAYERS:
            raise InputError(f"num_hidden_layers is {self.num_hidden_layers}, expected at most {MOST_LAYERS}")

    @property
    def parameter_count(self) -> int:
        """Weights of the encoder, its pooler included; a head adds little to them."""
        if self.encoder != "bert":
            return _baseline_parameters(self)
        hidden, inner = self.hidden_size, self.intermediate_size
        rows = self.vocab_size + self.max_position_embeddings + self.type_vocab_size
        attention, feed_forward = 4 * (hidden + 1) * hidden, 2 * hidden * inner + inner + hidden
        layer = attention + feed_forward + 2 * 2 * hidden  # two layer normalizations
        return rows * hidden + 2 * hidden + self.num_hidden_layers * layer + (hidden + 1) * hidden

    def check_memory(self, path: str, training: bool, available: int | None = None) -> None:
        """Raises InputError, naming `path` and the largest sizes, where the weights alone do not fit into memory:
        4 bytes each, and as many for the gradient and for each of Adam's two moments where they are trained.

        `available`: bytes there are, by default those of this machine, or of the container it is.
        """
        available = memory_size() if available is None else available
        needed = self.parameter_count * 4 * (4 if training else 1)
        if needed > available:
            sizes = sorted(_SIZES, key=lambda name: getattr(self, name) / _SIZES[name], reverse=True)
            shown = ", ".join(f"{name} {getattr(self, name)}" for name in sizes[:2])
            raise InputError(
                f"{path}: a model of {self.parameter_count:,} parameters takes {needed / 1e9:.1f} GB "
                f"{'to train' if training else 'to hold'}, this machine has {available / 1e9:.1f} GB; "
                f"its largest sizes: {shown}"
            )

    def check_is_bert(self, where: str) -> None:
        """Raises InputError, naming `where` it was found, for a model that is one of the baselines."""
        if self.encoder != "bert":
            raise InputError(f"{where}: the encoder is '{self.encoder}', expected a BERT: this is done with no other")

    @property
    def layer_count(self) -> int:
        """Layers that give a vector for each position."""
        return self.num_hidden_layers if "num_hidden_layers" in _KEYS[self.encoder] and self.encoder != "dssm" else 1

    @property
    def activation(self) -> str:
        """The activation's name in lower case; an empty or null `hidden_act` means linear."""
        return (self.hidden_act or "linear").lower()

    @classmethod
    def from_dict(cls, values: dict) -> "BertConfig":
        known = {*_SHARED, *_KEYS.get(str(values.get("encoder", "bert")), ())}
        if values.get("vocab_size") is None:
            raise InputError("vocab_size is missing, expected the number of entries of the vocabulary")
        other = {key: value for key, value in values.items() if key not in known}
        return cls(**{key: value for key, value in values.items() if key in known}, other=other)

    @classmethod
    def from_json_file(cls, path: str) -> "BertConfig":
        """Reads a `bert_config.json`, or what a Hugging Face `config.json` means; `path` may be the folder.

        Raises InputError naming the file and what is wrong in it.
        """
        path = config_file(path)
        values = files.read_json(path)
        try:
            if configs.is_huggingface(values):
                values = configs.from_huggingface(values)
            return cls.from_dict(values)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def to_dict(self) -> dict:
        keys = {*_SHARED, *_KEYS[self.encoder]}
        values = {field.name: getattr(self, field.name) for field in _FIELDS if field.name in keys}
        for name in ("layer_norm_epsilon", "encoder"):  # not Google's
            if name in values and values[name] == getattr(BertConfig, name):
                del values[name]
        return {**values, **self.other}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


_FIELDS = [field for field in dataclasses.fields(BertConfig) if field.name != "other"]


# Those that make a model large, with their values in BERT base, against which they are measured.
_SIZES = {
    field.name: field.default
    for field in _FIELDS
    if field.name in ("hidden_size", "num_hidden_layers", "intermediate_size", "max_position_embeddings")
} | {"vocab_size": 30522, "type_vocab_size": 2}


def _baseline_parameters(config: BertConfig) -> int:
    """Those of `bert.encoders`, without what is no weight, as DSSM's table of trigrams."""
    hidden = config.hidden_size
    pooler = (4 * hidden + 1) * hidden
    if config.encoder == "average":
        return config.vocab_size * hidden + pooler
    if config.encoder == "dssm":
        inner = [config.intermediate_size] * (config.num_hidden_layers - 1)
        sizes = [config.hash_buckets, *inner, hidden]
        return sum((size + 1) * next_size for size, next_size in itertools.pairwise(sizes))
    units = hidden // config.directions
    gates, biases = (4, 1) if config.encoder == "lstm" else (3, 2)
    inputs = [config.embedding_size, *[hidden] * (config.num_hidden_layers - 1)]
    layers = sum(config.directions * gates * units * (size + units + biases) for size in inputs)
    return config.vocab_size * config.embedding_size + layers + pooler


def memory_size() -> int:
    """Bytes of memory this process may take: the machine's, or less where its container has a limit."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        if os.path.exists(path):
            text = "".join(files.read_lines(path)).strip()
            sizes += [int(text)] if text.isdecimal() else []
    return min(sizes)


def _check_type(field: dataclasses.Field, value: object) -> None:
    if field.type is int:
        if type(value) is not int or value < 1:
            raise InputError(f"{field.name} is {value!r}, expected a positive whole number")
        if value > LARGEST_SIZE:
            raise InputError(f"{field.name} is {value}, expected at most {LARGEST_SIZE}")
    elif field.type is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(f"{field.name} is {value!r}, expected a number from 0 to 1")
        if field.name.endswith("dropout_prob") and value == 1:
            raise InputError(f"{field.name} is {value!r}, expected less than 1: nothing would be left to learn from")
    elif value is not None and not isinstance(value, str):
        raise InputError(f"{field.name} is {value!r}, expected a name")
