"""Training steps of keras-hub's BertTextClassifier on TensorFlow, with Keras's AdamW, clipping included. Without
jit_compile, which is Keras's default here but slower: XLA's random numbers make dropout dear on a processor."""

import worker


class Program:
    def __init__(self, specification):
        import keras
        import keras_hub
        import tensorflow as tf

        keras.utils.set_random_seed(specification["seed"])
        config = specification["config"]
        backbone = keras_hub.models.BertBackbone(
            vocabulary_size=config["vocab_size"],
            num_layers=config["num_hidden_layers"],
            num_heads=config["num_attention_heads"],
            hidden_dim=config["hidden_size"],
            intermediate_dim=config["intermediate_size"],
            dropout=config["hidden_dropout_prob"],
            max_sequence_length=config["max_position_embeddings"],
            num_segments=config["type_vocab_size"],
        )
        self.model = keras_hub.models.BertTextClassifier(backbone, num_classes=2, preprocessor=None)
        self.model.compile(
            optimizer=keras.optimizers.AdamW(1e-5, weight_decay=0.01, global_clipnorm=1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[],
            jit_compile=False,
        )
        self.rows = worker.Rows(specification["arrays"], specification["batch_size"], specification["seed"])
        versions = {"TensorFlow": tf.__version__, "Keras": keras.__version__, "keras-hub": keras_hub.__version__}
        self.about = {"parameters": self.model.count_params(), "versions": versions}

    def run(self, steps):
        examples = 0
        for _ in range(steps):
            batch = self.rows.next()
            examples += len(batch["input_ids"])
            names = {"token_ids": "input_ids", "padding_mask": "input_mask", "segment_ids": "segment_ids"}
            inputs = {name: batch[ours] for name, ours in names.items()}
            loss = self.model.train_on_batch(inputs, batch["label_ids"][:, 0])
        return {"examples": examples, "loss": float(loss)}

    def warm_up(self):
        self.run(1)


if __name__ == "__main__":
    worker.serve(Program)
