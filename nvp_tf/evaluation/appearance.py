"""What examples look like from afar: a mixture of Gaussians over the principal components of small versions of them."""

import math
import warnings
from typing import Self

import numpy as np
import tensorflow as tf

from nvp_tf.event import Event

SIDE = 16  # pixels of a small version's sides, at most
COMPONENTS, GAUSSIANS = 32, 16
_EACH = 80  # examples that a Gaussian is fitted on, at least
_FLOOR = 0.1  # of the components' mean variance, added to each
_STEPS = 50  # of EM
_BATCH = 1000


class Appearance:
    """p(c) = sum_k w_k N(c; m_k, S_k) of c, the first 32 principal components of an example.

    Images are made small by means of blocks, to sides of at most 16 pixels, with values 0 to 1; vectors are
    standardized. S_k is full. A density of its own, in the graph two small matrix products.

    Args:
      event: of an example.
      mean, scale: [D] of vectors, or of the small images' values in a row, scale 1.
      axes: [D, q], the principal ones.
      weights, means, factors: [k], [k, q], [k, q, q] of the mixture; S_k^-1 = factor factor^T.
    """

    def __init__(
        self,
        event: Event,
        mean: np.ndarray,
        scale: np.ndarray,
        axes: np.ndarray,
        weights: np.ndarray,
        means: np.ndarray,
        factors: np.ndarray,
    ) -> None:
        self.event, self.mean = event, mean
        count, components = means.shape
        self._axes = (axes / scale[:, None]).astype(np.float32)
        self._factors = factors.transpose(1, 0, 2).reshape(components, -1).astype(np.float32)
        self._offsets = np.einsum("kq,kqr->kr", means, factors).astype(np.float32).ravel()
        log_volumes = np.log(np.abs(np.diagonal(factors, axis1=1, axis2=2))).sum(axis=1)
        constants = np.log(weights) + log_volumes - 0.5 * components * math.log(2 * math.pi)
        self._constants = constants.astype(np.float32)
        self._shape = count, components

    @classmethod
    def fit(cls, event: Event, x: np.ndarray) -> Self:
        """By EM, the same in every process.

        Args:
          x: [n, *event.shape], at least two.
        """
        from sklearn.decomposition import PCA
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        rows = _small(event, x)
        mean = rows.mean(axis=0)
        scale = np.ones_like(mean) if event.is_image else np.maximum(rows.std(axis=0), np.finfo(np.float32).tiny)
        rows = (rows - mean) / scale
        # Products this small are no work for threads, which wait for each other where others want the cores.
        with threadpool_limits(1), warnings.catch_warnings():
            pca = PCA(min(COMPONENTS, *rows.shape), svd_solver="full").fit(rows)
            components = pca.transform(rows)
            floor = max(_FLOOR * float(pca.explained_variance_.mean()), 1e-6)
            count = max(1, min(GAUSSIANS, len(rows) // _EACH))
            mixture = GaussianMixture(count, reg_covar=floor, random_state=0, max_iter=_STEPS)
            warnings.simplefilter("ignore")  # so many steps are enough
            mixture.fit(components)
        means = mixture.means_ + pca.transform(np.zeros((1, rows.shape[1])))
        return cls(event, mean, scale, pca.components_.T, mixture.weights_, means, mixture.precisions_cholesky_)

    def surprise(self, x: tf.Tensor) -> tf.Tensor:
        """-log p(c) / q of raw examples [n, *event.shape], [n] nats a component."""
        small = tf.reshape(_shrunk(self.event, x), [-1, len(self.mean)])
        small = tf.cast(small - tf.constant(self.mean, small.dtype), tf.float32)
        count, components = self._shape
        white = tf.matmul(tf.matmul(small, self._axes), self._factors) - self._offsets
        distance = tf.reduce_sum(tf.square(tf.reshape(white, [-1, count, components])), axis=-1)
        each = self._constants - 0.5 * distance
        most = tf.reduce_max(each, axis=-1, keepdims=True)
        log_density = most[:, 0] + tf.math.log(tf.reduce_sum(tf.exp(each - most), axis=-1))
        return -log_density / components


def _small(event: Event, x: np.ndarray) -> np.ndarray:
    """float64 [n, D]."""
    parts = [_shrunk(event, tf.constant(x[i : i + _BATCH])).numpy() for i in range(0, len(x), _BATCH)]
    return np.concatenate(parts).reshape(len(x), -1).astype(np.float64)


def _shrunk(event: Event, x: tf.Tensor) -> tf.Tensor:
    """Images by means of blocks, and vectors as they are."""
    if not event.is_image:
        return x
    x = tf.cast(x, tf.float32) / event.top
    blocks = [-(-side // SIDE) for side in event.shape[:2]]
    return x if max(blocks) == 1 else tf.nn.avg_pool2d(x, blocks, blocks, "SAME")
