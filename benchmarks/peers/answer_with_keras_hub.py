"""keras-hub's classifier with its own tokenizer, `predict` on texts; random weights. It pads to a fixed length, here
the smallest that holds all texts."""

import json
import pathlib
import time

import answering
import worker


class Program(answering.Answering):
    def __init__(self, specification):
        super().__init__(specification)
        begin = time.perf_counter()
        import keras_hub
        import tensorflow as tf

        folder = pathlib.Path(specification["model"])
        config = json.loads((folder / "config.json").read_text())
        models = keras_hub.models
        backbone = models.BertBackbone(
            vocabulary_size=config["vocab_size"],
            num_layers=config["num_hidden_layers"],
            num_heads=config["num_attention_heads"],
            hidden_dim=config["hidden_size"],
            intermediate_dim=config["intermediate_size"],
            max_sequence_length=config["max_position_embeddings"],
        )
        tokenizer = models.BertTokenizer(vocabulary=str(folder / "vocab.txt"), lowercase=True)
        length = specification["max_seq_length"]
        preprocessor = models.BertTextClassifierPreprocessor(tokenizer, sequence_length=length)
        self.model = models.BertTextClassifier(backbone, 2, preprocessor=preprocessor, activation="softmax")
        versions = {"tensorflow": tf.__version__, "keras-hub": keras_hub.__version__}
        self.about = {"versions": versions, "start_seconds": time.perf_counter() - begin}

    def answer(self, texts):
        return self.model.predict(texts, batch_size=self.batch_size, verbose=0)[:, 0].tolist()


if __name__ == "__main__":
    worker.serve(Program)
