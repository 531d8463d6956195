"""The network of images: what a coupling makes of the part that it keeps. Plain Keras layers."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers import masks
from nvp_tf.layers.base import BatchShape
from nvp_tf.layers.convolution import Convolution, WeightNormConv2D
from nvp_tf.layers.network_norm import BatchNorm


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
