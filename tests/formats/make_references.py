"""Makes tests/golden/huggingface with transformers: tiny models of four heads, and what they answer.

    python -m tests.formats.make_references

Needs torch and transformers, which the tests do not. Every weight is drawn anew, wide enough that the two gelus and
the epsilon of the normalization show in the answers.
"""

import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent.parent / "golden" / "huggingface"
SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
}
HEADS = {  # folder -> class, and what its config has beside the sizes
    "pretraining": ("BertForPreTraining", {"hidden_act": "gelu"}),
    "classifier": (
        "BertForSequenceClassification",
        {"hidden_act": "gelu", "layer_norm_eps": 1e-3, "id2label": {0: "sport", 1: "trade", 2: "weather"}},
    ),
    "tagger": ("BertForTokenClassification", {"hidden_act": "gelu_new", "id2label": {0: "O", 1: "B-PER", 2: "I-PER"}}),
    "squad": ("BertForQuestionAnswering", {"hidden_act": "gelu"}),
}


def inputs() -> dict[str, np.ndarray]:
    """A batch: int32 [B, S] under the names of the records here, the second row with padding."""
    generator = np.random.default_rng(7)
    batch = {
        "input_ids": generator.integers(1, SIZES["vocab_size"], [3, 12]),
        "input_mask": np.ones([3, 12], np.int64),
        "segment_ids": np.tile(np.arange(12) >= 7, [3, 1]).astype(np.int64),
    }
    batch["input_mask"][1, 9:] = 0
    return {name: value.astype(np.int32) for name, value in batch.items()}


def answers(model) -> dict[str, np.ndarray]:
    """The logits of a transformers model for `inputs`, by transformers' names."""
    import torch

    batch = {name: torch.tensor(value, dtype=torch.long) for name, value in inputs().items()}
    with torch.no_grad():
        outputs = model.eval()(batch["input_ids"], batch["input_mask"], batch["segment_ids"])
    return {name: value.numpy() for name, value in outputs.items() if name.endswith("logits")}


def make(name: str) -> None:
    import torch
    import transformers

    architecture, settings = HEADS[name]
    torch.manual_seed(sum(map(ord, name)))
    model = getattr(transformers, architecture)(transformers.BertConfig(**SIZES, **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(FOLDER / name)
    np.savez(FOLDER / name / "answers.npz", **inputs(), **answers(model))
    print(name, json.dumps({key: value.shape for key, value in answers(model).items()}))


if __name__ == "__main__":
    for head in HEADS:
        make(head)
