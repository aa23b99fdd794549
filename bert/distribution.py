"""Where a run computes: one device, several, several workers or a TPU, as a tf.distribute strategy."""

import atexit
import json
import logging
import os
import shutil
import socket
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from bert import files
from bert.errors import InputError

logger = logging.getLogger(__name__)

KINDS = ("auto", "one_device", "mirrored", "multi_worker", "tpu")
SECONDS_TO_ANSWER = 10.0  # an address that is silent for longer is taken for none; TensorFlow would wait for minutes
_JOBS = ("chief", "worker", "evaluator", "ps")  # TensorFlow's; those of a cluster that train are the first two
_CONFIG = {"cluster?": {f"{job}?": [str] for job in _JOBS}}


def create_strategy(
    distribution: str = "auto",
    use_tpu: bool = False,
    tpu_name: str | None = None,
    tpu_zone: str | None = None,
    gcp_project: str | None = None,
    master: str | None = None,
    num_tpu_cores: int = 8,
) -> tf.distribute.Strategy:
    """The strategy that the flags ask for. Must come before TensorFlow computes anything.

    `auto` is the TPU with `use_tpu`, several workers where TF_CONFIG names them, several GPUs where there are, else one
    device. Raises InputError where what is asked for is not there.
    """
    if use_tpu and distribution not in ("auto", "tpu"):
        raise InputError(f"`use_tpu` is True and `distribution` is {distribution}: give only one of them")
    named = workers()
    if distribution == "auto":
        num_gpus = len(tf.config.list_physical_devices("GPU"))
        kinds = {"tpu": use_tpu, "multi_worker": len(named) > 1, "mirrored": num_gpus > 1, "one_device": True}
        distribution = next(kind for kind, is_there in kinds.items() if is_there)
    if distribution == "tpu":
        return _tpu_strategy(tpu_name, tpu_zone, gcp_project, master, num_tpu_cores)
    given = {"tpu_name": tpu_name, "tpu_zone": tpu_zone, "gcp_project": gcp_project, "master": master}
    for name in (name for name, value in given.items() if value):
        logger.warning("`%s` has no effect without `use_tpu`", name)
    if distribution == "multi_worker":
        if not named:
            raise InputError("`distribution`=multi_worker: the environment variable TF_CONFIG names no workers")
        _check_task()
        return tf.distribute.MultiWorkerMirroredStrategy()
    if distribution == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def workers() -> list[str]:
    """The addresses of TF_CONFIG's workers. Raises InputError for a TF_CONFIG that is not what TensorFlow reads."""
    cluster = _tf_config().get("cluster", {})
    return [*cluster.get("chief", []), *cluster.get("worker", [])]


def _tf_config(schema: Mapping = _CONFIG) -> Mapping[str, Any]:
    text = os.environ.get("TF_CONFIG", "").strip() or "{}"
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InputError(f"TF_CONFIG is {text!r}, expected JSON with a cluster of workers and a task")
    return files.checked(values, schema, f"TF_CONFIG is {text!r}")


def _check_task() -> None:
    """Raises InputError where TF_CONFIG does not say which of the workers this process is, or names jobs that are not
    TensorFlow's."""
    config = _tf_config({**_CONFIG, "task": {"type": str, "index": (int, str)}})
    cluster, task = config["cluster"], config["task"]
    if unknown := sorted(cluster.keys() - set(_JOBS)):
        raise InputError(f"TF_CONFIG: 'cluster' has '{unknown[0]}', expected some of {', '.join(_JOBS)}")
    for job, allowed in (("chief", (1,)), ("evaluator", (0, 1))):
        if job in cluster and len(cluster[job]) not in allowed:
            raise InputError(f"TF_CONFIG: 'cluster.{job}' names {len(cluster[job])}, expected one")
    known = [(job, str(index)) for job in ("chief", "worker") for index in range(len(cluster.get(job, [])))]
    if (task["type"], str(task["index"])) not in known:
        expected = ", ".join(f"{job} {index}" for job, index in known)
        raise InputError(f"TF_CONFIG: 'task' is {task['type']} {task['index']}, expected one of {expected}")


def _tpu_strategy(
    tpu_name: str | None, tpu_zone: str | None, gcp_project: str | None, master: str | None, num_tpu_cores: int
) -> tf.distribute.Strategy:
    address = tpu_name or master or "local"
    try:
        _check_answers(address)
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(address, zone=tpu_zone, project=gcp_project)
        if address != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        strategy = tf.distribute.TPUStrategy(resolver)
    except Exception as error:  # whatever the cloud, the network or the runtime raises, the user's mend is the same
        reason = str(error).strip().split("\n", maxsplit=1)[0].split(". Failed in initialization", maxsplit=1)[0]
        raise InputError(f"`use_tpu`: no TPU at '{address}' (`tpu_name`, `master`): {reason}") from error
    if strategy.num_replicas_in_sync != num_tpu_cores:
        raise InputError(f"`num_tpu_cores` is {num_tpu_cores}, the TPU has {strategy.num_replicas_in_sync}")
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


def has_peers(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes take the same steps."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes: the chief, or worker 0 where none is called chief."""
    if not has_peers(strategy):
        return True
    resolver = strategy.cluster_resolver
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return resolver.task_type == "chief" or (not has_chief and resolver.task_id == 0)


def folder_to_forget() -> str:
    """A folder for what a worker writes that is not the chief; it goes when the process ends."""
    folder = tempfile.mkdtemp(prefix="bert-worker-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def distribute(strategy: tf.distribute.Strategy, batches: tf.data.Dataset) -> Iterable:
    """Spreads whole batches over the replicas, each an equal run of rows, in the order of the replicas."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches

    def parts(value: tf.Tensor) -> tf.Tensor:
        """[B, ...] as [replicas, B / replicas, ...]; where the number of rows is known it stays so."""
        rows = None if value.shape[0] is None else value.shape[0] // replicas
        found = tf.reshape(value, tf.concat([[replicas, -1], tf.shape(value)[1:]], axis=0))
        return tf.ensure_shape(found, [replicas, rows, *value.shape[1:]])

    def own_parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        own = replicas // context.num_input_pipelines
        first = own * context.input_pipeline_id

        def split(batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {name: parts(value)[first : first + own] for name, value in batch.items()}

        return batches.map(split).unbatch().prefetch(2 * own)

    return strategy.distribute_datasets_from_function(own_parts)


def peak_memory() -> dict[str, str]:
    """The largest memory use of a GPU so far, for the progress line; empty where there is none."""
    devices = tf.config.list_logical_devices("GPU")
    peaks = [tf.config.experimental.get_memory_info(device.name)["peak"] for device in devices]
    return {"memory": f"{max(peaks) / 2**30:.1f} GiB"} if peaks else {}
