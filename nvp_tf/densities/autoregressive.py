"""MADE: one masked network for all conditionals p(x_k | x_<k), in any order (thesis 4.2.1, figures 4.2 and 4.3)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.config.codec import choice, number
from nvp_tf.densities.conditionals import GaussianMixture, LogisticMixture
from nvp_tf.densities.gradient import GradientDensity, Trainable
from nvp_tf.densities.masked import MaskedDense, before, hidden_degrees, positions, up_to


class MADE(keras.Model):
    """x [n, D] -> outputs [n, D, P], where those of the k-th dimension of the order depend on the k - 1 before it.

    Germain et al. 2015, with degrees dealt out in turn.

    Args:
      position: int [D], the place of each dimension in the order, from 1 (`masked.positions`).
      layers: hidden layers.
      units: of each; D - 1 where that is more, below which an earlier input would be lost.
      initial: [P], each dimension's outputs to begin with.
      spread: of the initial outputs around them.
    """

    def __init__(
        self, position: np.ndarray, layers: int, units: int, initial: np.ndarray, spread: float = 0.1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.position, self.outputs = position, len(initial)
        dimensions = len(position)
        degrees, self.hidden, self.degrees = position, [], []
        for i in range(layers):
            after = hidden_degrees(max(units, dimensions - 1), dimensions)
            mask = up_to(degrees, after)
            self.hidden.append(MaskedDense(mask, "relu", dtype=self.dtype_policy, name=f"hidden_{i}"))
            degrees = after
            self.degrees.append(after)
        mask = np.repeat(before(degrees, position) if layers else before(position, position), self.outputs, axis=1)
        bias = np.tile(initial, dimensions)
        self.output_layer = MaskedDense(mask, gain=spread, bias=bias, dtype=self.dtype_policy, name="outputs")
        for layer in [*self.hidden, self.output_layer]:
            layer.build(None)
        self.built = True

    @property
    def masks(self) -> list[np.ndarray]:
        """Of each layer, from the inputs to the outputs."""
        return [layer.mask for layer in [*self.hidden, self.output_layer]]

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(self.output_layer(self.features(x)), [-1, len(self.position), self.outputs])

    def features(self, x: tf.Tensor) -> tf.Tensor:
        """The last hidden layer, [n, units]."""
        for layer in self.hidden:
            x = layer(x)
        return x

    def one(self, x: tf.Tensor, dimension: tf.Tensor) -> tf.Tensor:
        """The outputs of one dimension, [n, P], without the work for all the others."""
        first = dimension * self.outputs
        kernel = self.output_layer.masked_kernel()[:, first : first + self.outputs]
        return tf.matmul(self.features(x), kernel) + self.output_layer.bias.value[first : first + self.outputs]


@dataclass(frozen=True)
class MadeSettings(Trainable):
    """The network, and what its outputs say: logistics of integers, Gaussians of vectors."""

    complete: ClassVar[bool] = False
    layers: int = number(2, 0)
    units: int = number(256, 1)
    components: int = number(5, 1)
    order: str = choice("natural", "natural", "reversed", "random")


class MadeDensity(GradientDensity):
    """log P(x) = sum_k log P(x_k | x_<k), exact for integers and for vectors; sampling takes D passes."""

    family = "made"
    Settings = MadeSettings
    kind = "exact"
    sample_batch = 100

    @property
    def how(self) -> str:
        return "chain rule, discretized logistics" if self.domain.is_image else "chain rule, mixtures of Gaussians"

    def _build(self) -> MADE:
        settings, domain = self.settings, self.domain
        components = settings.components
        self.conditional = (
            LogisticMixture(domain.top + 1, components) if domain.is_image else GaussianMixture(components)
        )
        position = positions(domain.dimensions, settings.order)
        return MADE(position, settings.layers, settings.units, self.conditional.initial(), dtype=self.dtype)

    def _log_prob(self, x: tf.Tensor, draws: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = tf.reshape(x, [-1, self.domain.dimensions])
        each = self.conditional.log_prob(x[..., None], self.model(self._units(x)))
        value = tf.reduce_sum(each, axis=1)
        return value, tf.zeros_like(value)

    def _loss(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return -self._log_prob(x, 0, seed)[0]

    def _sample(self, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        dimensions = self.domain.dimensions
        order = tf.constant(np.argsort(self.model.position), tf.int32)
        noise = self.conditional.noise([dimensions, num_samples], seed, self.dtype)

        def draw_next(k: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            dimension = order[k]
            drawn = self.conditional.draw(self.model.one(self._units(x), dimension), [part[k] for part in noise])
            return k + 1, x + drawn * tf.one_hot(dimension, dimensions, dtype=x.dtype)

        begin = tf.constant(0), tf.zeros([num_samples, dimensions], self.dtype)
        _, x = tf.while_loop(lambda k, _: k < dimensions, draw_next, begin)
        return tf.reshape(x, [-1, *self.domain.shape])

    def _units(self, x: tf.Tensor) -> tf.Tensor:
        """What the network sees: integers as -1 to 1."""
        return 2 * x / self.domain.top - 1 if self.domain.is_image else x
