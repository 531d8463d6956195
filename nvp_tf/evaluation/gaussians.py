"""A mixture of Gaussians that is fitted here and evaluated in a graph of built-in ops."""

import math
import warnings
from typing import Self

import numpy as np
import tensorflow as tf

_EACH = 80  # examples that a Gaussian is fitted on, at least
_STEPS = 50  # of EM


class Gaussians:
    """p(c) = sum_k w_k N(c; m_k, S_k) with full S_k.

    Args:
      weights, means: [k], [k, q].
      factors: [k, q, q], S_k^-1 = factor factor^T.
    """

    def __init__(self, weights: np.ndarray, means: np.ndarray, factors: np.ndarray) -> None:
        gaussians, size = means.shape
        self._sums = np.repeat(np.eye(gaussians, dtype=np.float32), size, axis=0)
        self._factors = factors.transpose(1, 0, 2).reshape(size, -1).astype(np.float32)
        self._offsets = np.einsum("kq,kqr->kr", means, factors).astype(np.float32).ravel()
        log_volumes = np.log(np.abs(np.diagonal(factors, axis1=1, axis2=2))).sum(axis=1)
        constants = np.log(weights) + log_volumes - 0.5 * size * math.log(2 * math.pi)
        self._constants = constants.astype(np.float32)

    @classmethod
    def fit(cls, rows: np.ndarray, most: int, floor: float) -> Self:
        """By EM, the same in every process.

        Args:
          rows: float64 [n, q].
          most: Gaussians; of few rows there are fewer.
          floor: added to the variances.
        """
        from sklearn.mixture import GaussianMixture

        rows = at_least_two(rows)
        mixture = GaussianMixture(
            max(1, min(most, len(rows) // _EACH)), reg_covar=floor, random_state=0, max_iter=_STEPS
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # so many steps are enough
            mixture.fit(rows)
        return cls(mixture.weights_, mixture.means_, mixture.precisions_cholesky_)

    def log_density(self, rows: tf.Tensor) -> tf.Tensor:
        """float32 [n, q] -> [n]."""
        white = tf.matmul(rows, self._factors) - self._offsets
        # No sum over a third axis: OpenVINO makes the first rows of it alone.
        distance = tf.matmul(tf.square(white), self._sums)
        each = self._constants - 0.5 * distance
        most = tf.reduce_max(each, axis=-1, keepdims=True)
        return most[:, 0] + tf.math.log(tf.reduce_sum(tf.exp(each - most), axis=-1))


def at_least_two(rows: np.ndarray) -> np.ndarray:
    """[n, q]; a single row twice: scikit-learn asks for a variance."""
    return np.resize(rows, (max(2, len(rows)), *rows.shape[1:]))
