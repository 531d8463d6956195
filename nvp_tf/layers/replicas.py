"""What the replicas of a step tell each other: sums."""

import functools
import itertools
from typing import Any

import numpy as np
import tensorflow as tf

from nvp_tf.runtime import gpus

_numbers = itertools.count(1)  # of exchanges; each worker traces the same ones in the same order


def replicas() -> int:
    """How many share the step that is being traced; outside of one (evaluation, a plain script) 1."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def sum_over_replicas(value: tf.Tensor | list[tf.Tensor]) -> tf.Tensor | list[tf.Tensor]:
    """The sum of `value` over the replicas, the same to the bit in each; differentiable.

    Args:
      value: one tensor, small and needed at once; or a list of them, which are exchanged together.
    """
    if replicas() == 1:
        return value
    mesh = getattr(tf.distribute.get_strategy(), "mesh", None)
    if mesh is None or gpus():
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
    if isinstance(value, tf.Tensor):
        return _sum_over_mesh(value)
    return _exchanged(mesh, value)


@tf.custom_gradient
def _sum_over_mesh(value: tf.Tensor) -> tuple:
    [total] = _exchanged(tf.distribute.get_strategy().mesh, [value])
    return total, _sum_over_mesh


def _exchanged(mesh: Any, values: list[tf.Tensor]) -> list[tf.Tensor]:
    """By a `training.distributed.mesh.Mesh`: TensorFlow runs calls of Python in the order in which they are traced."""
    exchange = functools.partial(_call, mesh, next(_numbers))
    totals = tf.numpy_function(exchange, values, [value.dtype for value in values])
    for total, value in zip(totals, values, strict=True):
        total.set_shape(value.shape)
    return totals


def _call(mesh: Any, number: int, *arrays: np.ndarray) -> list[np.ndarray]:
    return mesh.sum(arrays, number)
