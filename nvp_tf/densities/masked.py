"""Masks that make a network autoregressive, and the Keras layers that wear them (thesis 4.2.1, figure 4.3).

Masks are boolean arrays, True where a weight is. Degrees are dealt out in turn, not drawn: random ones lose
connections (Germain et al. 2015 draw them).
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


def positions(dimensions: int, order: str, seed: int = 0) -> np.ndarray:
    """int [D]: the place of each dimension in the order that they are predicted in, from 1.

    Args:
      order: "natural", "reversed", or "random" by `seed`.
    """
    natural = np.arange(1, dimensions + 1)
    match order:
        case "natural":
            return natural
        case "reversed":
            return natural[::-1].copy()
        case "random":
            return np.random.RandomState(seed).permutation(natural)
    raise ValueError(f"order is {order!r}, expected natural, reversed or random")


def hidden_degrees(units: int, dimensions: int) -> np.ndarray:
    """int [units]: 1, 2, ..., D - 1, 1, 2, ...: with units >= D - 1 each occurs, and no earlier input is lost."""
    return 1 + np.arange(units) % max(1, dimensions - 1)


def up_to(degrees: np.ndarray, later: np.ndarray) -> np.ndarray:
    """[a, b] of degrees [a] and [b]: whether the first is at most the second; into a hidden layer."""
    return degrees[:, None] <= later[None]


def before(degrees: np.ndarray, later: np.ndarray) -> np.ndarray:
    """[a, b]: whether the first is less than the second; into the outputs."""
    return degrees[:, None] < later[None]


def rows_above(size: int, centre: bool) -> np.ndarray:
    """[size, size] for the vertical stack: the rows above a pixel and, with `centre`, its own.

    The stack's own values at a row know the rows above it alone, so that only the first layer must leave it out.
    """
    row = np.arange(size)[:, None] - size // 2
    return np.broadcast_to(row <= 0 if centre else row < 0, (size, size)).copy()


def left_of(size: int, centre: bool) -> np.ndarray:
    """[size, size] for the horizontal stack: what stands left of a pixel in its row and, with `centre`, itself."""
    row, column = np.indices((size, size)) - size // 2
    return (row == 0) & ((column <= 0) if centre else (column < 0))


def paths(masks: list[np.ndarray]) -> np.ndarray:
    """Whether a path leads from an input to an output through layers of masks [a, b], [b, c], ...: bool [a, z]."""
    seen = masks[0]
    for mask in masks[1:]:
        seen = seen @ mask
    return seen


class MaskedDense(keras.layers.Layer):
    """x [..., a] -> x (kernel * mask) + bias, [..., b].

    Args:
      mask: bool [a, b].
      activation: as of `keras.layers.Dense`.
      gain: of the initial kernel: deviation gain / sqrt(what an output sees).
      bias: [b], the initial one; zeros where it is None; False for none, as there must be before a sum
        (WORKSPACE.md, traps).
    """

    def __init__(
        self,
        mask: np.ndarray,
        activation: str | None = None,
        gain: float = 2**0.5,
        bias: np.ndarray | bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mask, self.activation = mask, keras.activations.get(activation)
        self.gain, self.initial_bias = gain, bias

    def build(self, input_shape: tuple[int | None, ...] | None) -> None:
        deviation = self.gain / np.sqrt(np.maximum(1, self.mask.sum(axis=0)))

        def normal(shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
            return keras.initializers.RandomNormal(stddev=1.0)(shape, dtype) * tf.constant(deviation, dtype)

        self.kernel = self.add_weight(name="kernel", shape=self.mask.shape, initializer=normal)
        self.bias: Any = None  # a Keras variable, where there is one
        if self.initial_bias is not False:
            zeros = np.zeros(self.mask.shape[1])
            initial = keras.initializers.Constant(zeros if self.initial_bias is None else self.initial_bias)
            self.bias = self.add_weight(name="bias", shape=self.mask.shape[1:], initializer=initial)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        kernel = self.masked_kernel()
        y = tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]) if x.shape.rank > 2 else x, kernel)
        y = y if self.bias is None else y + self.bias
        if x.shape.rank > 2:
            y = tf.reshape(y, tf.concat([tf.shape(x)[:-1], [kernel.shape[1]]], axis=0))
        return self.activation(y)

    def masked_kernel(self) -> tf.Tensor:
        """[a, b]."""
        kernel = tf.convert_to_tensor(self.kernel)
        return kernel * tf.constant(self.mask, kernel.dtype)


class MaskedConv2D(keras.layers.Layer):
    """A convolution, stride 1, that sees of each pixel's neighbourhood what the mask has; zeros beyond the border.

    Only the smallest box around the mask is convolved with: half a square costs half. There is no bias.

    Args:
      filters: outputs.
      mask: bool [size, size], size odd, the pixel itself in the middle.
    """

    def __init__(self, filters: int, mask: np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.mask = filters, mask
        seen = np.argwhere(mask)
        self.first, self.last = seen.min(axis=0), seen.max(axis=0)  # corners of the box
        self.box = mask[self.first[0] : self.last[0] + 1, self.first[1] : self.last[1] + 1]

    def build(self, input_shape: tuple[Any, ...]) -> None:
        channels = input_shape[-1]
        deviation = 1 / (channels * self.box.sum()) ** 0.5
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.box.shape, channels, self.filters),
            initializer=keras.initializers.RandomNormal(stddev=deviation),
        )
        self.built = True

    def masked_kernel(self) -> tf.Tensor:
        """[height, width, channels, filters] of the box."""
        kernel = tf.convert_to_tensor(self.kernel)
        return kernel if self.box.all() else kernel * tf.constant(self.box[..., None, None], kernel.dtype)

    @property
    def offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """((row, column) of the box's first corner, of its last), relative to the pixel."""
        return self.first - self.mask.shape[0] // 2, self.last - self.mask.shape[0] // 2

    def call(self, x: tf.Tensor) -> tf.Tensor:
        (top, left), (bottom, right) = self.offsets
        height, width = tf.shape(x)[1], tf.shape(x)[2]
        padded = tf.pad(x, [[0, 0], [max(0, -top), max(0, bottom)], [max(0, -left), max(0, right)], [0, 0]])
        y = tf.nn.conv2d(padded, self.masked_kernel(), 1, "VALID")
        y = y[:, max(0, top) :, max(0, left) :][:, :height, :width]
        return tf.ensure_shape(y, [None, x.shape[1], x.shape[2], self.filters])
