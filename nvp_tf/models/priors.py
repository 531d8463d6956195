"""Factorial priors over latents: plain functions of a tensor, no weights."""

import math
from collections.abc import Sequence
from typing import Any, Self

import keras
import tensorflow as tf


class Prior:
    """A density that is the same in every dimension and independent over them."""

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Log-density of each example: [n, ...] float -> [n] nats."""
        return tf.reduce_sum(self.log_density(z), axis=list(range(1, z.shape.rank)))

    def sample(
        self,
        shape: Sequence[int | tf.Tensor],
        seed: tf.Tensor,
        temperature: float | tf.Tensor = 1.0,
        dtype: str = "float32",
    ) -> tf.Tensor:
        """Draws latents, times `temperature`.

        Args:
          shape: of the result, the number of examples first.
          seed: int [2]. The same seed gives the same draws, in every process.
          temperature: scalar, 1 is the model; below 1, likelier and less varied.
        """
        # Drawn in float32, so that a seed means the same in every dtype.
        draws = tf.cast(self._draw(shape, seed), dtype)
        return draws * tf.cast(temperature, dtype)

    def get_config(self) -> dict[str, Any]:
        """Its arguments, for Keras: none."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)

    def log_density(self, z: tf.Tensor) -> tf.Tensor:
        """Log-density of each entry: [n, ...] -> [n, ...] nats."""
        raise NotImplementedError

    def _draw(self, shape: Sequence[int | tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError


@keras.saving.register_keras_serializable("nvp_tf")
class Normal(Prior):
    """p(z) = exp(-z^2 / 2) / sqrt(2 pi)."""

    def log_density(self, z: tf.Tensor) -> tf.Tensor:
        return -0.5 * (tf.square(z) + math.log(2 * math.pi))

    def _draw(self, shape: Sequence[int | tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal(shape, seed)


@keras.saving.register_keras_serializable("nvp_tf")
class Logistic(Prior):
    """p(z) = sigmoid(z) sigmoid(-z) (thesis 5.2)."""

    def log_density(self, z: tf.Tensor) -> tf.Tensor:
        # = -softplus(z) - softplus(-z). LiteRT makes log(1 + exp(z)) of a softplus, which is infinite at z = 89.
        z = tf.abs(z)
        return -z - 2 * tf.math.log(1 + tf.exp(-z))

    def _draw(self, shape: Sequence[int | tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        # The open interval: the logit of 0 is -inf.
        u = tf.random.stateless_uniform(shape, seed, minval=1e-7, maxval=1 - 1e-7)
        return tf.math.log(u) - tf.math.log1p(-u)


PRIORS = {"normal": Normal, "logistic": Logistic}
