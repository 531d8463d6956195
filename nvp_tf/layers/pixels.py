"""Pixels: integers to reals and back without losing one. The only file that knows the logit's alpha."""

import math
from typing import Any

import keras
import tensorflow as tf

from nvp_tf.layers.base import Bijective, ValueAndLogDet, sum_event


@keras.saving.register_keras_serializable("nvp_tf")
class Pixels(Bijective):
    """Dequantized pixel values in [0, levels) to the reals (thesis 5.3.1).

        v = x + u,  x in {0, ..., levels - 1},  u ~ U[0, 1)        (`dequantize`)
        p = v / levels                                             in [0, 1)
        alpha = 0:  y = low + (high - low) p                       in [low, high)
        alpha > 0:  y = logit(alpha + (1 - 2 alpha) p)
        log_det = sum log dy/dv

    The cells x + [0, 1) have volume 1, so a density of v is a lower bound of the probability of
    the integers x with nothing left to add: `bits_per_dim` of 256 levels needs no "+ 8". The thesis
    prints alpha + (1 - alpha) p, which would map p = 1 to infinity.

    Args:
      levels: the number of integer values, 256 for 8 bits.
      data_range: "unit" for [0, 1] or "symmetric" for [-1, 1]; with a logit it must be "unit".
      alpha: in [0, 0.5); 0 for no logit.
    """

    def __init__(self, levels: int = 256, data_range: str = "unit", alpha: float = 0.05, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if alpha and data_range != "unit":
            raise ValueError(f"data_range is {data_range!r}, expected 'unit' with a logit (alpha {alpha})")
        self.levels = levels
        self.data_range = data_range
        self.low, self.high = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}[data_range]
        self.alpha = alpha

    def get_config(self) -> dict[str, Any]:
        mine = {"levels": self.levels, "data_range": self.data_range, "alpha": self.alpha}
        return super().get_config() | mine

    def dequantize(self, x: tf.Tensor, noise: tf.Tensor | float) -> tf.Tensor:
        """Integers [n, ...] and noise in [0, 1), of the same shape or one that broadcasts -> v."""
        return tf.cast(x, self.compute_dtype) + tf.cast(noise, self.compute_dtype)

    def to_integers(self, v: tf.Tensor) -> tf.Tensor:
        """v -> uint8: the cell that holds it, the nearest one where v lies outside."""
        return tf.cast(tf.clip_by_value(tf.floor(v), 0, self.levels - 1), tf.uint8)

    def _forward(self, v: tf.Tensor, training: bool) -> ValueAndLogDet:
        y, log_slopes = self._entrywise(v)
        return y, sum_event(log_slopes)

    def _entrywise(self, v: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        p = v / self.levels
        if not self.alpha:
            y = self.low + (self.high - self.low) * p
            return y, self._log_slopes(y)
        p = self.alpha + (1 - 2 * self.alpha) * p
        y = tf.math.log(p) - tf.math.log(1 - p)  # p <= 1 - alpha: log1p, which ONNX lacks, would be no better
        return y, self._log_slopes(y)

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        if not self.alpha:
            v = (y - self.low) / (self.high - self.low) * self.levels
            return v, -sum_event(self._log_slopes(y))
        v = (tf.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha) * self.levels
        return v, -sum_event(self._log_slopes(y))

    def _log_slopes(self, y: tf.Tensor) -> tf.Tensor:
        """log dy/dv of each entry."""
        if not self.alpha:
            return tf.fill(tf.shape(y), tf.constant(math.log((self.high - self.low) / self.levels), y.dtype))
        # d logit(p) / dp = 1 / (p (1 - p)), and -log sigmoid is softplus: exact for large |y|.
        before = tf.constant(math.log((1 - 2 * self.alpha) / self.levels), y.dtype)
        return tf.math.softplus(y) + tf.math.softplus(-y) + before
