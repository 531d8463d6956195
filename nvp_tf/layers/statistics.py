"""Batch statistics over all replicas, as both kinds of batch normalization need them."""

from collections.abc import Iterable

import keras
import tensorflow as tf

from nvp_tf.layers.recompute import computed_again
from nvp_tf.layers.replicas import replicas, sum_over_replicas


def moments(
    x: tf.Tensor, weights: tf.Tensor | None = None, about: tf.Tensor | float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and biased variance of the last axis over every other axis and every replica.

    Two passes on each replica, since E[x^2] - E[x]^2 loses its digits where the mean is far from 0. Replicas' counts
    n_r, means m_r and sums of squares s_r make those of all in one exchange, about a point a:

        mean = a + sum n_r (m_r - a) / n,    variance = sum (s_r + n_r (m_r - a)^2) / n - (mean - a)^2

    Args:
      x: [n, ..., channels] float.
      weights: [..., channels] float or None. 1 where an entry counts, 0 where it does not.
      about: [channels], near the mean and the same on each replica, such as the running mean.

    Returns:
      (mean, variance), each [channels].
    """
    weights = tf.ones_like(x) if weights is None else tf.broadcast_to(weights, tf.shape(x))
    axes = list(range(x.shape.rank - 1))
    count = tf.reduce_sum(weights, axes)
    mean = tf.reduce_sum(weights * x, axes) / tf.maximum(count, 1)  # a channel with no counted entry has 0 and 0
    squares = tf.reduce_sum(weights * tf.square(x - mean), axes)
    if replicas() == 1:
        return mean, squares / tf.maximum(count, 1)
    _, mean, variance = of_all(count, mean, squares, about)
    return mean, variance


def of_all(
    count: tf.Tensor, mean: tf.Tensor, squares: tf.Tensor, about: tf.Tensor | float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The replicas' n_r, m_r and s_r as (n, mean, biased variance) of all, each [channels]."""
    apart = mean - about
    count, apart, squares = tf.unstack(
        sum_over_replicas(tf.stack([count, count * apart, squares + count * tf.square(apart)]))
    )
    apart, squares = apart / tf.maximum(count, 1), squares / tf.maximum(count, 1)
    return count, tf.where(count > 0, about + apart, 0), tf.maximum(squares - tf.square(apart), 0)


def move(running: Iterable[keras.Variable], batch: Iterable[tf.Tensor], momentum: float) -> None:
    """Running statistics move by (1 - momentum) towards the batch's, once a step: not where it is recomputed."""
    if computed_again():
        return
    for moving, value in zip(running, batch, strict=True):
        moving.assign(momentum * moving + (1 - momentum) * tf.stop_gradient(value))
