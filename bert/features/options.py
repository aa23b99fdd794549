"""What decides which vectors come out for a text, and in which form they are written."""

import dataclasses

from bert.errors import InputError
from bert.options import option, required
from bert.options.pooling import POOLINGS

NO_POOLING = "none"
JSONL, NPZ = FORMATS = ("jsonl", "npz")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The model and what is asked of it. Raises InputError for a value that gives no vectors."""

    layers: str = option(
        "-1,-2,-3,-4",
        "Layers to take: 0 is the first after the embeddings, -1 the last. With `pooling` the vectors of several "
        "layers become one, in the order given here.",
    )
    bert_config_file: str = required(
        "JSON file with the sizes of the model: Google's bert_config.json or Hugging Face's config.json."
    )
    max_seq_length: int = option(128, "Most WordPieces of a text or pair, [CLS] and [SEP] included; the rest is cut.")
    init_checkpoint: str = required(
        "Checkpoint with the encoder: a Google download or bert_model.ckpt in it, a Hugging Face folder, or an output "
        "folder of a training here. Heads and the optimizer's state in it are left aside."
    )
    vocab_file: str = required("The vocabulary, a WordPiece a line: vocab.txt of a Google download or of Hugging Face.")
    do_lower_case: bool = option(True, "Lower-case and strip accents; false for cased models.")
    batch_size: int = option(32, "Texts that go through the model together.")
    pooling: str = option(
        NO_POOLING,
        "One vector for a text instead of one for each WordPiece: the mean or the maximum over its WordPieces, [CLS] "
        "and [SEP] included, padding not; or the vector of [CLS].",
        (NO_POOLING, *POOLINGS),
    )
    output_format: str = option(
        JSONL, "jsonl: an object a line, as the original. npz, with `pooling`: one float32 array, vectors.", FORMATS
    )

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"`batch_size` is {self.batch_size}, expected at least 1")
        if self.max_seq_length < 2:
            raise InputError(f"`max_seq_length` is {self.max_seq_length}, expected at least 2, for [CLS] and [SEP]")
        if self.output_format == NPZ and not self.is_pooled:
            raise InputError(
                "`output_format`=npz holds one vector a text and needs `pooling`, or give `output_format`=jsonl"
            )
        _ = self.layer_numbers

    @property
    def is_pooled(self) -> bool:
        return self.pooling != NO_POOLING

    @property
    def layer_numbers(self) -> tuple[int, ...]:
        """The layers as numbers, negative ones from the end. Raises InputError for what is no number."""
        try:
            return tuple(int(part) for part in self.layers.split(","))
        except ValueError:
            raise InputError(
                f"`layers` is '{self.layers}', expected whole numbers with commas between them, such as -1,-2"
            ) from None

    def check_layers(self, count: int) -> None:
        """Raises InputError for a layer that a model of `count` layers does not have."""
        for number in self.layer_numbers:
            if not -count <= number < count:
                raise InputError(
                    f"`layers` names {number}, but the model of `bert_config_file`={self.bert_config_file} has "
                    f"{count} layers, expected {-count} to {count - 1}"
                )
