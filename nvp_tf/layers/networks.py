"""Conditioner networks: what a coupling makes of the part that it keeps. Plain Keras layers."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers import masks
from nvp_tf.layers.base import BatchShape
from nvp_tf.layers.statistics import moments, move


@keras.saving.register_keras_serializable("nvp_tf")
class MLP(keras.layers.Layer):
    """Fully connected ReLU network with a linear output (thesis 5.2). The output starts at 0.

    Args:
      hidden_layers, hidden_units: how many layers, how wide.
      outputs: width of the last axis of the result.
    """

    def __init__(self, hidden_layers: int, hidden_units: int, outputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_layers, self.hidden_units, self.outputs = hidden_layers, hidden_units, outputs
        dtype = self.dtype_policy
        hidden = [
            keras.layers.Dense(hidden_units, activation="relu", kernel_initializer="he_normal", dtype=dtype)
            for _ in range(hidden_layers)
        ]
        self.layers = [*hidden, keras.layers.Dense(outputs, kernel_initializer="zeros", dtype=dtype)]

    def get_config(self) -> dict[str, Any]:
        mine = {name: getattr(self, name) for name in ("hidden_layers", "hidden_units", "outputs")}
        return super().get_config() | mine

    def build(self, input_shape: BatchShape) -> None:
        for layer in self.layers:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


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
        if self._has_kernel(x, training):
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

    def _has_kernel(self, x: tf.Tensor, training: bool) -> bool:
        one_replica = tf.distribute.get_strategy().num_replicas_in_sync == 1
        return x.shape.rank == 4 and x.dtype != tf.float64 and (one_replica or not training)

    def _kernel(self, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """TensorFlow's own, which also does the ReLU after it: in training a quarter faster a step."""
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=tf.ones_like(self.beta),
            offset=self.beta,
            mean=[] if training else self.running_mean,
            variance=[] if training else self.running_variance,
            epsilon=self.EPSILON,
            is_training=training,
        )
        # The variance of a batch is the unbiased one.
        count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), tf.float32)
        return y, mean, variance * (count - 1) / count


@keras.saving.register_keras_serializable("nvp_tf")
class ResidualBlock(keras.layers.Layer):
    """(h, out) -> (h', out'):  h' = h + conv3x3(relu(BN(conv3x3(relu(BN(h)))))),  out' = out + conv1x1(h')."""

    def __init__(self, filters: int, momentum: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        # In this order: a checkpoint has its variables in it.
        self.norm_1 = BatchNorm(momentum, dtype=dtype)
        self.conv_1 = WeightNormConv2D(filters, 3, dtype=dtype)
        self.norm_2 = BatchNorm(momentum, dtype=dtype)
        self.conv_2, self.skip = (WeightNormConv2D(filters, size, scale=0.5, dtype=dtype) for size in (3, 1))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"filters": self.conv_1.filters, "momentum": self.norm_1.momentum}

    def build(self, input_shape: BatchShape) -> None:
        layers: list[keras.layers.Layer] = [self.norm_1, self.norm_2, self.conv_1, self.conv_2, self.skip]
        for layer in layers:
            layer.build(input_shape)
        self.built = True

    @property
    def weight_scales(self) -> list[keras.Variable]:
        return [self.conv_2.magnitude, self.skip.magnitude]

    def call(self, h: tf.Tensor, out: tf.Tensor | float = 0.0, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        r = self.conv_1(tf.nn.relu(self.norm_1(h, training=training)))
        h = h + self.conv_2(tf.nn.relu(self.norm_2(r, training=training)))
        return h, out + self.skip(h)


class ConvNet(keras.layers.Layer):
    """The arguments of a network of images, of whatever layers it is made."""

    mask: np.ndarray | None
    norm_in: BatchNorm
    conv_in: Convolution
    blocks: list[keras.layers.Layer]
    conv_out: Convolution

    def __init__(
        self,
        filters: int,
        blocks: int,
        outputs: int,
        momentum: float = 0.9,
        mask: np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mask = None if mask is None else mask[..., :1]
        self._make(filters, blocks, outputs, momentum, self.dtype_policy)

    def _make(self, filters: int, blocks: int, outputs: int, momentum: float, dtype: keras.DTypePolicy) -> None:
        """Sets the layers."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.conv_in.filters,
            "blocks": len(self.blocks),
            "outputs": self.conv_out.filters,
            "momentum": self.norm_in.momentum,
            "mask": None if self.mask is None else masks.pack(self.mask),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        packed = config["mask"]
        return super().from_config(config | {"mask": None if packed is None else masks.unpack(packed)})


@keras.saving.register_keras_serializable("nvp_tf")
class ResidualConvNet(ConvNet):
    """The residual network of Real NVP (thesis 5.3.3; its details are those of the authors' code).

        u = BN(x);  h = conv3x3(relu([u, -u]));  out = conv1x1(h)
        for each block:  (h, out) = block(h, out)
        result = conv1x1(relu(BN(out)))

    For a masked checkerboard half of x is zeros: then u is doubled and the mask is a channel more.
    Every convolution is weight-normalized. The last one's magnitude starts at 0, so that the result does. It alone
    has a bias: the authors have more, each of which a batch normalization takes away again with the mean.

    Args:
      filters: channels of h.
      blocks: how many residual blocks.
      outputs: channels of the result.
      momentum: of the running statistics.
      mask: [height, width, channels] bool, where the input is not zeroed; None for a dense input.
    """

    def _make(self, filters: int, blocks: int, outputs: int, momentum: float, dtype: keras.DTypePolicy) -> None:
        # In this order: a checkpoint has its variables in it.
        self.norm_in = BatchNorm(momentum, dtype=dtype)
        self.conv_in = WeightNormConv2D(filters, 3, dtype=dtype)
        self.skip_in = WeightNormConv2D(filters, 1, scale=0.5, dtype=dtype)
        self.blocks = [ResidualBlock(filters, momentum, dtype=dtype) for _ in range(blocks)]
        self.norm_out = BatchNorm(momentum, dtype=dtype)
        self.conv_out = WeightNormConv2D(outputs, 1, scale=0.0, bias=True, dtype=dtype)

    def build(self, input_shape: BatchShape) -> None:
        *image, channels = input_shape
        self.norm_in.build(input_shape)
        self.conv_in.build((*image, 2 * channels + (self.mask is not None)))
        layers: list[keras.layers.Layer] = [self.skip_in, *self.blocks, self.norm_out, self.conv_out]
        for layer in layers:
            layer.build((*image, self.conv_in.filters))
        self.built = True

    @property
    def weight_scales(self) -> list[keras.Variable]:
        in_blocks = [scale for block in self.blocks for scale in block.weight_scales]
        return [self.skip_in.magnitude, *in_blocks, self.conv_out.magnitude]

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        h = self.conv_in(tf.nn.relu(signed_parts(self.norm_in(x, training=training), self.mask)))
        out = self.skip_in(h)
        for block in self.blocks:
            h, out = block(h, out, training=training)
        return self.conv_out(tf.nn.relu(self.norm_out(out, training=training)))


def signed_parts(u: tf.Tensor, mask: np.ndarray | None) -> tf.Tensor:
    """[u, -u] in channels; where half of u is zeros, twice that and the mask, [height, width, 1] bool."""
    if mask is None:
        return tf.concat([u, -u], axis=-1)
    ones = tf.broadcast_to(tf.constant(mask, u.dtype), [tf.shape(u)[0], *mask.shape])
    return tf.concat([2 * u, -2 * u, ones], axis=-1)
