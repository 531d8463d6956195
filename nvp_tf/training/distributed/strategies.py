"""What a training step is spread over."""

import faulthandler
import functools
import signal
import sys
from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.eager import context  # nothing public asks for a worker's health

from nvp_tf.errors import reason
from nvp_tf.runtime import gpus, keep_memory
from nvp_tf.training.distributed.cluster import find_cluster
from nvp_tf.training.distributed.mesh import Mesh
from nvp_tf.training.distributed.rendezvous import lost_at_start, meet

_SILENCE = 8000  # milliseconds, after which a worker that does not answer is taken for gone
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
    if gpus():
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


class MeshStrategy(tf.distribute.MultiWorkerMirroredStrategy):
    """One whose workers have sockets of ours, too.

    Attributes:
      mesh: a Mesh. Sums of processes without GPUs go over it (`layers/replicas.py`), and all that is said beside steps.
    """

    def __init__(self, resolver: tf.distribute.cluster_resolver.ClusterResolver, mesh: Mesh) -> None:
        super().__init__(resolver)
        self.mesh = mesh


def _ask(number: int) -> None:
    """TensorFlow's server in that worker, which answers whatever Python does there."""
    task = f"/job:worker/replica:0/task:{number}"
    try:
        context.context().check_collective_ops_peer_health(task, timeout_in_ms=_SILENCE)
    except tf.errors.OpError as error:
        raise ConnectionError(reason(error)[:150]) from None


def _multiworker(worker_timeout: float) -> MeshStrategy:
    cluster = find_cluster()
    keep_memory()
    others = meet(cluster, worker_timeout, lambda line: print(line, file=sys.stderr, flush=True))
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": gpus()},
    )
    # TensorFlow takes SIGTERM for itself; and if a worker ends in this very second, it waits an hour for it with
    # all of Python standing still: then this process ends, with status 1.
    handler = signal.getsignal(signal.SIGTERM)
    faulthandler.dump_traceback_later(_BEGIN, exit=True)
    try:
        return MeshStrategy(resolver, Mesh(cluster.index, others, _ask))
    except tf.errors.OpError as error:
        raise lost_at_start(reason(error)[:200]) from None
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGTERM, handler)
