"""Mixtures of Gaussians by EM, with diagonal and with full covariances (thesis 4.1.3)."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from nvp_tf.config.codec import Section, choice, number
from nvp_tf.data.split import Split
from nvp_tf.densities import em
from nvp_tf.densities.budget import Budget, Fit
from nvp_tf.densities.contract import Density, Domain
from nvp_tf.densities.conversion import cell_noise, density_of_dequantized, importance_weighted, of_each

_FIRST = 5000  # examples that the first guess is made from


@dataclass(frozen=True)
class DiagonalSettings(Section):
    """K, and what is added to each variance, where images are of width 1 and vectors of deviation 1.

    mass: of images, "cdf" for the difference of the CDF over the pixel's cell, the outermost cells with their tails,
      or "noise" for dequantization.
    """

    components: int = number(50, 1)
    ridge: float = number(1e-6, 0.0)
    mass: str = choice("cdf", "cdf", "noise")
    noises: int = number(1, 1)


@dataclass(frozen=True)
class FullSettings(Section):
    """K, and what is added to each variance; a mass is by dequantization."""

    components: int = number(10, 1)
    ridge: float = number(1e-6, 0.0)
    noises: int = number(1, 1)


class Weights(keras.Model):
    """log a_k, mu_k, and the other parameters of the components."""

    def __init__(self, components: int, dimensions: int, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
        super().__init__(dtype=dtype)
        even = keras.initializers.Constant(-math.log(components))
        self.log_share = self.add_weight(name="log_share", shape=(components,), initializer=even)
        self.mean = self.add_weight(name="mean", shape=(components, dimensions), initializer="zeros")
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(name=name, shape=(components, *shape), initializer="ones"))
        self.built = True


class Mixture(Density):
    """p(x) = sum_k a_k p_k(x); each subclass has its p_k. In float64, for a covariance may be close to singular."""

    batch = 200

    def __init__(self, domain: Domain, settings: Section | None = None, seed: int = 0, dtype: str = "float64") -> None:
        super().__init__(domain, settings, seed, dtype)

    @property
    def kind(self) -> str:
        return "bound" if self.domain.is_image and self.draws else "exact"

    @property
    def how(self) -> str:
        return "closed form" if not self.domain.is_image else "dequantization" if self.draws else "CDF differences"

    @property
    def draws(self) -> int:
        return self.settings.noises if self.domain.is_image else 0

    @property
    def parameters(self) -> int:
        """Those that can vary: shares sum to 1, covariances are symmetric."""
        return self.settings.components * (1 + self.domain.dimensions + self._spread_parameters()) - 1

    def log_density(self, y: tf.Tensor) -> tf.Tensor:
        """[n] nats of y [n, D], on the scale that EM sees."""
        return tf.reduce_logsumexp(self._joint(y), axis=1)

    def responsibilities(self, y: tf.Tensor) -> tf.Tensor:
        """P(k | y) of y [n, D]: [n, K], each row of sum 1."""
        return tf.nn.softmax(self._joint(y), axis=1)

    def _joint(self, y: tf.Tensor) -> tf.Tensor:
        return self.model.log_share.value + self._log_densities(y)

    def _log_densities(self, y: tf.Tensor) -> tf.Tensor:
        """log p_k(y), [n, K]."""
        raise NotImplementedError

    def _spread_parameters(self) -> int:
        """Free parameters of one component beside its mean and share."""
        raise NotImplementedError

    def _draw(self, component: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """[n, D] of the components [n]."""
        raise NotImplementedError

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        domain = self.domain
        y = tf.reshape(x, [-1, domain.dimensions])
        if not domain.is_image:
            return _exact(self.log_density(y))
        levels = domain.top + 1
        noise = tf.reshape(cell_noise(draws, domain.shape, seed, self.dtype), [draws, -1])
        values = of_each(noise, lambda u: self.log_density((y + u) / levels))
        return importance_weighted(density_of_dequantized(values, domain.dimensions, levels, 1.0))

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = tf.random.split(seed, 2)
        shares = tf.cast(self.model.log_share.value, tf.float32)[None]
        component = tf.random.stateless_categorical(shares, num_samples, seeds[0])[0]
        y = tf.reshape(self._draw(component, seeds[1]), [-1, *self.domain.shape])
        return tf.floor(y * self.domain.levels) if self.domain.is_image else y

    def _normal(self, shape: list | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.random.stateless_normal(shape, seed), self.dtype)

    def _fit(
        self, make: Callable[[np.ndarray], em.Algorithm], train: Split, valid: Split, budget: Budget, seed: int
    ) -> Fit:
        """make: rows -> the `em.Algorithm`."""
        x = em.rows(self.domain, train, seed)
        fit = em.maximize(self, make(x), len(x), valid, budget)
        fit.notes.append(f"ridge {self.settings.ridge:g}")
        constant = int((x.std(axis=0) == 0).sum())
        if constant:
            fit.notes.append(f"{constant} constant columns, whose density is the ridge's")
        if len(x) < train.size:
            fit.notes.append(f"EM on {len(x)} of {train.size} examples")
        return fit


class DiagonalMixture(Mixture):
    """p_k = N(mu_k, diag s_k^2)."""

    family = "mixture_diagonal"
    Settings = DiagonalSettings

    @property
    def draws(self) -> int:
        return 0 if self.settings.mass == "cdf" else super().draws

    def fit(self, train: Split, valid: Split, budget: Budget, seed: int = 0) -> Fit:
        return self._fit(lambda x: Sklearn(x, "diag", self.settings, seed), train, valid, budget, seed)

    def _build(self) -> Weights:
        dimensions = self.domain.dimensions
        return Weights(self.settings.components, dimensions, {"deviation": (dimensions,)}, self.dtype)

    def _log_densities(self, y: tf.Tensor) -> tf.Tensor:
        log_prob = tfd.Normal(self.model.mean.value, self.model.deviation.value).log_prob(y[:, None])
        return tf.reduce_sum(log_prob, axis=-1)

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.domain.is_image or draws:
            return super()._log_prob(x, draws, seed)
        levels = self.domain.top + 1
        gaussian = tfd.Normal(self.model.mean.value * levels, self.model.deviation.value * levels)
        # Quantized rounds up: [x, x + 1) is x from one below.
        below = tfd.TransformedDistribution(gaussian, tfb.Shift(tf.constant(-1.0, self.dtype)))
        cells = tfd.QuantizedDistribution(below, low=0, high=levels - 1)
        masses = cells.log_prob(tf.reshape(x, [-1, 1, self.domain.dimensions]))
        return _exact(tf.reduce_logsumexp(self.model.log_share.value + tf.reduce_sum(masses, axis=-1), axis=1))

    def _draw(self, component: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        mean, deviation = (tf.gather(w.value, component) for w in (self.model.mean, self.model.deviation))
        return mean + deviation * self._normal(tf.shape(mean), seed)

    def _spread_parameters(self) -> int:
        return self.domain.dimensions


class FullMixture(Mixture):
    """p_k = N(mu_k, L_k L_k')."""

    family = "mixture_full"
    Settings = FullSettings

    def fit(self, train: Split, valid: Split, budget: Budget, seed: int = 0) -> Fit:
        return self._fit(lambda x: Sklearn(x, "full", self.settings, seed), train, valid, budget, seed)

    def _build(self) -> Weights:
        dimensions = self.domain.dimensions
        made = Weights(self.settings.components, dimensions, {"factor": (dimensions, dimensions)}, self.dtype)
        made.factor.assign(np.broadcast_to(np.eye(dimensions), made.factor.shape))
        return made

    def _log_densities(self, y: tf.Tensor) -> tf.Tensor:
        factor = self.model.factor.value
        z = tf.linalg.triangular_solve(factor, tf.linalg.matrix_transpose(y - self.model.mean.value[:, None]))
        log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=-1)
        constant = 0.5 * self.domain.dimensions * math.log(2 * math.pi)
        return tf.transpose(-0.5 * tf.reduce_sum(tf.square(z), axis=1) - log_det[:, None] - constant)

    def _draw(self, component: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        n = tf.shape(component)[0]
        z = self._normal([n, self.domain.dimensions], seed)
        # Of every component, of which one is taken: a factor for each row would not fit into memory.
        all_of_them = self.model.mean.value[:, None] + tf.einsum("kij,nj->kni", self.model.factor.value, z)
        return tf.gather_nd(all_of_them, tf.stack([tf.cast(component, tf.int32), tf.range(n)], axis=1))

    def _spread_parameters(self) -> int:
        return self.domain.dimensions * (self.domain.dimensions + 1) // 2


class Sklearn:
    """scikit-learn's EM as an `em.Algorithm`; components beyond the number of examples have a share of 0.

    Args:
      x: [n, D].
      covariance: "diag" or "full".
      settings: with `components` and `ridge`.
    """

    def __init__(self, x: np.ndarray, covariance: str, settings: DiagonalSettings | FullSettings, seed: int) -> None:
        self.x, self.components = x, settings.components
        self.mixture = GaussianMixture(
            min(settings.components, len(x)), covariance_type=covariance, reg_covar=settings.ridge, tol=0.0,
            warm_start=True, random_state=seed,
        )  # fmt: skip
        if len(x) > _FIRST:
            self._fit(x[np.linspace(0, len(x) - 1, _FIRST).astype(int)], 1)

    def iterate(self, most: int) -> list[float]:
        return self._fit(self.x, most)

    def _fit(self, x: np.ndarray, iterations: int) -> list[float]:
        self.mixture.max_iter = iterations
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # that it did not converge is seen by the caller
            self.mixture.fit(x)
        return list(self.mixture.lower_bounds_)

    def weights(self) -> list[np.ndarray]:
        found = self.mixture
        spread = np.sqrt(found.covariances_) if found.covariances_.ndim == 2 else np.linalg.cholesky(found.covariances_)
        missing = self.components - len(found.weights_)
        with np.errstate(divide="ignore"):
            shares = np.log(np.pad(found.weights_, (0, missing)))
        return [shares, _repeated(found.means_, missing), _repeated(spread, missing)]


def _repeated(array: np.ndarray, times: int) -> np.ndarray:
    """With the last entry repeated: of components that have no share."""
    return np.concatenate([array, np.repeat(array[-1:], times, axis=0)])


def _exact(value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return value, tf.zeros_like(value)
