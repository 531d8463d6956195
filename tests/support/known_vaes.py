"""Linear VAEs whose log-likelihood has a closed form."""

import numpy as np
import tensorflow as tf

from nvp_tf.densities import vae_networks
from nvp_tf.densities.likelihoods import Gaussian
from nvp_tf.densities.vae import VAE

X, MEAN, SCALE = 1.5, 0.45, 0.8
LOG_P = -0.5 * np.log(4 * np.pi) - X**2 / 4  # x ~ N(0, 2)


def linear_vae(dimensions, latents) -> VAE:
    return VAE(*vae_networks.linear((dimensions,), latents, "float64"), Gaussian(), (dimensions,), latents,
               dtype="float64")  # fmt: skip


def conjugate() -> VAE:
    """z ~ N(0, 1), x | z ~ N(z, 1), q(z | x) = N(0.45, 0.8^2) for every x."""
    vae = linear_vae(1, 1)
    vae.encoder.set_weights([np.zeros((1, 2)), np.array([MEAN, np.log(SCALE)])])
    vae.decoder.set_weights([np.ones((1, 1)), np.zeros(1), np.array(0.0)])
    return vae


def ppca(x, latents, shift=0.0, widen=1.0):
    """(VAE, covariance, mean) of probabilistic PCA fitted to x [n, D] in closed form (Tipping and Bishop 1999).

    shift, widen: how far the encoder's mean and scale are off the posterior's, in its standard deviations.
    """
    mean, (values, vectors) = x.mean(axis=0), np.linalg.eigh(np.cov(x.T, bias=True))
    variance = values[:-latents].mean()
    w = vectors[:, -latents:] * np.sqrt(values[-latents:] - variance)
    m = w.T @ w + variance * np.eye(latents)  # diagonal
    deviation = np.sqrt(variance / np.diag(m))
    vae = linear_vae(x.shape[1], latents)
    to_mean = np.linalg.solve(m, w.T).T
    kernel = np.concatenate([to_mean, np.zeros_like(w)], axis=1)
    bias = np.concatenate([-mean @ to_mean + shift * deviation, np.log(widen * deviation)])
    vae.encoder.set_weights([kernel, bias])
    vae.decoder.set_weights([w.T, mean, np.array(0.5 * np.log(variance))])
    return vae, w @ w.T + variance * np.eye(len(mean)), mean


def digits() -> np.ndarray:
    """scikit-learn's digits, the columns that vary, from 0 to 1: float64 [1797, 52]."""
    from sklearn.datasets import load_digits

    x = load_digits().data / 16
    return x[:, x.std(axis=0) > 0.05]


def draws_of(vae, x, seed):
    """(first, end) -> log weights with noise of its own for every draw and example."""

    def log_weights(first, end):
        noise = tf.random.stateless_normal(
            [end - first, len(x), vae.latents], tf.stack([seed, first]), dtype=tf.float64
        )
        return vae.integrands(x, noise)

    return log_weights
