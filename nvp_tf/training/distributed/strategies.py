"""What a training step is spread over."""

import faulthandler
import functools
import signal
import sys
from collections.abc import Callable

import tensorflow as tf

from nvp_tf.errors import WorkerLost, reason
from nvp_tf.runtime import keep_memory
from nvp_tf.training.distributed.cluster import find_cluster
from nvp_tf.training.distributed.rendezvous import meet

_BEGIN = 120  # seconds for TensorFlow's servers to find each other, after all workers have met


def make_strategy(name: str, worker_timeout: float = 600.0) -> tf.distribute.Strategy:
    """A `tf.distribute` strategy by name.

    Args:
      name: "mirrored": a replica on each GPU of this machine, or one on its CPU; "multiworker": those of several
        processes, on one machine or many; "none": one device.
      worker_timeout: seconds that "multiworker" waits for the other workers.

    Raises:
      UserError: "multiworker" without a cluster, or with workers that do not come.
    """
    if name == "multiworker":
        return _multiworker(worker_timeout)
    return _mirrored() if name == "mirrored" else tf.distribute.get_strategy()


def distributed(
    strategy: tf.distribute.Strategy, make: Callable[[tf.distribute.InputContext], tf.data.Dataset]
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """`strategy.distribute_datasets_from_function(make)`. Without a GPU nothing is copied ahead to a device: that would
    be one iterator more, with the thread whose end TensorFlow waits for as `data/pipeline.py` says."""
    if tf.config.list_physical_devices("GPU"):
        return strategy.distribute_datasets_from_function(make)
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):  # of one replica each
        workers = strategy.num_replicas_in_sync
        return make(tf.distribute.InputContext(workers, strategy.cluster_resolver.task_id, workers))
    options = tf.distribute.InputOptions(
        experimental_fetch_to_device=False, experimental_replication_mode=tf.distribute.InputReplicationMode.PER_REPLICA
    )
    return strategy.distribute_datasets_from_function(make, options)


@functools.cache
def _mirrored() -> tf.distribute.MirroredStrategy:
    # One a process: each strategy numbers its collectives from the same start, and TensorFlow remembers
    # their shapes by number, so that a second strategy with another model fails on two devices.
    return tf.distribute.MirroredStrategy()


def _multiworker(worker_timeout: float) -> tf.distribute.MultiWorkerMirroredStrategy:
    cluster = find_cluster()
    keep_memory()
    meet(cluster, worker_timeout, lambda line: print(line, file=sys.stderr, flush=True))
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
    )
    # TensorFlow takes SIGTERM for itself; and if a worker ends in this very second, it waits an hour for it with
    # all of Python standing still: then this process ends, with status 1.
    handler = signal.getsignal(signal.SIGTERM)
    faulthandler.dump_traceback_later(_BEGIN, exit=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.OpError as error:
        raise WorkerLost(
            f"another worker ended as training began ({reason(error)[:200]}): start all of them again"
        ) from None
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGTERM, handler)
