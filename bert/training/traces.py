"""What a training leaves behind in TensorFlow, and must not where another one follows in the same process."""

import contextlib
import gc
import logging
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.framework import ops


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """Lets go of the graphs that are traced inside, and of the variables they read; nobody is told of tracing again.

    TensorFlow keeps the gradient of each `tf.custom_gradient` of each graph for ever, by a name that is never asked for
    again, and with it the graph: all weights and slots of a model that is gone. It also counts how often a function is
    traced, wherever its object went, and takes the second model for a mistake.
    """
    gradients, log = ops.gradient_registry._registry, tf.get_logger()
    before = set(gradients)
    log.addFilter(_is_no_advice)
    try:
        yield
    finally:
        log.removeFilter(_is_no_advice)
        for name in gradients.keys() - before:
            if name.startswith("CustomGradient-"):
                del gradients[name]
        gc.collect()  # a model and its functions refer to each other


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
