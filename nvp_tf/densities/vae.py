"""The variational autoencoder: a deep latent variable model with an inference network (thesis 4.2.2)."""

import math

import keras
import tensorflow as tf

from nvp_tf.densities.likelihoods import DiscretizedLogistic, Gaussian
from nvp_tf.models.priors import Normal


class VAE(keras.Model):
    """z ~ N(0, I),  x ~ p(x | z);  q(z | x) = N(mu(x), diag sigma(x)^2) stands for the posterior.

        (mu, log sigma) = encoder(x),    parameters of p(x | z) = decoder(z)
        z = mu + sigma * eps,  eps ~ N(0, I)
        integrand(x, eps) = log p(x | z) + log p(z) - log q(z | x)
        ELBO(x) = E_eps[integrand] = E_eps[log p(x | z)] - KL(q(z | x) || p(z))
        log p(x) = ELBO(x) + KL(q(z | x) || p(z | x))

    References: thesis 4.2.2, Kingma and Welling 2014, Rezende et al. 2014.

    Args:
      encoder: a Keras layer or model, x [n, *event_shape] -> [n, 2 latents]: mu, then log sigma.
      decoder: one, z [n, latents] -> what the likelihood takes.
      likelihood: `Gaussian()` or `DiscretizedLogistic(levels)`.
      event_shape: of x, without the batch.
      latents: d, how many entries z has.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        decoder: keras.layers.Layer,
        likelihood: Gaussian | DiscretizedLogistic,
        event_shape: tuple[int, ...],
        latents: int,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.event_shape, self.latents = tuple(event_shape), latents
        self.prior = Normal()
        encoder.build((None, *self.event_shape))
        decoder.build((None, latents))
        self.built = True

    def call(self, x: tf.Tensor, noise: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.elbo(x, noise, training)

    def posterior(self, x: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """(mu, log sigma) of q(z | x), each [n, latents]."""
        mean, log_scale = tf.split(self.encoder(x, training=training), 2, axis=-1)
        return mean, log_scale

    def log_joint(self, x: tf.Tensor, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """log p(x | z) + log p(z), [n] nats."""
        return self.likelihood.log_prob(x, self.decoder(z, training=training)) + self.prior.log_prob(z)

    def integrand(self, x: tf.Tensor, noise: tf.Tensor, training: bool = False) -> tf.Tensor:
        """log p(x, z) - log q(z | x) at z = mu + sigma * noise, [n] nats.

        Its mean over standard normal noise is the ELBO; the logarithm of the mean of its exponential is log p(x).

        Args:
          x: [n, *event_shape], in the likelihood's units.
          noise: [n, latents].
        """
        mean, log_scale = self.posterior(x, training)
        z = mean + tf.exp(log_scale) * noise
        return self.log_joint(x, z, training) - log_posterior(noise, log_scale)

    def integrands(self, x: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """`integrand` for k draws of noise [k, n, latents] of each example, which is encoded once: [k, n]."""
        mean, log_scale = self.posterior(x)
        z = mean + tf.exp(log_scale) * noise
        k = tf.shape(noise)[0]
        rows = tf.reshape(tf.broadcast_to(x, tf.concat([[k], tf.shape(x)], 0)), [-1, *self.event_shape])
        joint = self.log_joint(rows, tf.reshape(z, [-1, self.latents]))
        below = log_posterior(tf.reshape(noise, [-1, self.latents]), tf.zeros((), noise.dtype))
        return tf.reshape(joint - below, [k, -1]) + tf.reduce_sum(log_scale, axis=-1)

    def elbo(self, x: tf.Tensor, noise: tf.Tensor, training: bool = False) -> tf.Tensor:
        """log p(x | z) at one draw of z, less the closed form of KL(q(z | x) || N(0, I)): [n] nats.

        It has the mean of `integrand` and, of a decoder that hangs little on z, less variance.
        """
        mean, log_scale = self.posterior(x, training)
        outputs = self.decoder(mean + tf.exp(log_scale) * noise, training=training)
        return self.likelihood.log_prob(x, outputs) - divergence(mean, log_scale)

    def sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """z ~ N(0, I), x ~ p(x | z): [num_samples, *event_shape] in the likelihood's units. seed: int64 [2]."""
        z = self.prior.sample([num_samples, self.latents], seed, 1.0, self.compute_dtype)
        return self.likelihood.sample(self.decoder(z), seed + 1)


def divergence(mean: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
    """KL(N(mean, diag exp(log_scale)^2) || N(0, I)) = sum (mean^2 + sigma^2 - 1) / 2 - log sigma, [n] nats."""
    variance = tf.exp(2 * log_scale)
    return tf.reduce_sum(0.5 * (tf.square(mean) + variance - 1) - log_scale, axis=-1)


def log_posterior(noise: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
    """log N(mu + sigma * noise; mu, diag sigma^2) = sum log N(noise; 0, 1) - log sigma, [n] nats."""
    return tf.reduce_sum(-0.5 * (tf.square(noise) + math.log(2 * math.pi)) - log_scale, axis=-1)
