"""What the networks of images are while their weights stay as they are: the same to rounding, with less to do."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers.base import BatchShape
from nvp_tf.layers.convolution import Convolution, WeightNormConv2D
from nvp_tf.layers.network_norm import BatchNorm
from nvp_tf.layers.residual_network import ConvNet, ResidualBlock, ResidualConvNet, signed_parts


@keras.saving.register_keras_serializable("nvp_tf")
class FixedConv2D(Convolution):
    """A convolution whose kernel is a weight, kept in what it computes in.

    Args:
      filters, kernel_size, bias: as in `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: int, bias: bool = False, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, bias, **kwargs)

    def build(self, input_shape: BatchShape) -> None:
        size = self.kernel_size
        shape = (size, size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, dtype=self.compute_dtype)
        super().build(input_shape)

    def set(self, kernel: np.ndarray, offset: np.ndarray | None = None) -> None:
        """offset: where there is a bias."""
        self.kernel.assign(kernel)
        if self.bias:
            self.offset.assign(offset)


@keras.saving.register_keras_serializable("nvp_tf")
class FixedBlock(keras.layers.Layer):
    """(h, out) -> (h', out'):  h' = h + r, out' = out + conv1x1(h'),  r = conv3x3(relu(conv3x3(relu(BN(h)))))

    The last block's h' goes into nothing but out', which is linear in it:  out' = out + r

    Args:
      filters, momentum: as of `ResidualBlock`.
      last: whether no block follows.
    """

    def __init__(self, filters: int, momentum: float, last: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.last = last
        self.norm_1 = BatchNorm(momentum, dtype=dtype)
        self.conv_1 = FixedConv2D(filters, 3, bias=True, dtype=dtype)
        self.conv_2 = FixedConv2D(filters, 3, dtype=dtype)
        if not last:
            self.skip = FixedConv2D(filters, 1, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        mine = {"filters": self.conv_1.filters, "momentum": self.norm_1.momentum, "last": self.last}
        return super().get_config() | mine

    def build(self, input_shape: BatchShape) -> None:
        layers: list[keras.layers.Layer] = [self.norm_1, self.conv_1, self.conv_2]
        for layer in layers if self.last else [*layers, self.skip]:
            layer.build(input_shape)
        self.built = True

    def call(self, h: tf.Tensor, out: tf.Tensor | float = 0.0) -> tuple[tf.Tensor, tf.Tensor]:
        r = self.conv_2(tf.nn.relu(self.conv_1(tf.nn.relu(self.norm_1(h)))))
        if self.last:
            return h, out + r
        h = h + r
        return h, out + self.skip(h)


@keras.saving.register_keras_serializable("nvp_tf")
class FixedConvNet(ConvNet):
    """The function that a `ResidualConvNet` is while its weights stay as they are (`set_as`).

        u = BN(x);  h = conv3x3(relu([u, -u]));  out = conv1x1(h)
        for each block:  (h, out) = block(h, out)
        result = conv1x1(relu(out + offset))

    Kernels are what weight normalization makes of them. A batch normalization that follows convolutions alone is in
    theirs but for the offset t, as the last block's skip S is:

        (x * k) s + t = x * (k s) + t,    s = 1 / sqrt(variance + EPSILON),    t = beta - mean s
        S' h + S (h + x * k) = (S' + S) h + x * (k S)

    No convolution whose result is added to another one has a bias: TensorFlow would do all three in one kernel, which
    threads cannot share.

    Args:
      as of `ResidualConvNet`.
    """

    def _make(self, filters: int, blocks: int, outputs: int, momentum: float, dtype: keras.DTypePolicy) -> None:
        self.norm_in = BatchNorm(momentum, dtype=dtype)
        self.conv_in = FixedConv2D(filters, 3, dtype=dtype)
        self.skip_in = FixedConv2D(filters, 1, dtype=dtype)
        self.blocks = [FixedBlock(filters, momentum, last=i == blocks - 1, dtype=dtype) for i in range(blocks)]
        self.conv_out = FixedConv2D(outputs, 1, bias=True, dtype=dtype)

    def build(self, input_shape: BatchShape) -> None:
        *image, channels = input_shape
        self.norm_in.build(input_shape)
        self.conv_in.build((*image, 2 * channels + (self.mask is not None)))
        layers: list[keras.layers.Layer] = [self.skip_in, *self.blocks, self.conv_out]
        for layer in layers:
            layer.build((*image, self.conv_in.filters))
        self.offset = self.add_weight(name="offset", shape=(self.conv_in.filters,), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training:
            raise ValueError(f"{self.name} is fixed, expected training=False")
        h = self.conv_in(tf.nn.relu(signed_parts(self.norm_in(x), self.mask)))
        out = self.skip_in(h)
        for block in self.blocks:
            h, out = block(h, out)
        return self.conv_out(tf.nn.relu(tf.nn.bias_add(out, tf.cast(self.offset, out.dtype))))

    def set_as(self, network: ResidualConvNet) -> None:
        """Becomes what `network` is."""
        scale, shift = _scale_and_shift(network.norm_out)
        *skips, last = (_kernel(conv) * scale for conv in (network.skip_in, *(block.skip for block in network.blocks)))
        self.norm_in.set_weights(network.norm_in.get_weights())
        self.conv_in.set(_kernel(network.conv_in))
        self.conv_out.set(_kernel(network.conv_out), network.conv_out.offset.numpy())
        self.offset.assign(shift)
        if not self.blocks:
            self.skip_in.set(last)
            return
        skips[-1] = skips[-1] + last
        self.skip_in.set(skips[0])
        for block, other, skip in zip(self.blocks, network.blocks, [*skips[1:], None], strict=True):
            block.norm_1.set_weights(other.norm_1.get_weights())
            block.conv_1.set(*_normalized(other))
            if skip is None:
                block.conv_2.set(_kernel(other.conv_2) @ last[0, 0])
            else:
                block.conv_2.set(_kernel(other.conv_2))
                block.skip.set(skip)


def _kernel(conv: WeightNormConv2D) -> np.ndarray:
    """In float64, as all that is made of it, which is then rounded once."""
    return conv.kernel.numpy().astype(np.float64)


def _scale_and_shift(norm: BatchNorm) -> tuple[np.ndarray, np.ndarray]:
    mean, variance, beta = (w.numpy().astype(np.float64) for w in (norm.running_mean, norm.running_variance, norm.beta))
    scale = 1 / np.sqrt(variance + norm.EPSILON)
    return scale, beta - mean * scale


def _normalized(block: ResidualBlock) -> tuple[np.ndarray, np.ndarray]:
    """The kernel and the offset of a block's first convolution with the batch normalization after it."""
    scale, shift = _scale_and_shift(block.norm_2)
    return _kernel(block.conv_1) * scale, shift
