"""Whether an example is of the data's kind: a p-value from a few statistics of it and of its score."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nvp_tf.evaluation.appearance import Appearance
from nvp_tf.evaluation.code_length import code_length
from nvp_tf.evaluation.ranks import Ranks
from nvp_tf.event import Event

_LEAST_BITS, _MOST = 0.01, 1e4  # of bits/dim, or nats a dimension: logarithms and squares stay finite
_NARROWEST = 1e-3  # deviation of a statistic
_BATCH = 1000
SCOPE = "statistics"  # of their ops


class Examples(NamedTuple):
    """Examples with a model's score of each.

    x: [n, *event.shape].
    log_prob: [n] nats.
    """

    x: np.ndarray
    log_prob: np.ndarray


class Foreign:
    """p = (1 + #{a_i >= a}) / (m + 1), the conformal p-value of how far out an example is.

        a(x) = (t - mean)^T S^-1 (t - mean)
        t(x) = (log bits/dim by the model, log bits/dim by a code, surprise at its looks)

    The squared distance of three statistics from where those of the training examples lie (Morningstar et al. 2021):
    the model's own score, what `code_length` makes of the image (Serra et al. 2020; as a variable of its own, Osada et
    al. 2024), and `Appearance`. Of vectors, two: -log_prob / D and the last. The mean and covariance are those of the
    training examples; a_i are of held-out ones, so that p is valid whatever was fitted on the others: an example
    exchangeable with the held-out ones has p <= a with probability at most a (Vovk et al. 2005).

    Args:
      event: of an example.
      train: what the statistics' density is fitted on, at least two.
      held_out: what an example is held against.
    """

    def __init__(self, event: Event, train: Examples, held_out: Examples) -> None:
        self.event = event
        self.appearance = Appearance.fit(event, train.x)
        known = _in_batches(self.statistics, train)
        self._mean = known.mean(axis=0)
        covariance = np.cov(known - self._mean, rowvar=False, bias=True) + _NARROWEST**2 * np.eye(known.shape[1])
        self._factor = np.linalg.cholesky(np.linalg.inv(covariance))
        self.ranks = Ranks(_in_batches(self.distance, held_out))

    def statistics(self, x: tf.Tensor, log_prob: tf.Tensor) -> tf.Tensor:
        """t, [n, 3] or [n, 2] float32 of raw examples and their scores."""
        with tf.name_scope(SCOPE):
            nats = tf.minimum(tf.maximum(-tf.cast(log_prob, tf.float32) / self.event.dimensions, -_MOST), _MOST)
            surprise = tf.minimum(self.appearance.surprise(x), _MOST)
            if not self.event.is_image:
                return tf.stack([nats, surprise], axis=-1)
            code = code_length(tf.cast(x, tf.float32), self.event.top + 1) / self.event.dimensions
            bits = [tf.maximum(nats / math.log(2), 0.0), code]
            return tf.stack([*(tf.math.log(each + _LEAST_BITS) for each in bits), surprise], axis=-1)

    def distance(self, x: tf.Tensor, log_prob: tf.Tensor) -> tf.Tensor:
        """a, [n]."""
        centred = self.statistics(x, log_prob) - tf.constant(self._mean, tf.float32)
        # Without a matrix product, whose weights LiteRT's quantizer would take.
        white = tf.reduce_sum(centred[:, :, None] * tf.constant(self._factor, tf.float32), axis=1)
        return tf.reduce_sum(tf.square(white), axis=-1)

    def p_value(self, x: tf.Tensor, log_prob: tf.Tensor) -> tf.Tensor:
        """p, [n] in (0, 1]; nan where log_prob is."""
        return tf.where(tf.math.is_nan(log_prob), np.nan, self.p_of(self.distance(x, log_prob)))

    def p_of(self, distance: tf.Tensor) -> tf.Tensor:
        """p of a, [n]."""
        m = len(self.ranks)
        return (1.0 + m - self.ranks.below(distance)) / (m + 1.0)


def _in_batches(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], examples: Examples) -> np.ndarray:
    x, log_prob = examples.x, np.asarray(examples.log_prob, np.float32)
    starts = range(0, len(log_prob), _BATCH)
    parts = [function(tf.constant(x[i : i + _BATCH]), tf.constant(log_prob[i : i + _BATCH])).numpy() for i in starts]
    return np.concatenate(parts).astype(np.float64)
