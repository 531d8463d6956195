"""A mixture of factor analysers: Gaussians of low rank and a diagonal, where D is too large for full covariances."""

import math
from dataclasses import dataclass

import tensorflow as tf

from nvp_tf.config.codec import Section, number
from nvp_tf.data.split import Split
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.factor_em import FactorEM
from nvp_tf.densities.mixture import Mixture, Weights


@dataclass(frozen=True)
class FactorSettings(Section):
    """K, factors q of each component, the least variance of a dimension's own noise; a mass is by dequantization.

    factors: no more than D of them are used.
    ridge: where images are of width 1 and vectors of deviation 1.
    """

    components: int = number(10, 1)
    factors: int = number(16, 1)
    ridge: float = number(1e-6, 0.0)
    noises: int = number(1, 1)


class FactorMixture(Mixture):
    """p_k = N(mu_k, W_k W_k' + diag psi_k),  W_k [D, q]  (Ghahramani and Hinton 1996).

    By the inversion lemma, with d = x - mu, b = W' psi^-1 d and M = I + W' psi^-1 W [q, q],

        d' S^-1 d = d' psi^-1 d - b' M^-1 b,    log |S| = log |M| + sum log psi
    """

    family = "mixture_factors"
    Settings = FactorSettings

    def fit(self, train: Split, valid: Split, budget: Budget, seed: int = 0) -> Fit:
        settings = self.settings
        return self._fit(
            lambda x: FactorEM(x, settings.components, self.factors, settings.ridge, seed), train, valid, budget, seed
        )

    @property
    def factors(self) -> int:
        """q: beyond D factors say nothing more."""
        return min(self.settings.factors, self.domain.dimensions)

    def _build(self) -> Weights:
        dimensions = self.domain.dimensions
        shapes = {"loadings": (dimensions, self.factors), "noise": (dimensions,)}
        return Weights(self.settings.components, dimensions, shapes, self.dtype)

    def _log_densities(self, y: tf.Tensor) -> tf.Tensor:
        mean, loadings, noise = (w.value for w in (self.model.mean, self.model.loadings, self.model.noise))
        centred = y - mean[:, None]  # [K, n, D]
        scaled = loadings / noise[..., None]
        factor = tf.linalg.cholesky(tf.eye(self.factors, dtype=self.dtype) + tf.matmul(loadings, scaled, True))
        seen = tf.linalg.triangular_solve(factor, tf.matmul(scaled, centred, True, True))  # [K, q, n]
        distance = tf.reduce_sum(tf.square(centred) / noise[:, None], axis=2) - tf.reduce_sum(tf.square(seen), axis=1)
        log_det = tf.reduce_sum(tf.math.log(noise), axis=1)
        log_det += 2 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=1)
        constant = self.domain.dimensions * math.log(2 * math.pi)
        return tf.transpose(-0.5 * (distance + log_det[:, None] + constant))

    def _draw(self, component: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        n, seeds = tf.shape(component)[0], tf.random.split(seed, 2)
        z = self._normal([n, self.factors], seeds[0])
        all_of_them = self.model.mean.value[:, None] + tf.einsum("kiq,nq->kni", self.model.loadings.value, z)
        smooth = tf.gather_nd(all_of_them, tf.stack([tf.cast(component, tf.int32), tf.range(n)], axis=1))
        deviation = tf.gather(tf.sqrt(self.model.noise.value), component)
        return smooth + deviation * self._normal(tf.shape(deviation), seeds[1])

    def _spread_parameters(self) -> int:
        """Loadings count up to a rotation of the factors."""
        dimensions, q = self.domain.dimensions, self.factors
        return dimensions * (1 + q) - q * (q - 1) // 2
