"""The variational autoencoder behind the contract of a density: bounds of log P(x) by importance weights."""

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from nvp_tf.config.codec import choice, number
from nvp_tf.densities import vae_networks
from nvp_tf.densities.bounds import Bound, bound
from nvp_tf.densities.contract import Unfit
from nvp_tf.densities.conversion import cell_noise, density_of_dequantized, log_weight_mean
from nvp_tf.densities.gradient import GradientDensity, Trainable
from nvp_tf.densities.likelihoods import DiscretizedLogistic, Gaussian
from nvp_tf.densities.vae import VAE

_VALUES = 2**19  # of examples decoded at once: what the memory of a score grows with


@dataclass(frozen=True)
class VaeSettings(Trainable):
    """How a VAE is made, how it is scored, how it is trained.

    decoder: "logistic", over the integers themselves; "gaussian", over vectors and over x + u; "auto" for the first
      of images and the second of vectors.
    network: "dense"; "convolutional", of images; "linear", which with "gaussian" is probabilistic PCA; "auto" for
      convolutional ones of images and dense ones of vectors.
    latents: entries of z; 0 for 32 of images, and of vectors as many as they have dimensions.
    layers, units: of the dense networks; the convolutional ones have one dense layer of `units`.
    filters: of the convolutions at full size.
    draws: K of a score's importance-weighted bound; 0 for 100 of images and 1000 of vectors.
    trained_draws: K of the bound that is trained, 1 for the ELBO itself; 0 for 1 of images and 32 of vectors, where
      they cost little and the ELBO has optima in which the latents say next to nothing.
    """

    complete: ClassVar[bool] = False
    decoder: str = choice("auto", "auto", "gaussian", "logistic")
    network: str = choice("auto", "auto", "dense", "convolutional", "linear")
    latents: int = number(0, 0)
    layers: int = number(2, 0)
    units: int = number(256, 1)
    filters: int = number(32, 1)
    draws: int = number(0, 0)
    trained_draws: int = number(0, 0)


class VaeDensity(GradientDensity):
    """log P(x) >= E[log (1/K) sum_k w_k],  w = p(x, z) / q(z | x),  z ~ q(z | x)  (thesis 4.2.2).

    With a Gaussian decoder images are dequantized, a noise a draw: w = p(x + u, z) / q(z | x + u), whose mean is P(x)
    all the same. Images are seen as -1 to 1.
    """

    family = "vae"
    Settings = VaeSettings
    kind = "bound"

    @property
    def decoder(self) -> str:
        """The settings', "auto" resolved."""
        named = {True: "logistic", False: "gaussian"}[self.domain.is_image]
        return named if self.settings.decoder == "auto" else self.settings.decoder

    @property
    def network(self) -> str:
        """The settings', "auto" resolved."""
        named = {True: "convolutional", False: "dense"}[self.domain.is_image]
        return named if self.settings.network == "auto" else self.settings.network

    @property
    def how(self) -> str:
        of = " and dequantization" if self._dequantizes else ""
        return f"importance-weighted ELBO{of}, {self.network} networks, {self.decoder} decoder"

    @property
    def draws(self) -> int:
        return self.settings.draws or (100 if self.domain.is_image else 1000)

    @property
    def latent_size(self) -> int:
        return self.settings.latents or (32 if self.domain.is_image else self.domain.dimensions)

    def bounds(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> Bound:
        """The `Bound` of a batch from `draws` draws; arguments as of `_log_prob`, a graph."""
        n, dimensions = tf.shape(x)[0], self.domain.dimensions
        noise = tf.random.stateless_normal([draws, 1, self.latent_size], seed)
        noise = tf.cast(noise, self.dtype)  # drawn in float32, so that a seed means the same in every dtype
        cells = cell_noise(draws, self.domain.shape, seed + 1, self.dtype) if self._dequantizes else None

        def log_weights(first: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
            eps = tf.repeat(noise[first:end], n, axis=1)
            if cells is None:
                return self.model.integrands(self._units(x), eps)
            rows = tf.reshape(self._units(x + cells[first:end, None]), [-1, *self.domain.shape])
            log_w = self.model.integrand(rows, tf.reshape(eps, [-1, self.latent_size]))
            return tf.reshape(self._of_data(log_w), [-1, n])

        block = tf.maximum(1, _VALUES // tf.maximum(1, dimensions * n))
        return bound(log_weights, n, draws, block)

    def _build(self) -> VAE:
        settings, shape, dtype = self.settings, self.domain.shape, self.dtype
        if self.decoder == "logistic" and not self.domain.is_image:
            raise Unfit("a VAE with a logistic decoder is over images of integers, these are vectors")
        match self.network:
            case "dense":
                nets = vae_networks.dense(shape, self.latent_size, settings.layers, settings.units, dtype)
            case "linear":
                nets = vae_networks.linear(shape, self.latent_size, dtype)
            case "convolutional" if self.domain.is_image:
                nets = vae_networks.convolutional(shape, self.latent_size, settings.filters, settings.units, dtype)
            case _:
                raise Unfit("a convolutional VAE is over images, these are vectors")
        likelihood = DiscretizedLogistic(self.domain.levels) if self.decoder == "logistic" else Gaussian()
        return VAE(*nets, likelihood, shape, self.latent_size, dtype=dtype)

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        found = self.bounds(x, draws, seed)
        return tf.cast(found.importance_weighted, self.dtype), tf.cast(found.error, self.dtype)

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        x = self.model.sample(num_samples, seed)
        if not self.domain.is_image:
            return x
        levels = self.domain.levels
        return tf.floor((x + 1) * (levels / 2)) if self._dequantizes else tf.round((x + 1) * ((levels - 1) / 2))

    def _encode(self, x: tf.Tensor) -> tf.Tensor:
        """The posterior's mean."""
        return self.model.posterior(self._units(x + 0.5 if self._dequantizes else x))[0]

    def _loss(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if self._dequantizes:
            x = x + tf.cast(tf.random.stateless_uniform(tf.shape(x), seed + 1), self.dtype)
        x, k = self._units(x), self.settings.trained_draws or (1 if self.domain.is_image else 32)
        noise = tf.cast(tf.random.stateless_normal([k, tf.shape(x)[0], self.latent_size], seed), self.dtype)
        trained = (
            self.model.elbo(x, noise[0], training=True) if k == 1 else log_weight_mean(self.model.integrands(x, noise))
        )
        return -self._of_data(trained)

    @property
    def _dequantizes(self) -> bool:
        return self.domain.is_image and self.decoder == "gaussian"

    def _units(self, x: tf.Tensor) -> tf.Tensor:
        """x, or x + u, as the networks see it: images from -1 to 1."""
        if not self.domain.is_image:
            return x
        return x * (2 / (self.domain.levels - (0 if self._dequantizes else 1))) - 1

    def _of_data(self, log_prob: tf.Tensor) -> tf.Tensor:
        """Nats of the networks' units as nats of x + u; those of integers are what they are."""
        if not self._dequantizes:
            return log_prob
        return density_of_dequantized(log_prob, self.domain.dimensions, self.domain.levels, 2)
