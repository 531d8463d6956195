"""Observation 1 of the thesis: a variational autoencoder is two coupling layers over (x, eps)."""

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.densities.likelihoods import Gaussian
from nvp_tf.densities.vae import VAE
from nvp_tf.errors import UserError
from nvp_tf.layers.chain import Chain
from nvp_tf.layers.coupling import Coupling
from nvp_tf.models.flow import Flow
from nvp_tf.models.priors import Normal


class Reparametrize(keras.layers.Layer):
    """The encoder's transform: scale first, then add.

        forward:  z = t + exp(s) * eps,      log_det = s
        inverse:  eps = (z - t) * exp(-s),   log_det = -s

    The network gives t and then s along the last axis. Unlike `Affine`, whose s a tanh bounds, s is as it comes.
    """

    outputs_per_entry = 2

    def forward(self, x: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        t, s = tf.split(outputs, 2, axis=-1)
        return t + tf.exp(s) * x, s

    def inverse(self, y: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        t, s = tf.split(outputs, 2, axis=-1)
        return (y - t) * tf.exp(-s), -s


class Standardize(Reparametrize):
    """The decoder's transform, `Reparametrize` the other way round.

    forward:  w = (x - t) * exp(-s),     log_det = -s
    inverse:  x = t + exp(s) * w,        log_det = s
    """

    def forward(self, x: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return super().inverse(x, outputs)

    def inverse(self, y: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return super().forward(y, outputs)


class Conditioner(keras.layers.Layer):
    """An encoder or a decoder between flat vectors: its answers [..., 2 c] as all t, then all s.

    Args:
      network: the model, whose weights stay its own.
      shape: of what it takes, without the batch.
    """

    def __init__(self, network: keras.layers.Layer, shape: tuple[int, ...], **kwargs) -> None:
        super().__init__(**kwargs)
        self.network, self.shape = network, shape

    def build(self, input_shape: tuple) -> None:
        del input_shape
        if not self.network.built:
            self.network.build((None, *self.shape))
        self.built = True

    def call(self, kept: tf.Tensor, training: bool = False) -> tf.Tensor:
        outputs = self.network(tf.reshape(kept, [-1, *self.shape]), training=training)
        flat = [tf.reshape(part, [tf.shape(kept)[0], -1]) for part in tf.split(outputs, 2, axis=-1)]
        return tf.concat(flat, axis=-1)


def joint_flow(vae: VAE) -> Flow:
    """A flow over (x, eps), flat [n, D + d], of two couplings of this project that share the VAE's weights.

        1.  x kept:  z = mu(x) + sigma(x) * eps          the encoder
        2.  z kept:  w = (x - m(z)) / s(z)               the decoder
        (w, z) ~ N(0, I)

        log p(x, eps) = log N(w) + log N(z) + sum log sigma(x) - sum log s(z)
                      = log p(x, z) - log q(z | x) + log N(eps)

    so its mean over eps ~ N(0, I) is the ELBO less the entropy of eps, (d / 2) log(2 pi e): who maximizes the one
    maximizes the other (thesis 5.1, observation 1, figure 5.4).

    Args:
      vae: one with a Gaussian decoder.

    Raises:
      UserError: another decoder, which is no map of x.
    """
    if not isinstance(vae.likelihood, Gaussian):
        raise UserError(f"the decoder is {type(vae.likelihood).__name__}, expected Gaussian: only its x moves with w")
    dtype = vae.compute_dtype
    dimensions = int(np.prod(vae.event_shape))
    is_x = np.arange(dimensions + vae.latents) < dimensions
    encode = Conditioner(vae.encoder, vae.event_shape, dtype=dtype)
    decode = Conditioner(vae.decoder, (vae.latents,), dtype=dtype)
    layers = [
        Coupling(is_x, encode, Reparametrize(dtype=dtype), dtype=dtype),
        Coupling(~is_x, decode, Standardize(dtype=dtype), dtype=dtype),
    ]
    chain = Chain(layers, dtype=dtype)
    chain.build((None, dimensions + vae.latents))
    return Flow(chain, Normal(), dtype=dtype)
