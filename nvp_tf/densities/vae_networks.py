"""Inference and generator networks of the variational autoencoder, as Keras models."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

from nvp_tf.densities.conditionals import LEAST_LOG_SCALE

Pair = tuple[keras.Model, keras.Model]  # encoder, decoder
# Of what gives locations and logarithms of scales: these must begin near 0.
_SMALL = keras.initializers.VarianceScaling(0.01)

Networks = tuple[keras.Sequential, keras.Sequential]  # encoder, decoder


class FlooredScale(keras.layers.Layer):
    """(m, r) -> (m, a + softplus(r - a)) along the last axis, a = LEAST_LOG_SCALE: r itself, but never below a.

    Without an end to log s from below, a density has none from above.
    """

    def call(self, outputs: tf.Tensor) -> tf.Tensor:
        location, raw = tf.split(outputs, 2, axis=-1)
        return tf.concat([location, LEAST_LOG_SCALE + tf.nn.softplus(raw - LEAST_LOG_SCALE)], axis=-1)


class SharedScale(keras.layers.Layer):
    """m -> (m, log s) along the last axis, s one learned scalar: the decoder of probabilistic PCA."""

    def build(self, input_shape: tuple) -> None:
        self.log_scale = self.add_weight(name="log_scale", shape=(), initializer="zeros")
        self.built = True

    def call(self, location: tf.Tensor) -> tf.Tensor:
        return tf.concat([location, tf.zeros_like(location) + self.log_scale], axis=-1)


def dense(event_shape: tuple[int, ...], latents: int, layers: int, units: int, dtype: str) -> Pair:
    """(encoder, decoder) of fully connected ReLU layers, `layers` of `units` each.

    Args:
      event_shape: of an example, (dimensions,) or (height, width, channels).
      latents: width of z.
    """
    encoder = [keras.layers.Flatten(dtype=dtype), *_hidden(layers, units, dtype), _last(2 * latents, dtype)]
    decoder = [
        *_hidden(layers, units, dtype),
        _last(2 * math.prod(event_shape), dtype),
        keras.layers.Reshape((*event_shape[:-1], 2 * event_shape[-1]), dtype=dtype),
        FlooredScale(dtype=dtype),
    ]
    return keras.Sequential(encoder, name="encoder"), keras.Sequential(decoder, name="decoder")


def convolutional(event_shape: tuple[int, ...], latents: int, filters: int, units: int, dtype: str) -> Pair:
    """(encoder, decoder) for images of any size: two halvings by strides, a dense layer, and the way back.

    Args:
      event_shape: (height, width, channels).
      latents: width of z.
      filters: of the convolutions at full size, twice as many below.
      units: of the dense layer at the bottom.
    """
    height, width, channels = event_shape
    bottom = (math.ceil(height / 4), math.ceil(width / 4), 2 * filters)
    excess = ((0, 4 * bottom[0] - height), (0, 4 * bottom[1] - width))

    def conv(
        filters: int, strides: int = 1, kind: Callable = keras.layers.Conv2D, activation: str | None = "relu"
    ) -> keras.layers.Layer:
        options = {"padding": "same", "activation": activation, "dtype": dtype}
        return kind(filters, 3, strides, kernel_initializer=_SMALL if activation is None else "he_normal", **options)

    up = keras.layers.Conv2DTranspose
    encoder = [
        conv(filters),
        conv(2 * filters, 2),
        conv(2 * filters, 2),
        keras.layers.Flatten(dtype=dtype),
        *_hidden(1, units, dtype),
        _last(2 * latents, dtype),
    ]
    decoder = [
        *_hidden(1, units, dtype),
        *_hidden(1, math.prod(bottom), dtype),
        keras.layers.Reshape(bottom, dtype=dtype),
        conv(2 * filters, 2, up),
        conv(filters, 2, up),
        keras.layers.Cropping2D(excess, dtype=dtype),
        conv(2 * channels, activation=None),
        FlooredScale(dtype=dtype),
    ]
    return keras.Sequential(encoder, name="encoder"), keras.Sequential(decoder, name="decoder")


def linear(event_shape: tuple[int, ...], latents: int, dtype: str) -> Pair:
    """(encoder, decoder) of one affine map each and one scale: with a Gaussian likelihood, probabilistic PCA.

        x | z ~ N(W z + mu, s^2 I)

    Where W'W is diagonal, as at the maximum of the likelihood, the posterior is within the encoder's reach and the
    ELBO can be the log-likelihood itself (Tipping and Bishop 1999).
    """
    encoder = [keras.layers.Flatten(dtype=dtype), _last(2 * latents, dtype)]
    decoder = [
        keras.layers.Dense(math.prod(event_shape), dtype=dtype),
        keras.layers.Reshape(event_shape, dtype=dtype),
        SharedScale(dtype=dtype),
    ]
    return keras.Sequential(encoder, name="encoder"), keras.Sequential(decoder, name="decoder")


def _last(outputs: int, dtype: str) -> keras.layers.Dense:
    return keras.layers.Dense(outputs, kernel_initializer=_SMALL, dtype=dtype)


def _hidden(layers: int, units: int, dtype: str) -> list:
    make = keras.layers.Dense
    return [make(units, activation="relu", kernel_initializer="he_normal", dtype=dtype) for _ in range(layers)]
