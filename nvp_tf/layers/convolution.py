"""Convolutions of the networks of images. Plain Keras layers."""

from typing import Any

import keras
import tensorflow as tf

from nvp_tf.layers.base import BatchShape


class Convolution(keras.layers.Layer):
    """Convolution, stride 1, zero "SAME" padding, with the `kernel` of a subclass."""

    kernel: tf.Tensor | keras.Variable
    offset: keras.Variable

    def __init__(self, filters: int, kernel_size: int, bias: bool, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.filters, self.kernel_size, self.bias = filters, kernel_size, bias

    def get_config(self) -> dict[str, Any]:
        mine = {name: getattr(self, name) for name in ("filters", "kernel_size", "bias")}
        return super().get_config() | mine

    def build(self, input_shape: BatchShape) -> None:
        if self.bias:
            self.offset = self.add_weight(name="offset", shape=(self.filters,), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.nn.conv2d(x, tf.cast(self.kernel, x.dtype), strides=1, padding="SAME")
        return tf.nn.bias_add(y, tf.cast(self.offset, x.dtype)) if self.bias else y


@keras.saving.register_keras_serializable("nvp_tf")
class WeightNormConv2D(Convolution):
    """Convolution, stride 1, zero "SAME" padding, with kernel g * v / ||v||, a norm for each output channel.

    v ~ U(-a, a), a = sqrt(2 / channels); without `scale`, g is 1 and not learned. The kernel is made in float32
    where the network computes in bfloat16. Reference: Salimans and Kingma 2016; where g is learned and where not
    follows the authors' Real NVP code.

    Args:
      filters, kernel_size: as in `keras.layers.Conv2D`.
      scale: the initial g, as a multiple of the expected ||v||; None for no g.
      bias: whether to add one.
    """

    EPSILON = 1e-12

    def __init__(
        self, filters: int, kernel_size: int, scale: float | None = None, bias: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(filters, kernel_size, bias, **kwargs)
        self.scale = scale

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scale": self.scale}

    def build(self, input_shape: BatchShape) -> None:
        channels, size = input_shape[-1], self.kernel_size
        bound = (2 / channels) ** 0.5
        self.direction = self.add_weight(
            name="direction",
            shape=(size, size, channels, self.filters),
            initializer=keras.initializers.RandomUniform(-bound, bound),
        )
        if self.scale is not None:
            # The expected norm of v: bound * sqrt(channels * size^2 / 3).
            norm = bound * (channels * size**2 / 3) ** 0.5
            initial = keras.initializers.Constant(self.scale * norm)
            self.magnitude = self.add_weight(name="magnitude", shape=(self.filters,), initializer=initial)
        super().build(input_shape)

    @property
    def kernel(self) -> tf.Tensor:
        direction = tf.convert_to_tensor(self.direction)
        scale = tf.math.rsqrt(tf.reduce_sum(tf.square(direction), axis=[0, 1, 2]) + self.EPSILON)
        if self.scale is not None:
            scale = scale * self.magnitude
        return direction * scale
