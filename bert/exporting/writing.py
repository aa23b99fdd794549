"""Folders of exported models: a SavedModel, or ONNX, and beside it what other programs have to know."""

import dataclasses
import os

import tensorflow as tf

from bert import __version__, files, stored_model
from bert.errors import InputError, check_installed
from bert.exporting.base import Exported
from bert.tasks import labels_file
from bert.training.model_files import ModelFiles

SERVING_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
IDS = "ids"
EXTRA_ASSETS = "assets.extra"  # where a SavedModel keeps files that its graph does not read
_OPSET = 17  # of ONNX: the newest that tf2onnx is tested with and all that this graph needs; runtimes of 2022 read it
_LARGEST_ONNX = 2**31 - 2**20  # bytes; a protocol buffer holds no more


def write_saved_model(exported: Exported, folder: str, named: str) -> None:
    """Writes a SavedModel with the signatures `serving_default`, from texts where the kind has them, and `ids`.

    `named` is what messages call the folder.
    """
    texts = exported.texts
    functions = {IDS: exported.ids.graph().get_concrete_function()}
    functions[SERVING_DEFAULT] = texts.graph().get_concrete_function() if texts else functions[IDS]
    module = tf.Module()
    used = {id(variable): variable for function in functions.values() for variable in function.variables}
    module.weights = list(used.values())
    with files.written_by_tensorflow(named):
        tf.saved_model.save(module, folder, signatures=functions)
    files.make_folder(os.path.join(folder, EXTRA_ASSETS))
    _describe(exported, os.path.join(folder, EXTRA_ASSETS))


def check_onnx() -> None:
    """Raises InputError where the extra `onnx` is not installed."""
    check_installed("`format`=onnx", "onnx", "onnx", "tf2onnx")


def write_onnx(exported: Exported, folder: str) -> None:
    """Writes the function of ids as one file of ONNX. Raises InputError for a model that is too large for that."""
    import onnx  # these two are the extra `onnx`
    import tf2onnx

    graph = exported.ids.graph()
    variables = graph.get_concrete_function().variables
    weights = sum(variable.dtype.size * variable.shape.num_elements() for variable in variables)
    if weights > _LARGEST_ONNX:
        raise InputError(f"`format`: the model has {weights / 1e9:.1f} GB of weights, but a file of ONNX holds 2 GB")
    model, _ = tf2onnx.convert.from_function(graph, exported.ids.inputs, opset=_OPSET)
    onnx.checker.check_model(model)  # an operation that ONNX does not know would be left in it
    for value in (*model.graph.input, *model.graph.output):
        for size, name in zip(value.type.tensor_type.shape.dim, _sizes_of(value.name), strict=False):
            if size.dim_param:  # tf2onnx numbers them
                size.dim_param = name
    onnx.save_model(model, os.path.join(folder, stored_model.ONNX_FILE))
    _describe(exported, folder)


def _sizes_of(tensor: str) -> tuple[str, str]:
    """What the sizes that are not fixed are called, for programs that show them."""
    return "rows", "positions" if tensor.startswith("masked_lm") else "length"


def _describe(exported: Exported, folder: str) -> None:
    """Writes what a program needs to make ids of texts and answers of logits."""
    stored = exported.stored
    ModelFiles(stored.config, stored.vocabulary).write(folder)
    if stored.label_names:
        content = {"label_kind": stored.label_kind.name, **(stored.labels or {}), "labels": list(stored.label_names)}
        labels_file.write(folder, content)
    content = {
        "bert_version": __version__,
        "kind": exported.kind,
        "max_seq_length": exported.max_seq_length,
        "do_lower_case": stored.do_lower_case,
        **dataclasses.asdict(exported.options),
    }
    files.write_json(os.path.join(folder, stored_model.EXPORT_FILE), content)
