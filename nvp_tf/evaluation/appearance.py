"""What examples look like from afar: a density over the principal components of small versions of them."""

from typing import Self

import numpy as np
import tensorflow as tf

from nvp_tf.evaluation.gaussians import Gaussians, at_least_two
from nvp_tf.event import Event

SIDE = 16  # pixels of a small version's sides, at most
COMPONENTS, GAUSSIANS = 32, 16
_FLOOR = 0.1  # of the components' mean variance, added to each
_BATCH = 1000


class Appearance:
    """p(c), a mixture of 16 Gaussians, of c, the first 32 principal components of an example.

    Images are made small by means of blocks, to sides of at most 16 pixels, with values 0 to 1; vectors are
    standardized. A density of its own, in the graph two small matrix products.

    Args:
      event: of an example.
      mean: [D] of vectors, or of the small images' values in a row.
      axes: [D, q], c = axes^T (x - mean).
      gaussians: p(c).
    """

    def __init__(self, event: Event, mean: np.ndarray, axes: np.ndarray, gaussians: Gaussians) -> None:
        self.event, self._mean, self._axes, self._gaussians = event, mean, axes.astype(np.float32), gaussians

    @classmethod
    def fit(cls, event: Event, x: np.ndarray) -> Self:
        """Of examples [n, *event.shape]; the same in every process."""
        from sklearn.decomposition import PCA

        rows = at_least_two(_small(event, x))
        mean = rows.mean(axis=0)
        scale = np.ones_like(mean) if event.is_image else np.maximum(rows.std(axis=0), np.finfo(np.float32).tiny)
        pca = PCA(min(COMPONENTS, *rows.shape), svd_solver="full").fit((rows - mean) / scale)
        axes = pca.components_.T / scale[:, None]
        floor = max(_FLOOR * float(pca.explained_variance_.mean()), 1e-6)
        return cls(event, mean, axes, Gaussians.fit((rows - mean) @ axes, GAUSSIANS, floor))

    def surprise(self, x: tf.Tensor) -> tf.Tensor:
        """-log p(c) / q of raw examples [n, *event.shape], [n] nats a component."""
        small = tf.reshape(_shrunk(self.event, x), [-1, len(self._mean)])
        small = tf.cast(small - tf.constant(self._mean, small.dtype), tf.float32)
        return -self._gaussians.log_density(tf.matmul(small, self._axes)) / self._axes.shape[1]


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
