"""The importance-weighted bound of a latent variable model, streamed: K draws in blocks of a few."""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Bound(NamedTuple):
    """Two bounds of log p(x) from the same K draws, each float64 [n], nats.

        importance_weighted = log (1/K) sum_k w_k,    its mean is L_K <= log p(x)
        elbo = (1/K) sum_k log w_k,                   its mean is L_1, the evidence lower bound

    L_K never falls as K grows and ends at log p(x) (thesis 4.2.2, Burda et al. 2016). Both are draws: one of them may
    exceed log p(x) by a few of its errors.

    error, elbo_error: standard errors over the draws, std(w) / (sqrt(K) mean(w)) and std(log w) / sqrt(K); nan for
      K = 1, which cannot tell. Where a few weights outweigh all others the first is too small itself; it is 0 where
      all are 0, for then x is surely impossible.
    effective_samples: (sum w)^2 / sum w^2, 1 to K: how many of the draws count.
    """

    importance_weighted: tf.Tensor
    error: tf.Tensor
    elbo: tf.Tensor
    elbo_error: tf.Tensor
    effective_samples: tf.Tensor


def bound(
    log_weights: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], examples: tf.Tensor, samples: int, block: int
) -> Bound:
    """The `Bound` from `samples` draws, of which `block` are in memory at a time; a graph of any length is one block.

    Args:
      log_weights: (first, end) -> log w [end - first, n] of the draws of these numbers, w = p(x, z) / q(z | x), z ~ q.
      examples: n, int32 [].
      samples: K, at least 1.
      block: draws at once, at least 1. The result depends on it by rounding alone.
    """

    def add(first: tf.Tensor, moments: _Moments) -> tuple[tf.Tensor, _Moments]:
        end = tf.minimum(first + block, samples)
        log_w = tf.cast(log_weights(first, end), tf.float64)
        return end, _added(moments, log_w, tf.cast(end - first, tf.float64))

    zeros, nothing = tf.zeros([examples], tf.float64), tf.fill([examples], tf.constant(-math.inf, tf.float64))
    moments = _Moments(tf.zeros((), tf.float64), nothing, nothing, zeros, zeros)
    _, moments = tf.while_loop(
        lambda first, _: first < samples,
        add,
        (tf.constant(0), moments),
        (tf.TensorShape(()), _Moments(tf.TensorShape(()), *[tf.TensorShape([None])] * 4)),
        parallel_iterations=1,
    )
    return _bound(moments)


class _Moments(NamedTuple):
    """Running sums of w and of w^2, as logarithms; the mean of log w, and its squares about that."""

    count: tf.Tensor
    log_sum: tf.Tensor
    log_sum_squares: tf.Tensor
    mean: tf.Tensor
    squares: tf.Tensor


def _added(moments: _Moments, log_w: tf.Tensor, count: tf.Tensor) -> _Moments:
    """With a block [count, n] more (Chan et al. 1983 for the squares about the mean)."""
    total, mean = moments.count + count, tf.reduce_mean(log_w, axis=0)
    step = mean - moments.mean
    between = tf.square(step) * moments.count * count / total
    return _Moments(
        total,
        _logaddexp(moments.log_sum, tf.reduce_logsumexp(log_w, axis=0)),
        _logaddexp(moments.log_sum_squares, tf.reduce_logsumexp(2 * log_w, axis=0)),
        moments.mean + step * count / total,
        moments.squares + tf.reduce_sum(tf.square(log_w - mean), axis=0) + between,
    )


def _bound(moments: _Moments) -> Bound:
    k = moments.count
    effective = tf.exp(2 * moments.log_sum - moments.log_sum_squares)
    variance = tf.where(k > 1, tf.maximum(k / effective - 1, 0) / (k - 1), tf.constant(math.nan, tf.float64))
    return Bound(
        moments.log_sum - tf.math.log(k),
        tf.where(tf.math.is_inf(moments.log_sum), tf.zeros_like(k), tf.sqrt(variance)),
        moments.mean,
        tf.sqrt(moments.squares / (k - 1) / k),
        effective,
    )


def _logaddexp(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_logsumexp(tf.stack([a, b]), axis=0)
