"""Where a score stands among the scores of held-out data."""

from collections.abc import Callable
from typing import Self

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.split import DataSet, Split
from nvp_tf.evaluation.foreign import Examples, Foreign
from nvp_tf.evaluation.ranks import Ranks, or_nan
from nvp_tf.event import Event

RANKS = ("percentile", "typicality", "foreign")
MOST, _TRAIN = 10_000, 4_000  # examples that are scored, at most
_BATCH = 100


class Reference:
    """The held-out log-probabilities s_1 <= ... <= s_m that the score s of a new example is held against.

        percentile = 100 (#{s_i < s} + #{s_i = s} / 2) / m                       in [0, 100]
        typicality = min(1, 2 min(1 + #{s_i <= s}, 1 + #{s_i >= s}) / (m + 1))   in (0, 1]
        foreign    = (1 + #{a_i >= a}) / (m + 1)                                 in (0, 1]

    typicality is a two-sided conformal p-value (Vovk et al. 2005): an image exchangeable with the
    held-out ones has typicality <= a with probability at most a, up to ties. Both ends are
    suspicious: a simpler image than any of the data's scores higher than they do (Nalisnick et al. 2019). foreign
    is one too, of more than the score (`Foreign`). All are nan where s is.

    Args:
      event: of an example.
      held_out: examples with their scores; of more than 10,000, evenly spaced numbers of the sorted ones are kept.
      train: training examples with theirs.
      usual: the mean bits of each pixel (`usual_bits`), [height, width] or [D], that an explanation is held against;
        0 where nothing is.
    """

    def __init__(self, event: Event, held_out: Examples, train: Examples, usual: ArrayLike = 0.0) -> None:
        self.usual = np.asarray(usual, np.float32)
        self.scores = Ranks(held_out.log_prob)
        self.foreign = Foreign(event, train, held_out)

    @classmethod
    def of(
        cls,
        dataset: DataSet,
        log_prob: Callable[[np.ndarray], np.ndarray],
        usual: ArrayLike = 0.0,
        most: int = MOST,
    ) -> Self:
        """Of a data set's splits: up to so many examples of `valid`, and of `train` up to 4,000 of them.

        Where the two are one split, every other example of it is taken for each.

        Args:
          log_prob: scores of [n, *event.shape], nats [n].
        """
        if dataset.train is dataset.valid:
            x = some(dataset.valid, most)
            held_out, train = x[::2], x[1::2]
        else:
            held_out, train = some(dataset.valid, most), some(dataset.train, min(most, _TRAIN))
        return cls(dataset.event, Examples(held_out, log_prob(held_out)), Examples(train, log_prob(train)), usual)

    def ranks(self, x: tf.Tensor, log_prob: tf.Tensor) -> dict[str, tf.Tensor]:
        """Each of `RANKS`, [n], of raw examples [n, *event.shape] and their scores, nats [n]."""
        return {
            "percentile": self.percentile(log_prob),
            "typicality": self.typicality(log_prob),
            "foreign": self.foreign.p_value(x, log_prob),
        }

    def percentile(self, log_prob: tf.Tensor) -> tf.Tensor:
        """[n] nats -> [n], 0 to 100."""
        below, upto = self.scores.below(log_prob), self.scores.upto(log_prob)
        return or_nan(log_prob, 50.0 * (below + upto) / len(self.scores))

    def typicality(self, log_prob: tf.Tensor) -> tf.Tensor:
        """[n] nats -> [n], in (0, 1]."""
        m = len(self.scores)
        tail = tf.minimum(1.0 + self.scores.upto(log_prob), 1.0 + m - self.scores.below(log_prob))
        return or_nan(log_prob, tf.minimum(1.0, 2.0 * tail / (m + 1.0)))


def some(split: Split, most: int) -> np.ndarray:
    """At most so many examples, evenly spaced: a folder's are sorted. Read as evaluation reads them."""
    if split.size <= most:
        return np.concatenate(list(evaluation_batches(split, _BATCH)))
    index = np.linspace(0, split.size - 1, most).round().astype(np.int64)
    seeds = np.stack([np.zeros_like(index), index], axis=1)
    starts = range(0, most, _BATCH)
    return np.concatenate([split.read(index[i : i + _BATCH], seeds[i : i + _BATCH]).numpy() for i in starts])
