"""A trained folder as a file of other programs: a SavedModel that takes texts, or ONNX that takes ids.

base            what all kinds share: a function of ids, for most kinds one of texts
texts           texts to rows of ids in graph operations
classification, vectors, tagging, ids_only   what each kind of model takes and gives
writing         the folders
"""

from collections.abc import Mapping
from typing import Any

from bert import files, stored_model
from bert.exporting import writing
from bert.exporting.base import Exported
from bert.exporting.classification import ExportedClassifier
from bert.exporting.ids_only import ExportedPretraining, ExportedReader
from bert.exporting.tagging import ExportedTagger
from bert.exporting.vectors import ExportedEncoder
from bert.stored_model import StoredModel

_KINDS: dict[str, type[Exported]] = {
    kind.kind: kind
    for kind in (ExportedClassifier, ExportedEncoder, ExportedTagger, ExportedReader, ExportedPretraining)
}
_KINDS[stored_model.RETRIEVAL] = ExportedEncoder  # its vectors; the index stays where it is


def export(
    stored: StoredModel, export_dir: str, format: str, max_seq_length: int | None, options: Mapping[str, Any]
) -> None:
    """Writes the model as a new folder of `format`, saved_model or onnx, whole or not at all.

    Args:
      max_seq_length: most WordPieces of a row; what the folder of the model says if None.
      options: others of the model's kind (`Exported.options_class`), in place of what its folder says.

    Raises InputError where the folder exists already, an option is none of the kind's, or cannot be exported.
    """
    if format == "onnx":
        writing.check_onnx()
    with files.new_folder(export_dir, "export_dir") as folder:
        exported = _KINDS[stored.kind](stored, max_seq_length, options)
        if format == "onnx":
            writing.write_onnx(exported, folder)
        else:
            writing.write_saved_model(exported, folder, export_dir)
