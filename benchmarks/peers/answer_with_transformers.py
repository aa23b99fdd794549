"""transformers' pipeline, on torch eager, with its fast tokenizer; padded to the longest of a call."""

import time

import answering
import worker


class Program(answering.Answering):
    def __init__(self, specification):
        super().__init__(specification)
        begin = time.perf_counter()
        import torch
        import transformers

        self.pipeline = transformers.pipeline(
            "text-classification", model=specification["model"], device="cpu", top_k=None
        )
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        self.about = {"versions": versions, "start_seconds": time.perf_counter() - begin}
        self.label = self.pipeline.model.config.id2label[0]
        self.options = {"truncation": True, "max_length": specification["max_seq_length"]}

    def answer(self, texts):
        found = self.pipeline(texts, batch_size=self.batch_size, **self.options)
        return [next(one["score"] for one in row if one["label"] == self.label) for row in found]


if __name__ == "__main__":
    worker.serve(Program)
