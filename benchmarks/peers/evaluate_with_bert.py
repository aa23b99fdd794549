"""Evaluations and predictions of this project, as its commands run them: records, input pipeline, `Trainer`, outputs in
the order of the file. `forward` is the model alone on the same batches, which lie in memory. A step is a whole set."""

import os

import worker
from with_bert import use_own_cores


class Program:
    def __init__(self, specification):
        import keras
        import tensorflow as tf

        from bert import heads, records
        from bert.config import BertConfig
        from bert.input_pipeline import RecordSet, evaluation_batches
        from bert.training.loop import Trainer
        from bert.training.run_folder import RunFolder

        set_halves = use_own_cores(specification["batch_size"])
        keras.utils.set_random_seed(specification["seed"])
        model = heads.SequenceClassifier(BertConfig.from_dict(specification["config"]), 2)
        set_halves(model)
        folder = RunFolder(os.path.dirname(specification["records"]))  # to name in messages: nothing is written
        self.trainer = Trainer(model, tf.distribute.get_strategy(), folder)
        self.record_set = RecordSet(records.CLASSIFIER, (specification["records"],), specification["sizes"])
        self.batch_size = specification["batch_size"]
        self.batches = evaluation_batches(self.record_set, self.batch_size, length_grouping=True)
        if specification["work"] == "forward":
            self.batches = list(self.batches)
        self.once = getattr(self, specification["work"])
        parameters = sum(variable.value.shape.num_elements() for variable in model.trainable_variables)
        self.about = {"parameters": parameters, "versions": {"TensorFlow": tf.__version__, "Keras": keras.__version__}}

    def evaluate(self):
        means, _ = self.trainer.evaluate(self.batches, kept=self.batch_size)
        return float(means["loss"])

    def predict(self):
        return float(self.trainer.predict(self.batches)["logits"][0][0])

    def forward(self):
        for batch in self.batches:
            outputs = self.trainer.steps.predict(batch)
        return float(outputs["logits"][0, 0])

    def run(self, count):
        for _ in range(count):
            value = self.once()
        return {"examples": count * self.record_set.count, "loss": value}

    def warm_up(self):
        self.run(1)


if __name__ == "__main__":
    worker.serve(Program)
