"""Batch normalization inside a network, which no log-determinant asks for. A plain Keras layer."""

from typing import Any

import keras
import tensorflow as tf

from nvp_tf.layers.base import BatchShape
from nvp_tf.layers.replicas import replicas, sum_over_replicas
from nvp_tf.layers.statistics import moments, move, of_all


@keras.saving.register_keras_serializable("nvp_tf")
class BatchNorm(keras.layers.Layer):
    """The networks' own batch normalization, with an offset and no scale.

    In training with the statistics of the batch over all replicas, in evaluation with the running
    ones. Statistics are float32 where the network computes in bfloat16.

    Args:
      momentum: of the running statistics, in [0, 1).
    """

    EPSILON = 1e-4

    def __init__(self, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.momentum = momentum

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"momentum": self.momentum}

    def build(self, input_shape: BatchShape) -> None:
        shape = (input_shape[-1],)
        running = {"shape": shape, "trainable": False, "aggregation": "only_first_replica"}
        self.running_mean = self.add_weight(name="running_mean", initializer="zeros", **running)
        self.running_variance = self.add_weight(name="running_variance", initializer="ones", **running)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if self._has_kernel(x):
            y, mean, variance = self._kernel(x, training)
        else:
            mean, variance = self.running_mean, self.running_variance
            if training:
                mean, variance = moments(tf.cast(x, self.variable_dtype), about=self.running_mean)
            y = self.normalize(x, mean, variance)
        if training:
            move((self.running_mean, self.running_variance), (mean, variance), self.momentum)
        return y

    def normalize(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """(x - mean) / sqrt(variance + EPSILON) + beta, by whatever statistics."""
        scale, shift = self.scale_and_shift(mean, variance)
        return x * tf.cast(scale, x.dtype) + tf.cast(shift, x.dtype)

    def scale_and_shift(self, mean: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What a channel is multiplied with, and what is then added to it."""
        scale = tf.math.rsqrt(variance + self.EPSILON)
        return scale, self.beta - mean * scale

    def _has_kernel(self, x: tf.Tensor) -> bool:
        return x.shape.rank == 4 and x.dtype != tf.float64

    def _kernel(self, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """By TensorFlow's own: in training a quarter faster a step. (y, mean, biased variance)."""
        beta = tf.convert_to_tensor(self.beta)
        if not training:
            return self._fused(x, tf.ones_like(beta), beta, self.running_mean, self.running_variance)
        if replicas() > 1:
            return self._of_parts(x, beta)
        y, mean, variance = self._fused(x, tf.ones_like(beta), beta)
        return y, mean, _biased(variance, _entries(x))

    def _of_parts(self, x: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """By the statistics of all replicas' parts of the batch.

        With g = dL/dy, r = 1 / sqrt(variance + EPSILON), u = (x - mean) r, and sums over the n entries of all replicas:

            dL/dx = r g - r (sum(g u) u + sum(g)) / n,    dL/dbeta = sum(g), of this replica
        """

        @tf.custom_gradient
        def normalized(x: tf.Tensor, beta: tf.Tensor) -> tuple:
            one, entries = tf.ones_like(beta), _entries(x)
            _, mean, variance = self._fused(x, one, beta)
            found = entries > 0  # else they are NaN
            mean, squares = tf.where(found, mean, 0), tf.where(found, entries * _biased(variance, entries), 0)
            count, mean, variance = of_all(entries * one, mean, squares, tf.convert_to_tensor(self.running_mean))
            y, _, _ = self._fused(x, one, beta, mean, variance)

            def gradient(g: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                straight, with_u, alone, *_ = tf.raw_ops.FusedBatchNormGradV3(
                    y_backprop=g,
                    x=x,
                    scale=one,
                    reserve_space_1=mean,
                    reserve_space_2=variance,
                    reserve_space_3=one,
                    epsilon=self.EPSILON,
                    is_training=False,
                )
                r = tf.math.rsqrt(variance + self.EPSILON)
                sums = sum_over_replicas(tf.stack([with_u, alone]))
                scale, offset = tf.unstack(-r / count * sums)
                around, _, _ = self._fused(x, scale, offset, mean, variance)
                return straight + around, alone

            return (y, mean, variance), gradient

        return normalized(x, beta)

    def _fused(
        self,
        x: tf.Tensor,
        scale: tf.Tensor,
        offset: tf.Tensor,
        mean: tf.Tensor | None = None,
        variance: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """scale (x - mean) / sqrt(variance + EPSILON) + offset, and the statistics: those given, or else those of x, of
        which the variance is then the unbiased one."""
        own = mean is None
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=scale,
            offset=offset,
            mean=[] if own else mean,
            variance=[] if own else variance,
            epsilon=self.EPSILON,
            is_training=own,
        )
        return y, mean, variance


def _entries(x: tf.Tensor) -> tf.Tensor:
    """How many each channel has."""
    return tf.cast(tf.reduce_prod(tf.shape(x)[:3]), tf.float32)


def _biased(variance: tf.Tensor, entries: tf.Tensor) -> tf.Tensor:
    return variance * (entries - 1) / entries
