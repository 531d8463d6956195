"""Samples of a PixelCNN, pixel by pixel: the naive way, and with what does not change between two pixels kept.

The naive way runs the whole network H W times. But a row of the vertical stack is known once the rows above are,
and a pixel of the horizontal stack needs of its layer's input a few pixels left of it: kept, all of it together is one
pass of the network. Both ways give the same images of the same noise, up to rounding.
"""

from typing import Any, Protocol

import keras
import tensorflow as tf

from nvp_tf.densities.conditionals import LogisticMixture
from nvp_tf.densities.contract import Domain


class Pixelwise(Protocol):
    """What is asked of a `PixelCnnDensity`."""

    domain: Domain
    dtype: str
    model: Any
    conditional: LogisticMixture

    def units(self, x: tf.Tensor, /) -> tf.Tensor:
        """What the network sees of integers."""


def naive(density: Pixelwise, noise: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Samples [n, H, W, C] of integers; arguments as of `cached`."""
    height, width, channels = density.domain.shape
    n = tf.shape(noise[0])[2]

    def pixel(k: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        i, j = k // width, k % width
        outputs = density.model(density.units(x))[:, i, j]
        drawn = density.conditional.draw(outputs, [part[i, j] for part in noise])
        here = tf.reshape(tf.one_hot(k, height * width, dtype=x.dtype), [height, width, 1])
        return k + 1, x + drawn[:, None, None] * here

    x = tf.zeros([n, height, width, channels], density.dtype)
    return tf.while_loop(lambda k, _: k < height * width, pixel, (tf.constant(0), x))[1]


def cached(density: Pixelwise, noise: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Samples [n, H, W, C] of integers.

    Args:
      density: a `PixelCnnDensity`.
      noise: of [H, W, n] sites (`PixelCnnDensity.noise`).
    """
    height, width, _ = density.domain.shape
    layers = density.model.gated
    n = tf.shape(noise[0])[2]
    columns = tf.TensorArray(density.dtype, height, element_shape=[None, width, density.domain.shape[2]])
    above = [tf.zeros([n, _depth(layer), width, _inputs(layer)], density.dtype) for layer in layers]

    def row(i: tf.Tensor, above: list[tf.Tensor], samples: tf.TensorArray) -> tuple:
        """above: of each layer the rows of its input that its vertical convolution sees, the row itself last."""
        linked, new = [], above[0]
        kept = []
        for k, layer in enumerate(layers):
            rows = above[k] if k == 0 else tf.concat([above[k][:, 1:], new], axis=1)
            kept.append(rows)
            convolved = _vertical(layer.above, rows)
            linked.append(layer.link(convolved))
            new = layer.vertical(convolved)
        drawn = _row_of_pixels(density, tf.concat(linked, axis=-1), [part[i] for part in noise])
        seen = density.units(drawn)
        kept[0] = tf.concat([kept[0][:, 1:], seen[:, None]], axis=1)
        return i + 1, kept, samples.write(i, drawn)

    _, _, samples = tf.while_loop(lambda i, *_: i < height, row, (tf.constant(0), above, columns))
    return tf.transpose(samples.stack(), [1, 0, 2, 3])


def _row_of_pixels(density: Pixelwise, linked: tf.Tensor, noise: list[tf.Tensor]) -> tf.Tensor:
    """Draws a row [n, W, C]. linked: [n, 1, W, all layers' 2 filters], what the rows above say of each pixel."""
    layers, (_, width, channels) = density.model.gated, density.domain.shape
    n = tf.shape(linked)[0]
    linked = tf.transpose(linked[:, 0], [1, 0, 2])
    left = [tf.zeros([n, _reach(layer), _inputs(layer)], density.dtype) for layer in layers]
    kernels = [tf.reshape(layer.left.masked_kernel(), [-1, 2 * layer.filters]) for layer in layers]

    def pixel(j: tf.Tensor, left: list[tf.Tensor], samples: tf.TensorArray) -> tuple:
        """left: of each layer the pixels of its input that its horizontal convolution sees."""
        links = tf.split(linked[j], len(layers), axis=-1)
        h: Any = None
        kept: list[tf.Tensor] = []
        for k, layer in enumerate(layers):
            seen = left[k] if k == 0 else tf.concat([left[k][:, 1:], h[:, None]], axis=1)
            kept.append(seen)
            convolved = tf.matmul(tf.reshape(seen, [n, seen.shape[1] * seen.shape[2]]), kernels[k])
            h = layer.horizontal(convolved, links[k], h)
        drawn = density.conditional.draw(density.model.head(h), [part[j] for part in noise])
        kept[0] = tf.concat([kept[0][:, 1:], density.units(drawn)[:, None]], axis=1)
        return j + 1, kept, samples.write(j, drawn)

    samples = tf.TensorArray(density.dtype, width, element_shape=[None, channels])
    _, _, samples = tf.while_loop(lambda j, *_: j < width, pixel, (tf.constant(0), left, samples))
    return tf.transpose(samples.stack(), [1, 0, 2])


def _vertical(convolution: keras.layers.Layer, rows: tf.Tensor) -> tf.Tensor:
    """The masked convolution at the last of the rows it sees: [n, depth, W, a] -> [n, 1, W, b]."""
    (_, left), (_, right) = convolution.offsets
    padded = tf.pad(rows, [[0, 0], [0, 0], [-left, right], [0, 0]])
    return tf.nn.conv2d(padded, convolution.masked_kernel(), 1, "VALID")


def _depth(layer: keras.layers.Layer) -> int:
    return layer.above.box.shape[0]


def _reach(layer: keras.layers.Layer) -> int:
    return layer.left.box.shape[1]


def _inputs(layer: keras.layers.Layer) -> int:
    return layer.above.kernel.shape[2]
