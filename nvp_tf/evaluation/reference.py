"""Where a score stands among the scores of held-out data."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

_LARGEST = 10_000  # a table of 40 kB; more would not change a percentile visibly


class Reference:
    """The held-out log-probabilities s_1 <= ... <= s_m that the score s of a new image is held against.

        percentile = 100 (#{s_i < s} + #{s_i = s} / 2) / m                       in [0, 100]
        typicality = min(1, 2 min(1 + #{s_i <= s}, 1 + #{s_i >= s}) / (m + 1))   in (0, 1]

    typicality is a two-sided conformal p-value (Vovk et al. 2005): an image exchangeable with the
    held-out ones has typicality <= a with probability at most a, up to ties. Both ends are
    suspicious: a simpler image than any of the data's scores higher than they do (Nalisnick et al. 2019).
    Both are nan where s is.

    Args:
      log_probs: held-out scores, nats; beyond 10,000 of them, evenly spaced ones of the sorted are kept.
      usual: the mean bits of each pixel (`usual_bits`), [height, width] or [D], that an explanation is held against;
        0 where nothing is.
    """

    def __init__(self, log_probs: ArrayLike, usual: ArrayLike = 0.0) -> None:
        self.usual = np.asarray(usual, np.float32)
        scores = np.sort(np.asarray(log_probs, np.float32).ravel())
        if not len(scores) or np.isnan(scores).any():
            raise ValueError(f"the held-out scores are {log_probs!r}, expected at least one and no nan")
        if len(scores) > _LARGEST:
            scores = scores[np.linspace(0, len(scores) - 1, _LARGEST).round().astype(int)]
        self.scores = scores
        bits = len(scores).bit_length()
        self._table = np.pad(scores, (0, 2**bits - 1 - len(scores)), constant_values=np.inf)

    def percentile(self, log_prob: tf.Tensor) -> tf.Tensor:
        """[n] nats -> [n], 0 to 100."""
        below, upto = self._counts(log_prob)
        return self._or_nan(log_prob, 50.0 * (below + upto) / len(self.scores))

    def typicality(self, log_prob: tf.Tensor) -> tf.Tensor:
        """[n] nats -> [n], in (0, 1]."""
        below, upto = self._counts(log_prob)
        tail = tf.minimum(1.0 + upto, 1.0 + len(self.scores) - below)
        return self._or_nan(log_prob, tf.minimum(1.0, 2.0 * tail / (len(self.scores) + 1.0)))

    def _counts(self, log_prob: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """How many held-out scores are below, and how many are not above."""
        table = tf.constant(self._table)
        return self._count(table, log_prob, tf.less), self._count(table, log_prob, tf.less_equal)

    def _count(
        self, table: tf.Tensor, log_prob: tf.Tensor, less: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> tf.Tensor:
        """How many of the scores are less, by bisection: hardly another engine has the op of tf.searchsorted."""
        count = 0
        for bit in reversed(range(len(self._table).bit_length())):
            more = count + 2**bit
            count = tf.where(less(tf.gather(table, more - 1), log_prob), more, count)
        return tf.cast(tf.minimum(count, len(self.scores)), tf.float32)  # the padding is not more than +inf

    def _or_nan(self, log_prob: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.math.is_nan(log_prob), np.nan, value)
