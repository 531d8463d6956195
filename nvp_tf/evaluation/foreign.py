"""Whether an example is of the data's kind: a p-value from a few statistics of it and of its score."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nvp_tf.evaluation.appearance import Appearance
from nvp_tf.evaluation.code_length import code_length
from nvp_tf.evaluation.gaussians import Gaussians
from nvp_tf.evaluation.ranks import Ranks, or_nan
from nvp_tf.event import Event

SCOPE = "statistics"  # of the ops
_GAUSSIANS, _FLOOR = 4, 1e-3  # of the density over statistics, whose variances are 1
_LEAST_BITS, _MOST = 0.01, 1e4  # of bits/dim, or nats a dimension: logarithms and squares stay finite
_NARROWEST = 1e-3  # deviation of a statistic
_BATCH = 1000


class Examples(NamedTuple):
    """Examples with a model's score of each.

    x: [n, *event.shape].
    log_prob: [n] nats.
    """

    x: np.ndarray
    log_prob: np.ndarray


class Foreign:
    """p = (1 + #{a_i >= a}) / (m + 1), the conformal p-value of how unusual an example is.

        a(x) = -log q(t(x))
        t(x) = (log bits/dim by the model, log bits/dim by a code, surprise at its looks)

    q is a mixture of four Gaussians over three statistics (Morningstar et al. 2021): the model's own score, what
    `code_length` makes of the image (Serra et al. 2020; as a variable of its own, Osada et al. 2024), and
    `Appearance`. Of vectors, two: -log_prob / D and the last. q is fitted on training examples; a_i are of held-out
    ones, so that p is valid whatever q is: an example exchangeable with the held-out ones has p <= a with
    probability at most a (Vovk et al. 2005).

    Args:
      event: of an example.
      train: what q is fitted on.
      held_out: what an example is held against.
    """

    def __init__(self, event: Event, train: Examples, held_out: Examples) -> None:
        from threadpoolctl import threadpool_limits

        self.event = event
        # Products this small are no work for threads, which wait for each other where others want the cores.
        with threadpool_limits(1):
            self.appearance = Appearance.fit(event, train.x)
            known = _in_batches(self.statistics, train)
            self._mean, self._scale = known.mean(axis=0), np.maximum(known.std(axis=0), _NARROWEST)
            self._density = Gaussians.fit((known - self._mean) / self._scale, _GAUSSIANS, _FLOOR)
        self.ranks = Ranks(_in_batches(self.unusualness, held_out))

    def statistics(self, x: tf.Tensor, log_prob: tf.Tensor) -> tf.Tensor:
        """t, [n, 3] or [n, 2] float32 of raw examples and their scores."""
        nats = tf.minimum(tf.maximum(-tf.cast(log_prob, tf.float32) / self.event.dimensions, -_MOST), _MOST)
        surprise = tf.minimum(self.appearance.surprise(x), _MOST)
        if not self.event.is_image:
            return tf.stack([nats, surprise], axis=-1)
        code = code_length(tf.cast(x, tf.float32), self.event.top + 1) / self.event.dimensions
        bits = [tf.maximum(nats / math.log(2), 0.0), code]
        return tf.stack([*(tf.math.log(each + _LEAST_BITS) for each in bits), surprise], axis=-1)

    def unusualness(self, x: tf.Tensor, log_prob: tf.Tensor) -> tf.Tensor:
        """a, [n] nats, of what `statistics` takes."""
        with tf.name_scope(SCOPE):
            t = (self.statistics(x, log_prob) - tf.constant(self._mean, tf.float32)) / self._scale.astype(np.float32)
            return -self._density.log_density(t)

    def p_value(self, x: tf.Tensor, log_prob: tf.Tensor) -> tf.Tensor:
        """p, [n] in (0, 1]; nan where log_prob is."""
        return or_nan(log_prob, self.p_of(self.unusualness(x, log_prob)))

    def p_of(self, unusualness: tf.Tensor) -> tf.Tensor:
        """p of a, [n]."""
        m = len(self.ranks)
        return (1.0 + m - self.ranks.below(unusualness)) / (m + 1.0)


def _in_batches(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], examples: Examples) -> np.ndarray:
    x, log_prob = examples.x, np.asarray(examples.log_prob, np.float32)
    starts = range(0, len(log_prob), _BATCH)
    parts = [function(tf.constant(x[i : i + _BATCH]), tf.constant(log_prob[i : i + _BATCH])).numpy() for i in starts]
    return np.concatenate(parts).astype(np.float64)
