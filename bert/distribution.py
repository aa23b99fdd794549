"""Where a run computes: one device, or a TPU, as a tf.distribute strategy."""

import logging
import socket
import urllib.parse

import tensorflow as tf

from bert.errors import InputError

logger = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 10.0  # an address that is silent for longer is taken for none; TensorFlow would wait for minutes


def create_strategy(
    use_tpu: bool,
    tpu_name: str | None = None,
    tpu_zone: str | None = None,
    gcp_project: str | None = None,
    master: str | None = None,
    num_tpu_cores: int = 8,
) -> tf.distribute.Strategy:
    """The strategy that the TPU flags ask for; without `use_tpu` the default device.

    Raises InputError where no TPU is found, or one with another number of cores than `num_tpu_cores`.
    """
    if not use_tpu:
        given = {"tpu_name": tpu_name, "tpu_zone": tpu_zone, "gcp_project": gcp_project, "master": master}
        for name in (name for name, value in given.items() if value):
            logger.warning("--%s has no effect without --use_tpu", name)
        return tf.distribute.get_strategy()
    address = tpu_name or master or "local"
    try:
        _check_answers(address)
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(address, zone=tpu_zone, project=gcp_project)
        if address != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        strategy = tf.distribute.TPUStrategy(resolver)
    except Exception as error:  # whatever the cloud, the network or the runtime raises, the user's mend is the same
        reason = str(error).strip().split("\n", maxsplit=1)[0]
        raise InputError(f"--use_tpu: no TPU at '{address}' (--tpu_name, --master): {reason}") from error
    if strategy.num_replicas_in_sync != num_tpu_cores:
        raise InputError(f"--num_tpu_cores is {num_tpu_cores}, the TPU has {strategy.num_replicas_in_sync}")
    return strategy


def _check_answers(address: str) -> None:
    """Raises OSError where nothing listens at a `grpc://host:port`; other addresses are for TensorFlow to resolve."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "grpc":
        socket.create_connection((parts.hostname, parts.port or 8470), SECONDS_TO_ANSWER).close()


def is_tpu(strategy: tf.distribute.Strategy) -> bool:
    return isinstance(strategy, tf.distribute.TPUStrategy)


def describe(strategy: tf.distribute.Strategy) -> str:
    """One line: how many replicas on which devices."""
    kinds = sorted({device.device_type for device in tf.config.list_logical_devices()})
    return f"{strategy.num_replicas_in_sync} replica(s) on {', '.join(kinds)}"
