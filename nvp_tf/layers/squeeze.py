"""Squeeze: 2x2 blocks of pixels become channels, and back. No entry is changed, so log_det = 0."""

from typing import Any

import keras
import tensorflow as tf

from nvp_tf.layers.base import Bijective, Shape, ValueAndLogDet, no_log_det

ORDERS = ("plain", "ordered")


class _Ordered(Bijective):
    """What squeezing and its inverse share: the order of the channels."""

    def __init__(self, order: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}, expected one of {', '.join(ORDERS)}")
        self.order = order

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"order": self.order}

    def at_data(self, values: tf.Tensor) -> tf.Tensor:
        return self._inverse(values)[0]

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._forward(x, training=False)[0], tf.zeros_like(x)


@keras.saving.register_keras_serializable("nvp_tf")
class Squeeze(_Ordered):
    """[H, W, C] -> [H/2, W/2, 4C] (figure 5.9), in one of two orders of the channels.

    plain:    channel 4c + 2dy + dx holds channel c of the block's pixel (dy, dx). Around channel couplings.
    ordered:  the pixels of a block come as (0,0), (1,1), (0,1), (1,0), C channels each, so that the
              first half of the channels is one colour of the checkerboard. Around factor-out and
              packed checkerboards.

    `tf.nn.space_to_depth` alone has a third order, (2dy + dx) C + c.

    Raises:
      ValueError: an unknown order, or (when built) an odd height or width.
    """

    def latent_shape(self, event_shape: Shape) -> Shape:
        height, width, channels = event_shape
        return (height // 2, width // 2, 4 * channels)

    def _build(self, event_shape: Shape) -> None:
        if len(event_shape) != 3 or event_shape[0] % 2 or event_shape[1] % 2:
            raise ValueError(f"{self.name}: event shape is {event_shape}, expected (even, even, channels)")

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        return squeeze(x, self.order), no_log_det(x)

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        return unsqueeze(y, self.order), no_log_det(y)


@keras.saving.register_keras_serializable("nvp_tf")
class Unsqueeze(_Ordered):
    """[H, W, 4C] -> [2H, 2W, C]: the inverse of `Squeeze` as a layer.

    Raises:
      ValueError: an unknown order, or (when built) channels not divisible by 4.
    """

    def latent_shape(self, event_shape: Shape) -> Shape:
        height, width, channels = event_shape
        return (2 * height, 2 * width, channels // 4)

    def _build(self, event_shape: Shape) -> None:
        if len(event_shape) != 3 or event_shape[2] % 4:
            raise ValueError(f"{self.name}: event shape is {event_shape}, expected (height, width, multiple of 4)")

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        return unsqueeze(x, self.order), no_log_det(x)

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        return squeeze(y, self.order), no_log_det(y)


def squeeze(x: tf.Tensor, order: str) -> tf.Tensor:
    """[n, H, W, C] -> [n, H/2, W/2, 4C]."""
    blocks = tf.nn.space_to_depth(x, 2)
    if order == "ordered":
        p00, p01, p10, p11 = tf.split(blocks, 4, axis=-1)
        return tf.concat([p00, p11, p01, p10], axis=-1)
    return _swap_channel_axes(blocks, 4, x.shape[-1])


def unsqueeze(y: tf.Tensor, order: str) -> tf.Tensor:
    """[n, H, W, 4C] -> [n, 2H, 2W, C]."""
    if order == "ordered":
        p00, p11, p01, p10 = tf.split(y, 4, axis=-1)
        return tf.nn.depth_to_space(tf.concat([p00, p01, p10, p11], axis=-1), 2)
    return tf.nn.depth_to_space(_swap_channel_axes(y, y.shape[-1] // 4, 4), 2)


def _swap_channel_axes(x: tf.Tensor, a: int, b: int) -> tf.Tensor:
    """Channels read as [a, b] become [b, a]."""
    if 1 in (a, b):
        return x
    height, width = x.shape[1:3]
    x = tf.reshape(x, [-1, height, width, a, b])
    return tf.reshape(tf.transpose(x, [0, 1, 2, 4, 3]), [-1, height, width, a * b])
