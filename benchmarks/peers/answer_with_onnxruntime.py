"""onnxruntime in float32 with the tokenizers package; the graph is exported from transformers' model."""

import pathlib
import tempfile
import time

import answering
import worker


class Program(answering.Answering):
    def __init__(self, specification):
        super().__init__(specification)
        import numpy as np
        import onnxruntime
        import tokenizers

        self.np = np
        folder = pathlib.Path(specification["model"])
        with tempfile.TemporaryDirectory() as temporary:
            path = export(folder, pathlib.Path(temporary) / "model.onnx")
            begin = time.perf_counter()
            self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(specification["max_seq_length"])
        self.tokenizer.enable_padding()
        versions = {"onnxruntime": onnxruntime.__version__, "tokenizers": tokenizers.__version__}
        self.about = {"versions": versions, "start_seconds": time.perf_counter() - begin}

    def answer(self, texts):
        rows = self.tokenizer.encode_batch(texts)
        inputs = {
            "input_ids": self.np.array([row.ids for row in rows]),
            "attention_mask": self.np.array([row.attention_mask for row in rows]),
            "token_type_ids": self.np.array([row.type_ids for row in rows]),
        }
        (logits,) = self.session.run(None, inputs)
        exponentials = self.np.exp(logits - logits.max(axis=1, keepdims=True))
        return (exponentials[:, 0] / exponentials.sum(axis=1)).tolist()


def export(folder, path):
    """Writes the model as ONNX, batch and length open."""
    import torch
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tuple(torch.ones([2, 8], dtype=torch.int64) for _ in names)
    axes = {name: {0: "batch", 1: "length"} for name in names}
    torch.onnx.export(
        model, example, str(path), input_names=names, output_names=["logits"], dynamic_axes=axes, dynamo=False
    )
    return str(path)


if __name__ == "__main__":
    worker.serve(Program)
