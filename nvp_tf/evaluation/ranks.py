"""How many of some held-out numbers are less than another, in ops that every engine has."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

_LARGEST = 10_000  # a table of 40 kB; more would not change a rank visibly


class Ranks:
    """The held-out numbers s_1 <= ... <= s_m, which others are counted among.

    Args:
      numbers: s, at least one and no nan; beyond 10,000 of them, evenly spaced ones of the sorted are kept.
    """

    def __init__(self, numbers: ArrayLike) -> None:
        found = np.sort(np.asarray(numbers, np.float32).ravel())
        if not len(found) or np.isnan(found).any():
            raise ValueError(f"the held-out scores are {numbers!r}, expected at least one and no nan")
        if len(found) > _LARGEST:
            found = found[np.linspace(0, len(found) - 1, _LARGEST).round().astype(int)]
        self.numbers = found
        bits = len(found).bit_length()
        self._table = np.pad(found, (0, 2**bits - 1 - len(found)), constant_values=np.inf)

    def __len__(self) -> int:
        return len(self.numbers)

    def below(self, s: tf.Tensor) -> tf.Tensor:
        """#{s_i < s}, [n] float32."""
        return self._count(s, tf.less)

    def upto(self, s: tf.Tensor) -> tf.Tensor:
        """#{s_i <= s}, [n] float32."""
        return self._count(s, tf.less_equal)

    def _count(self, s: tf.Tensor, less: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """By bisection: hardly another engine has the op of tf.searchsorted."""
        table, count = tf.constant(self._table), 0
        for bit in reversed(range(len(self._table).bit_length())):
            more = count + 2**bit
            count = tf.where(less(tf.gather(table, more - 1), s), more, count)
        return tf.cast(tf.minimum(count, len(self)), tf.float32)  # the padding is not more than +inf


def or_nan(s: tf.Tensor, rank: tf.Tensor) -> tf.Tensor:
    """Its rank where s is a number, else nan: [n] of [n]."""
    return tf.where(tf.math.is_nan(s), np.nan, rank)
