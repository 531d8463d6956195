"""Real NVP's batch normalization as a flow layer."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers import masks
from nvp_tf.layers.base import Bijective, Shape, ValueAndLogDet
from nvp_tf.layers.sharing import shared
from nvp_tf.layers.statistics import moments, move


@keras.saving.register_keras_serializable("nvp_tf")
class BatchNormalization(Bijective):
    """Normalizes the entries that the coupling before it changed, channel by channel (thesis 5.3.4).

        forward:  y = (x - mean) / sqrt(variance + epsilon) where changed,  y = x where kept
        inverse:  x = y * sqrt(variance + epsilon) + mean where changed,    x = y where kept
        log_det:  -1/2 sum over changed entries of log(variance + epsilon), and its negative

    In training, mean and variance are those of the changed entries of the whole batch, over all
    replicas, and gradients flow through them; the running ones move by (1 - momentum) a step.
    In evaluation and in the inverse they are the running ones, so that a score depends on one image alone.
    A training log-likelihood is therefore not a density: the transform of one example knows the others.

    Args:
      mask: the coupling's mask, of the event's shape, True where the input is kept.
      momentum: of the running statistics, in [0, 1).
      epsilon: added to the variance.
    """

    def __init__(self, mask: np.ndarray, momentum: float = 0.9, epsilon: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask = np.asarray(mask, bool)
        self.momentum = momentum
        self.epsilon = epsilon

    def get_config(self) -> dict[str, Any]:
        mine = {"mask": masks.pack(self.mask), "momentum": self.momentum, "epsilon": self.epsilon}
        return super().get_config() | mine

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return super().from_config(config | {"mask": masks.unpack(config["mask"])})

    def _build(self, event_shape: Shape) -> None:
        if event_shape != self.mask.shape:
            raise ValueError(f"{self.name}: event shape is {event_shape}, expected the mask's {self.mask.shape}")
        running = {"shape": event_shape[-1:], "trainable": False, "aggregation": "only_first_replica"}
        self.running_mean = self.add_weight(name="running_mean", initializer="zeros", **running)
        self.running_variance = self.add_weight(name="running_variance", initializer="ones", **running)

    @shared()
    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        mean, variance = self._move(x) if training else (self.running_mean, self.running_variance)
        log_scale = self._log_scale(variance)
        return self._where_changed(x, (x - mean) * tf.exp(log_scale)), self._log_det(x, log_scale)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, nothing = self._forward(x, False)[0], tf.zeros_like(x)
        return y, self._where_changed(nothing, nothing + self._log_scale(self.running_variance))

    @shared()
    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        log_scale = self._log_scale(self.running_variance)
        return self._where_changed(y, y * tf.exp(-log_scale) + self.running_mean), -self._log_det(y, log_scale)

    def _move(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """This batch's statistics, after the running ones have moved towards them."""
        mean, variance = moments(x, tf.constant(~self.mask, x.dtype), self.running_mean)
        # A channel that is kept whole has no statistics: it stays at mean 0 and variance 1.
        changes = tf.constant((~self.mask).any(axis=tuple(range(self.mask.ndim - 1))))
        variance = tf.where(changes, variance, 1)
        move((self.running_mean, self.running_variance), (mean, variance), self.momentum)
        return mean, variance

    def _log_scale(self, variance: tf.Tensor) -> tf.Tensor:
        return -0.5 * tf.math.log(variance + self.epsilon)

    def _where_changed(self, kept: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.constant(self.mask), kept, changed)

    def _log_det(self, x: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
        counts = (~self.mask).sum(axis=tuple(range(self.mask.ndim - 1)))  # changed entries of each channel
        return tf.fill(tf.shape(x)[:1], tf.reduce_sum(tf.constant(counts, x.dtype) * log_scale))
