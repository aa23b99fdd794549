"""Our own predictor."""

import time

import answering
import worker


class Program(answering.Answering):
    def __init__(self, specification):
        super().__init__(specification)
        begin = time.perf_counter()
        import tensorflow as tf

        import bert

        self.model = bert.load(specification["model"], max_seq_length=specification["max_seq_length"])
        self.about = {"versions": {"tensorflow": tf.__version__}, "start_seconds": time.perf_counter() - begin}
        self.label = self.model.stored.label_names[0]

    def answer(self, texts):
        return [prediction.probabilities[self.label] for prediction in self.model.predict(texts)]


if __name__ == "__main__":
    worker.serve(Program)
