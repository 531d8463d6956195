"""A VAE of one dimension whose every quantity has a closed form, and one of a curve in the plane."""

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.densities import vae_networks
from nvp_tf.densities.likelihoods import Gaussian
from nvp_tf.densities.vae import VAE

X = 1.5  # the example that it is asked about
MEAN, SCALE = 0.45, 0.8  # of q, whatever x is
ARC_SCALE = 0.12  # of the noise about the arc


def conjugate() -> VAE:
    """z ~ N(0, 1), x | z ~ N(z, 1), q(z | x) = N(0.45, 0.8^2), in float64.

    p(x) = N(x; 0, 2) and p(z | x) = N(z; x / 2, 1 / 2), so at x = 1.5 log p(x) = -1.82801 and the ELBO is -1.93458.
    """
    vae = VAE(*vae_networks.linear((1,), 1, "float64"), Gaussian(), (1,), 1, dtype="float64")
    vae.encoder.set_weights([np.zeros((1, 2)), np.array([MEAN, np.log(SCALE)])])
    vae.decoder.set_weights([np.ones((1, 1)), np.zeros(1), np.array(0.0)])
    return vae


class Arc(keras.layers.Layer):
    """z [n, 1] -> the point of half a circle at the share Phi(z) of its length, and the logarithm of a fixed scale."""

    def call(self, z: tf.Tensor) -> tf.Tensor:
        angle = np.pi * 0.5 * (1 + tf.math.erf(z / np.sqrt(2)))
        log_scale = tf.fill([tf.shape(z)[0], 2], tf.constant(np.log(ARC_SCALE), z.dtype))
        return tf.concat([tf.cos(angle), tf.sin(angle), log_scale], axis=-1)


def arc() -> VAE:
    """z ~ N(0, 1), x | z ~ N(m(z), 0.12^2 I), m(z) on half a circle: a moon. q is not fitted. In float64."""
    encoder, _ = vae_networks.linear((2,), 1, "float64")
    return VAE(encoder, Arc(dtype="float64"), Gaussian(), (2,), 1, dtype="float64")
