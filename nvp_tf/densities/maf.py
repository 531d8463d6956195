"""Masked and inverse autoregressive flows, TFP's bijectors around masked Keras networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from nvp_tf.config.codec import choice, number
from nvp_tf.densities.autoregressive import MADE
from nvp_tf.densities.contract import Unfit
from nvp_tf.densities.conversion import cell_noise, importance_weighted, of_each
from nvp_tf.densities.gradient import GradientDensity, Trainable
from nvp_tf.densities.masked import positions
from nvp_tf.layers.pixels import Pixels

_STEEPEST = 4.0  # bound of a log-scale
_MOST_OF_IAF = 64  # dimensions: a score takes a pass of each network for each


@dataclass(frozen=True)
class MafSettings(Trainable):
    """The flow, and for images the logit's alpha and the noises of a score.

    order: of every second layer; the others have the natural one.
    """

    complete: ClassVar[bool] = False
    flows: int = number(5, 1)
    layers: int = number(2, 0)
    units: int = number(128, 1)
    order: str = choice("reversed", "natural", "reversed", "random")
    alpha: float = number(0.002, 0.0, 0.49)
    noises: int = number(1, 1)


class Networks(keras.Model):
    """The flow's networks, and the pixels' layer for images."""

    def __init__(self, made: list[MADE], pixels: Pixels | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.made, self.pixels = made, pixels
        self.built = True


class MafDensity(GradientDensity):
    """z_k = (y_k - m_k(y_<k)) / s_k(y_<k),  log |dz/dy| = -sum log s_k,  z ~ N(0, I) after some layers of these.

    y are standardized vectors, or the logit of dequantized pixels. A score is one pass, a sample D of them
    (Papamakarios et al. 2017).
    """

    family = "maf"
    Settings = MafSettings
    sample_batch = 100

    @property
    def kind(self) -> str:
        return "bound" if self.domain.is_image else "exact"

    @property
    def how(self) -> str:
        return "dequantization" if self.domain.is_image else "change of variables"

    @property
    def draws(self) -> int:
        return self.settings.noises if self.domain.is_image else 0

    @property
    def latent_size(self) -> int:
        return self.domain.dimensions

    @property
    def bijector(self) -> tfb.Bijector:
        """z -> y [n, D], TFP's; its forward generates."""
        # A new one each time: a bijector remembers tensors, and these are of one graph.
        layers = [tfb.MaskedAutoregressiveFlow(_remembering(_Affine(net)), name=net.name) for net in self.model.made]
        return tfb.Chain(layers)

    @property
    def distribution(self) -> tfd.Distribution:
        """Of y [n, D]."""
        zero = tf.zeros([self.domain.dimensions], self.dtype)
        return tfd.TransformedDistribution(tfd.MultivariateNormalDiag(zero, zero + 1), self.bijector)

    def _build(self) -> Networks:
        settings, domain = self.settings, self.domain
        orders = [("natural", settings.order)[i % 2] for i in range(settings.flows)]
        made = [
            MADE(
                positions(domain.dimensions, order, seed=i), settings.layers, settings.units, np.zeros(2), 0.01,
                dtype=self.dtype, name=f"made_{i}",
            )
            for i, order in enumerate(orders)
        ]  # fmt: skip
        pixels = Pixels(domain.top + 1, alpha=settings.alpha, dtype=self.dtype) if domain.is_image else None
        if pixels:
            pixels.build((None, *domain.shape))
        return Networks(made, pixels, dtype=self.dtype)

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.domain.is_image:
            value = self.distribution.log_prob(x)
            return value, tf.zeros_like(value)
        noise = cell_noise(draws, self.domain.shape, seed, self.dtype)
        return importance_weighted(of_each(noise, lambda u: self._log_density(x + u)))

    def _loss(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if not self.domain.is_image:
            return -self._log_prob(x, 0, seed)[0]
        return -self._log_density(x + tf.cast(tf.random.stateless_uniform(tf.shape(x), seed), x.dtype))

    def _log_density(self, v: tf.Tensor) -> tf.Tensor:
        """log p of dequantized images v, [n] nats."""
        y, log_det = self.model.pixels.forward(v)
        return self.distribution.log_prob(tf.reshape(y, [-1, self.domain.dimensions])) + log_det

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        z = tf.cast(tf.random.stateless_normal([num_samples, self.domain.dimensions], seed), self.dtype)
        y = tf.reshape(self.bijector.forward(z), [-1, *self.domain.shape])
        return tf.floor(self.model.pixels.inverse(y)[0]) if self.domain.is_image else y

    def _encode(self, x: tf.Tensor) -> tf.Tensor:
        y = self.model.pixels.forward(x + 0.5)[0] if self.domain.is_image else x
        return self.bijector.inverse(tf.reshape(y, [-1, self.domain.dimensions]))


class IafDensity(MafDensity):
    """The same layers the other way round: a sample is one pass, a score D of them (Kingma et al. 2016)."""

    family = "iaf"

    @property
    def bijector(self) -> tfb.Bijector:
        return tfb.Chain([tfb.Invert(layer) for layer in super().bijector.bijectors])

    def _build(self) -> Networks:
        if self.domain.dimensions > _MOST_OF_IAF:
            raise Unfit(
                f"an inverse autoregressive flow takes {self.domain.dimensions} passes for a score, and so for a step "
                f"of training: expected at most {_MOST_OF_IAF} dimensions"
            )
        return super()._build()


class _Affine:
    """(m, log s) of a MADE's outputs, log s within +-4."""

    def __init__(self, made: MADE) -> None:
        self.made = made

    def __call__(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = self.made(y)
        return outputs[..., 0], _STEEPEST * tf.tanh(outputs[..., 1] / _STEEPEST)


def _remembering(function: Callable) -> Callable:
    """`function` with its last answer: TFP asks once for the value and once for the determinant, of one tensor."""
    asked: Any = None
    answer: Any = None

    def once(y: tf.Tensor, **unused: Any) -> tuple[tf.Tensor, tf.Tensor]:
        nonlocal asked, answer
        if y is not asked:
            asked, answer = y, function(y)
        return answer

    return once
