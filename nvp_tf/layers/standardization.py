"""Standardization: the unit and the origin of each feature are taken out before anything is learned."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers.base import Bijective, Shape, ValueAndLogDet


@keras.saving.register_keras_serializable("nvp_tf")
class Standardization(Bijective):
    """Each feature at mean 0 and deviation 1: a diagonal affine map.

        forward:  y_i = (x_i - mean_i) exp(-s_i),    s_i = log(deviation_i)
        inverse:  x_i = mean_i + exp(s_i) y_i
        log_det:  -sum_i s_i, and its negative

    x is float64 and y what the other layers compute in: of seconds since 1970, 1.7e9 and of deviation 1e5, float32
    would keep three digits, and of what is left of them without their mean it keeps seven. The mean is kept as the sum
    of two weights, in float32 as exact as 48 bits. Nothing here is trained: `fit` sets it from data once, before the
    first step; until then it is the identity.

    Args:
      data_dtype: "float64"; or that of the other layers, for a device that has nothing else.
    """

    def __init__(self, data_dtype: str = "float64", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._data_dtype = data_dtype

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"data_dtype": self._data_dtype}

    @property
    def data_dtype(self) -> str:
        return self._data_dtype

    @property
    def scale(self) -> np.ndarray:
        """The deviations, float64 [D]."""
        return np.exp(self.log_scale.numpy().astype(np.float64))

    def fit(self, mean: np.ndarray, deviation: np.ndarray) -> float:
        """Takes on the moments of a data set: [D] each, float64, deviations above 0. Returns log_det."""
        self.mean.assign(mean)
        self.mean_rest.assign(mean - self.mean.numpy().astype(np.float64))
        self.log_scale.assign(np.log(deviation))
        return float(-np.log(deviation).sum())

    def _build(self, event_shape: Shape) -> None:
        if len(event_shape) != 1:
            raise ValueError(f"{self.name}: event shape is {event_shape}, expected a vector (D,)")
        fixed = {"shape": event_shape, "initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
        self.mean = self.add_weight(name="mean", **fixed)
        self.mean_rest = self.add_weight(name="mean_rest", **fixed)
        self.log_scale = self.add_weight(name="log_scale", **fixed)

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        y = (x - self._mean()) * tf.exp(-tf.cast(self.log_scale, self._data_dtype))
        return tf.cast(y, self.compute_dtype), self._log_det(x)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, _ = self._forward(x, training=False)
        return y, tf.zeros_like(y) - self.log_scale

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        x = self._mean() + tf.exp(tf.cast(self.log_scale, self._data_dtype)) * tf.cast(y, self._data_dtype)
        return x, -self._log_det(y)

    def _mean(self) -> tf.Tensor:
        """In float32 the first weight is as near as it can be."""
        return tf.cast(self.mean, self._data_dtype) + tf.cast(self.mean_rest, self._data_dtype)

    def _log_det(self, value: tf.Tensor) -> tf.Tensor:
        return tf.fill(tf.shape(value)[:1], -tf.reduce_sum(self.log_scale))
