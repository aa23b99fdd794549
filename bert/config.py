"""BertConfig: the shape of a BERT model, read from and written to `bert_config.json`."""

import dataclasses
import json

from bert import files
from bert.errors import InputError

ACTIVATIONS = ("linear", "relu", "gelu", "tanh")


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Sizes and rates of a model; the defaults are BERT base (Devlin et al. 2019, section 3).

    A missing key of the JSON file takes the default here, so a file without `type_vocab_size` means 16
    (docs/parity.md 2). Keys this class does not know are kept in `other` and written back.
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
    other: dict = dataclasses.field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for field in _FIELDS:
            _check_type(field, getattr(self, field.name))
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                f"hidden_size ({self.hidden_size}) is not a multiple "
                f"of num_attention_heads ({self.num_attention_heads})"
            )
        if self.activation not in ACTIVATIONS:
            raise InputError(f"hidden_act is '{self.hidden_act}', expected one of {', '.join(ACTIVATIONS)}")

    @property
    def activation(self) -> str:
        """The activation's name in lower case; an empty or null `hidden_act` means linear."""
        return (self.hidden_act or "linear").lower()

    @classmethod
    def from_dict(cls, values: dict) -> "BertConfig":
        known = {field.name for field in _FIELDS}
        if values.get("vocab_size") is None:
            raise InputError("vocab_size is missing, expected the number of entries of the vocabulary")
        other = {key: value for key, value in values.items() if key not in known}
        return cls(**{key: value for key, value in values.items() if key in known}, other=other)

    @classmethod
    def from_json_file(cls, path: str) -> "BertConfig":
        """Reads a `bert_config.json`. Raises InputError naming the file and what is wrong in it."""
        values = files.read_json(path)
        try:
            return cls.from_dict(values)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def to_dict(self) -> dict:
        values = {field.name: getattr(self, field.name) for field in _FIELDS}
        return {**values, **self.other}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


_FIELDS = [field for field in dataclasses.fields(BertConfig) if field.name != "other"]


def _check_type(field: dataclasses.Field, value: object) -> None:
    if field.type is int:
        if type(value) is not int or value < 1:
            raise InputError(f"{field.name} is {value!r}, expected a positive whole number")
    elif field.type is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(f"{field.name} is {value!r}, expected a number from 0 to 1")
    elif value is not None and not isinstance(value, str):
        raise InputError(f"{field.name} is {value!r}, expected a name")
