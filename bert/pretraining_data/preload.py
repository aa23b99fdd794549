"""What the fork server of `streaming` imports, once for all workers, and without the lines TensorFlow writes then."""

from bert import quiet

with quiet.standard_error_held():
    import tensorflow  # noqa: F401
    import tensorflow_text  # noqa: F401
