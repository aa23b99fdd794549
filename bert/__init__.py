"""BERT: pre-training and fine-tuning from the command line, on Keras 3 and TensorFlow 2."""

__version__ = "0.1.0"
