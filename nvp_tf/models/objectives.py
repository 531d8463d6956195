"""What is reported and what is minimized: bits per dimension, the likelihood's loss, the penalty on the weights."""

import math
from collections.abc import Sequence
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers.replicas import sum_over_replicas

Nats = TypeVar("Nats", float, np.ndarray, tf.Tensor)


def bits_per_dim(log_prob: Nats, dimensions: int) -> Nats:
    """-log_prob / (dimensions * ln 2).

    Args:
      log_prob: nats an example, of the discrete data: every change of variables counted, the
        dequantization and scaling by `Pixels` too.
      dimensions: D, the number of values in one example.

    Returns:
      Bits per dimension, of the shape of `log_prob`.
    """
    return -log_prob / (dimensions * math.log(2))


def maximum_likelihood(
    log_prob: tf.Tensor, scales: Sequence[keras.Variable], l2: float, weights: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """This replica's part of the loss of a step, to be summed over replicas, as its gradients are.

        loss = -sum_n w_n log p(x_n) / N,    total = loss + l2 sum g^2

    N is the number of examples in the whole batch, that of all replicas: the sums are exact for parts of unequal
    size, where a mean of the replicas' means is not.

    Args:
      log_prob: [n] nats, of this replica's examples.
      scales: as `Flow.weight_scales` gives them. l2: the factor of their `weight_penalty`.
      weights: [n], w; None for 1.

    Returns:
      (total, loss), scalars: what the gradient is taken of, and the likelihood's part of it.
    """
    count = sum_over_replicas(tf.cast(tf.shape(log_prob)[0], log_prob.dtype))
    loss = -tf.reduce_sum(log_prob if weights is None else weights * log_prob) / count
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return loss + tf.cast(l2 * weight_penalty(scales) / replicas, loss.dtype), loss


def weight_penalty(scales: Sequence[keras.Variable]) -> tf.Tensor:
    """Sum of squares of the weight-norm scales, Real NVP's L2 term before its factor (thesis 5.3.3).

    Args:
      scales: a list of variables [channels], as `Flow.weight_scales` gives them.
    """
    if not scales:
        return tf.constant(0.0)
    return tf.reduce_sum(tf.square(tf.concat([tf.cast(scale, tf.float32) for scale in scales], axis=0)))
