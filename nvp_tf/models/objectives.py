"""What is reported and what is minimized: bits per dimension, and the penalty on the weights."""

import math

import tensorflow as tf


def bits_per_dim(log_prob, dimensions: int):
    """-log_prob / (dimensions * ln 2).

    Args:
      log_prob: nats an example, of the discrete data: every change of variables counted, the
        dequantization and scaling by `Pixels` too.
      dimensions: D, the number of values in one example.

    Returns:
      Bits per dimension, of the shape of `log_prob`.
    """
    return -log_prob / (dimensions * math.log(2))


def weight_penalty(scales):
    """Sum of squares of the weight-norm scales, Real NVP's L2 term before its factor (thesis 5.3.3).

    Args:
      scales: a list of variables, as `Flow.weight_scales` gives them.
    """
    return tf.add_n([tf.reduce_sum(tf.square(tf.cast(s, tf.float32))) for s in scales]) if scales else tf.constant(0.0)
