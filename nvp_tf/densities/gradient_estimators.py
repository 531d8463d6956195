"""The two gradients of the ELBO by the inference network's weights, and how far each scatters."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from nvp_tf.densities.vae import VAE, log_posterior


def reparametrized(vae: VAE, x: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """[n], whose gradient by the encoder's weights is d/dlambda log w(x, mu + sigma * eps) (thesis 4.2.2, figure 4.7).

    The gradient goes through z; w = p(x, z) / q(z | x).
    """
    return vae.integrand(x, noise)


def score_function(vae: VAE, x: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """[n], whose gradient by the encoder's weights is log w * d/dlambda log q(z | x), z held (thesis 4.2.2).

    Also named REINFORCE or the likelihood ratio estimator. By the decoder's weights it is that of log w, as ever.
    """
    mean, log_scale = vae.posterior(x)
    z = tf.stop_gradient(mean + tf.exp(log_scale) * noise)
    log_q = log_posterior((z - mean) * tf.exp(-log_scale), log_scale)
    log_w = vae.log_joint(x, z) - tf.stop_gradient(log_q)
    return log_w + tf.stop_gradient(log_w) * log_q


ESTIMATORS = {"reparametrized": reparametrized, "score_function": score_function}


@dataclass(frozen=True)
class Gradient:
    """What many draws of one estimator give, one entry a weight.

    mean: of the estimates.
    deviation: of a single estimate, sqrt of its measured variance.
    error: of the mean, deviation / sqrt(draws).
    """

    mean: np.ndarray
    deviation: np.ndarray
    error: np.ndarray
    draws: int


def estimates(
    vae: VAE, estimator: str, x: tf.Tensor, draws: int, seed: int = 0, block: int = 1000
) -> Iterator[np.ndarray]:
    """Yields single estimates of d/dlambda mean_x ELBO(x), float64 [block, weights], `draws` in all.

    Args:
      vae: its encoder's trainable weights are lambda, flat, one after another.
      estimator: of ESTIMATORS.
      x: [n, *event_shape], in the likelihood's units.
      draws: estimates, each with noise of its own for each example.
      block: estimates at once; more take more memory.
    """
    objective, weights = ESTIMATORS[estimator], [weight.value for weight in vae.encoder.trainable_variables]

    @tf.function(autograph=False)
    def gradients(number: tf.Tensor) -> tf.Tensor:
        noise = tf.random.stateless_normal([block, x.shape[0], vae.latents], tf.stack([seed, number]), dtype=x.dtype)

        def one(noise: tf.Tensor) -> tf.Tensor:
            value = tf.reduce_mean(objective(vae, x, noise))
            return tf.concat([tf.reshape(g, [-1]) for g in tf.gradients(value, weights)], axis=0)

        return tf.vectorized_map(one, noise)

    for number, first in enumerate(range(0, draws, block)):
        yield gradients(tf.constant(number)).numpy()[: draws - first].astype(np.float64)


def measure(vae: VAE, estimator: str, x: tf.Tensor, draws: int, seed: int = 0, block: int = 1000) -> Gradient:
    """Mean and scatter of `estimates`, of which at least 2 are drawn and a block is in memory at a time."""
    sums, squares, shift = 0.0, 0.0, None
    for found in estimates(vae, estimator, x, draws, seed, block):
        shift = found.mean(axis=0) if shift is None else shift  # about it, squares do not cancel
        sums, squares = sums + (found - shift).sum(axis=0), squares + np.square(found - shift).sum(axis=0)
    offset = sums / draws
    deviation = np.sqrt(np.maximum(squares / draws - np.square(offset), 0) * draws / (draws - 1))
    return Gradient(shift + offset, deviation, deviation / np.sqrt(draws), draws)
