"""The records between the commands: what is in them, and their files.

kinds          what a record of each kind holds: the one declaration
serialization  arrays to the bytes of records
frames         how records stand in a TFRecord file, with their checksums
storage        the files: write, read, count
layout         WordPieces to rows: [CLS] a [SEP] b [SEP]
lengths        how long rows are, for the log
rows           what every kind of fine-tuning hands over to be written
parsing        records to tensors, and the check of records (needs TensorFlow, so it is not imported here)
documentation  docs/records.md
"""

from bert.records.kinds import (
    CLASSIFIER,
    KINDS,
    MULTI_LABEL,
    PRETRAINING,
    PRETRAINING_WORDS,
    REGRESSION,
    SQUAD_PREDICTION,
    SQUAD_TRAINING,
    TAGGING,
    Feature,
    RecordKind,
)
from bert.records.storage import count, read, write_rows

__all__ = [
    "CLASSIFIER",
    "KINDS",
    "MULTI_LABEL",
    "PRETRAINING",
    "PRETRAINING_WORDS",
    "REGRESSION",
    "SQUAD_PREDICTION",
    "SQUAD_TRAINING",
    "TAGGING",
    "Feature",
    "RecordKind",
    "count",
    "read",
    "write_rows",
]
