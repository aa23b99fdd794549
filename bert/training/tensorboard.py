"""Scalars for TensorBoard, without the package tensorboard that TensorFlow's own writer of them would need."""

import os
import socket
import time
from collections.abc import Mapping

import tensorflow as tf
from tensorflow.core.framework import summary_pb2
from tensorflow.core.util import event_pb2

from bert import files


class EventFile:
    """An event file of its own for every start of the command, in `folder`."""

    def __init__(self, folder: str, start_step: int) -> None:
        stamp = f"{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        path = os.path.join(folder, f"events.out.tfevents.{stamp}")
        if not files.is_remote(path):
            open(path, "xb").close()  # nobody has planted a link of this name in a shared folder
        self.writer = tf.io.TFRecordWriter(path)
        self._write(event_pb2.Event(file_version="brain.Event:2"))
        if start_step:  # tells TensorBoard to drop what an earlier try wrote after this step
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(event_pb2.Event(step=start_step + 1, session_log=start))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        scalars = [summary_pb2.Summary.Value(tag=name, simple_value=float(value)) for name, value in values.items()]
        self._write(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=scalars)))

    def close(self) -> None:
        self.writer.close()

    def _write(self, event: event_pb2.Event) -> None:
        event.wall_time = time.time()
        self.writer.write(event.SerializeToString())
        self.writer.flush()
