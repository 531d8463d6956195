"""ZCA whitening: what is known of second moments is taken out before anything is learned."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers.base import Bijective, Shape, ValueAndLogDet, evenly


@keras.saving.register_keras_serializable("nvp_tf")
class Whitening(Bijective):
    """ZCA: the rotation-free linear map that makes the covariance (almost) the identity (thesis table 5.1).

        forward:  y = (x - mean) W,      W = V diag(lambda + epsilon)^(-1/2) V^T
        inverse:  x = y W^(-1) + mean
        log_det:  log |det W| = -1/2 sum log(lambda + epsilon), and its negative

    lambda and V are the eigenvalues and eigenvectors of the data's covariance, epsilon is a share of
    the mean eigenvalue. Its log_det is counted, so that a score stays one of the pixels; it mixes entries, and
    `entrywise` shares its log_det evenly. Nothing here is trained: `fit` sets it from data once, before the first
    step; until then it is the identity.

    Args:
      share: epsilon / mean(lambda), above 0.
    """

    def __init__(self, share: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"share": self.share}

    def fit(self, mean: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
        """Takes on the moments of a data set: [D] and [D, D], float64. Returns (epsilon, log_det)."""
        values, vectors = np.linalg.eigh(covariance)
        # Rounding makes eigenvalues of constant pixels slightly negative.
        values = np.maximum(values, 0)
        epsilon = self.share * values.mean()
        spread = np.sqrt(values + epsilon)
        self.mean.assign(mean)
        self.matrix.assign((vectors / spread) @ vectors.T)
        self.inverse_matrix.assign((vectors * spread) @ vectors.T)
        log_det = -np.log(spread).sum()
        self.log_det.assign(log_det)
        return float(epsilon), float(log_det)

    def _build(self, event_shape: Shape) -> None:
        if len(event_shape) != 1:
            raise ValueError(f"{self.name}: event shape is {event_shape}, expected a vector (D,)")
        (size,) = event_shape
        fixed = {"trainable": False, "aggregation": "only_first_replica"}
        self.mean = self.add_weight(name="mean", shape=(size,), initializer="zeros", **fixed)
        self.matrix = self.add_weight(name="matrix", shape=(size, size), initializer="identity", **fixed)
        self.inverse_matrix = self.add_weight(
            name="inverse_matrix", shape=(size, size), initializer="identity", **fixed
        )
        self.log_det = self.add_weight(name="log_det", shape=(), initializer="zeros", **fixed)

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        return tf.matmul(x - self.mean, self.matrix), tf.fill(tf.shape(x)[:1], self.log_det)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = self._forward(x, training=False)
        return y, evenly(log_det, self.event_shape)

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        return tf.matmul(y, self.inverse_matrix) + self.mean, tf.fill(tf.shape(y)[:1], -self.log_det)
