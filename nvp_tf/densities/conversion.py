"""Nats, bits/dim and mass: the one place where a number of one kind becomes one of another.

A model may have a density of y on some scale, of v = x + u on the integers' own scale with u in [0, 1), or a
probability P(x) of the integers x themselves. Only the last is what rows of one table may be compared in:

    log p(v) = log p(y) + sum log |dy/dv|                   (`density_of_dequantized`)
    log P(x) >= E_u[log p(x + u)]                           Jensen: the cells [x, x + 1) have volume 1
    log P(x) ~ log (1/M) sum_m p(x + u_m)                   (`importance_weighted`), above the mean of the M, below in
                                                            expectation
    bits/dim = -log P(x) / (D ln 2)                         (`bits_per_dim`)
"""

import math
from collections.abc import Callable

import tensorflow as tf

from nvp_tf.models.objectives import bits_per_dim

__all__ = ["bits_per_dim", "cell_noise", "density_of_dequantized", "importance_weighted", "log_weight_mean", "of_each"]


def density_of_dequantized(log_prob: tf.Tensor, dimensions: int, levels: int, width: float) -> tf.Tensor:
    """The log-density of v on [0, levels) from that of y = a + v * width / levels, affine in each dimension.

    Args:
      log_prob: log p(y), nats.
      dimensions: D.
      levels: how many integers a value can be.
      width: what the whole range [0, levels) measures on y's scale, such as 1 or 2.

    Returns:
      log p(v) = log p(y) + D log(width / levels), of the shape of `log_prob`.
    """
    return log_prob + dimensions * math.log(width / levels)


def cell_noise(draws: int, event_shape: tuple[int, ...], seed: tf.Tensor, dtype: str) -> tf.Tensor:
    """u in [0, 1) for dequantization: [draws, *event_shape], the same for every image, so that a score is of it alone.

    Args:
      seed: int [2].
    """
    # Drawn in float32, so that a seed means the same in every dtype.
    return tf.cast(tf.random.stateless_uniform([draws, *event_shape], seed), dtype)


def of_each(noise: tf.Tensor, log_prob: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """log_prob(u) [n] of each u of noise [M, ...]: [M, n], one after the other and one graph for all."""
    return log_prob(noise[0])[None] if noise.shape[0] == 1 else tf.map_fn(log_prob, noise)


def log_weight_mean(log_weights: tf.Tensor) -> tf.Tensor:
    """log (1/M) sum_m w_m over the first axis: [M, n] nats -> [n]; -inf where all weights are 0."""
    return tf.reduce_logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def importance_weighted(log_weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The bound of M independent weights and its standard error (Burda et al. 2016).

    Args:
      log_weights: [M, n] nats, log p(x + u_m), or log p(x, z_m) / q(z_m | x).

    Returns:
      log (1/M) sum w [n], a lower bound of log E[w] in expectation, above the bound of fewer draws; and its error by
      the delta method, std(w) / (sqrt(M) mean(w)) [n]: nan for M = 1, which cannot tell.
    """
    value = log_weight_mean(log_weights)
    draws = log_weights.shape[0]
    finite = tf.where(tf.math.is_finite(value), value, tf.zeros_like(value))
    ratio = tf.exp(log_weights - finite)  # w / mean(w)
    if draws == 1:
        return value, tf.fill(tf.shape(value), tf.constant(math.nan, value.dtype))
    variance = tf.reduce_sum(tf.square(ratio - 1), axis=0) / (draws - 1)
    error = tf.sqrt(variance / draws)
    return value, tf.where(tf.math.is_inf(value), tf.zeros_like(error), error)
