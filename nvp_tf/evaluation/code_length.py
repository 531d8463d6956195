"""How complex an image is by itself: the bits that a small lossless code needs for it, as a graph of built-in ops."""

import math

import tensorflow as tf

_CLASSES = (0.0, 1 / 64, 1 / 16, 1 / 4)  # upper ends of activity, in the range of values; one class more is above


def code_length(images: tf.Tensor, levels: int) -> tf.Tensor:
    """L(x), bits [n]: of each pixel's residual after LOCO-I's median predictor, by an adaptive code.

        W, N, NW, NE   the neighbours that a decoder has; 0 outside
        e = x - median(W, N, W + N - NW)
        a = |W - NW| + |NW - N| + |N - NE|     the activity, of which there are five classes

    In each class of n pixels, k of which have e != 0, with s = sum(|e| - 1) over those:

        L = n H((k + 1/2) / (n + 1)) + k + k log2(1 + m) + s log2(1 + 1/m),   m = (s + levels / 10) / (k + 1)

    whether e is 0, its sign, and |e| - 1 by a geometric distribution, each with what the image itself shows of it
    (JPEG-LS: Weinberger et al. 2000). Flat regions and straight edges cost next to nothing. Of several
    channels, a channel's residuals less those of the one before are tried, too, and the shorter code is taken.

    Args:
      images: float32 [n, height, width, channels], of integers 0 to levels - 1.
    """
    west, north, north_west, north_east = _neighbours(images)
    least, most = tf.minimum(west, north), tf.maximum(west, north)
    residual = images - tf.maximum(least, tf.minimum(most, west + north - north_west))
    activity = tf.abs(west - north_west) + tf.abs(north_west - north) + tf.abs(north - north_east)
    classes = _classes(_flat(activity) / (levels - 1))
    found = _length(classes, _flat(residual), levels)
    if images.shape[-1] == 1:
        return found
    between = tf.concat([residual[..., :1], residual[..., 1:] - residual[..., :-1]], axis=-1)
    return tf.minimum(found, _length(classes, _flat(between), levels))


def _neighbours(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    padded = tf.pad(images, [[0, 0], [1, 0], [1, 1], [0, 0]])
    above = padded[:, :-1]
    return padded[:, 1:, :-2], above[:, :, 1:-1], above[:, :, :-2], above[:, :, 2:]


def _flat(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [-1, math.prod(values.shape[1:])])


def _classes(activity: tf.Tensor) -> tf.Tensor:
    """[n, D] -> [n, D, 5], 1 in the class of each."""
    upto = tf.cast(activity[..., None] <= tf.constant(_CLASSES), tf.float32)
    ones, zeros = tf.ones_like(upto[..., :1]), tf.zeros_like(upto[..., :1])
    return tf.concat([upto, ones], axis=-1) - tf.concat([zeros, upto], axis=-1)


def _length(classes: tf.Tensor, residual: tf.Tensor, levels: int) -> tf.Tensor:
    """[n, D, 5] and [n, D] -> bits [n]."""
    size = tf.abs(residual)
    other = tf.minimum(size, 1.0)
    counted = tf.matmul(classes, tf.stack([tf.ones_like(size), other, size - other], axis=-1), transpose_a=True)
    n, k, s = tf.unstack(counted, axis=-1)
    share, m = (k + 0.5) / (n + 1), (s + levels / 10) / (k + 1)
    nats = -k * tf.math.log(share) - (n - k) * tf.math.log(1 - share)
    nats += k * (math.log(2) + tf.math.log(1 + m)) + s * tf.math.log(1 + 1 / m)
    return tf.reduce_sum(nats, axis=-1) / math.log(2)
