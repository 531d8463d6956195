"""Batch statistics over all replicas, as both kinds of batch normalization need them."""

import tensorflow as tf

from nvp_tf.recompute import computed_again


def sum_over_replicas(value):
    """The sum of `value` over the replicas of the current strategy; differentiable.

    Outside a replica context (evaluation, a plain script) there is nothing to sum.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def moments(x, weights=None):
    """Mean and biased variance of the last axis over every other axis and every replica.

    Two passes, since E[x^2] - E[x]^2 loses its digits where the mean is far from 0.

    Args:
      x: [n, ..., channels] float.
      weights: [..., channels] float or None. 1 where an entry counts, 0 where it does not.

    Returns:
      (mean, variance), each [channels].
    """
    weights = tf.ones_like(x) if weights is None else tf.broadcast_to(weights, tf.shape(x))
    axes = list(range(x.shape.rank - 1))
    totals = tf.stack([tf.reduce_sum(weights * x, axes), tf.reduce_sum(weights, axes)])
    totals = sum_over_replicas(totals)
    count = tf.maximum(totals[1], 1)  # a channel with no counted entry has mean and variance 0
    mean = totals[0] / count
    variance = sum_over_replicas(tf.reduce_sum(weights * tf.square(x - mean), axes)) / count
    return mean, variance


def move(running, batch, momentum):
    """Running statistics move by (1 - momentum) towards the batch's, once a step: not where it is recomputed."""
    if computed_again():
        return
    for moving, value in zip(running, batch, strict=True):
        moving.assign(momentum * moving + (1 - momentum) * tf.stop_gradient(value))
