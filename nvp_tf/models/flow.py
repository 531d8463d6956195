"""A density model: a bijection from data to latents and a prior over the latents."""

import math
from typing import Any, Self, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.layers.base import Bijective
from nvp_tf.layers.chain import Chain
from nvp_tf.layers.pixels import Pixels
from nvp_tf.layers.standardization import Standardization
from nvp_tf.models.fitting import MaximumLikelihood
from nvp_tf.models.objectives import bits_per_dim
from nvp_tf.models.priors import Prior

Values: TypeAlias = np.ndarray | tf.Tensor


@keras.saving.register_keras_serializable("nvp_tf")
class Flow(MaximumLikelihood):
    """log p(x) = log prior(z) + log_det,  (z, log_det) = bijector.forward(v)  (thesis 5.1).

    v is the data itself for vectors. For images of integers it is x + u with noise u in [0, 1), and
    the mean over the noise bounds the log-probability of the integers from below:
    E[log p(x + u)] <= log P(x). Where no noise is given it is one fixed pattern, the same for every
    image, so that a score depends on the image alone; `encode` uses 1/2, the centre of the cell,
    the farthest from rounding to a neighbour.

    A Keras model: called, it gives log_prob; it is trained by `compile` and `fit` (`MaximumLikelihood`), and saved by
    `save("flow.keras")`, which `keras.saving.load_model` reads.

    Args:
      bijector: a built `Bijective`; a `Chain` whose first layer is `Pixels` where the data is images of integers.
      prior: a `Prior`.

    Attributes:
      pixels: the `Pixels` layer, or None for vectors.
      standardization: the `Standardization` layer, or None.
      data_dtype: what the bijection takes and gives on the side of the data.
      event: the `Event` of an example.
    """

    NOISE_SEED = 2018
    CELL_CENTRE = 0.5

    def __init__(self, bijector: Bijective, prior: Prior, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bijector = bijector
        self.prior = prior
        first = bijector.layers[0] if isinstance(bijector, Chain) and bijector.layers else None
        self.pixels = first if isinstance(first, Pixels) else None
        self.event_shape = bijector.event_shape
        self.latent_shape = bijector.latent_shape(bijector.event_shape)
        self.standardization = first if isinstance(first, Standardization) else None
        self.data_dtype = bijector.data_dtype
        self.event = Event(
            self.event_shape,
            None if self.pixels is None else self.pixels.levels,
            reals="float32" if self.standardization is None else self.data_dtype,
        )
        self.dimensions = self.event.dimensions
        self.built = True

    def get_config(self) -> dict[str, Any]:
        parts = {"bijector": self.bijector, "prior": self.prior}
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return super().get_config() | serialized

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("bijector", "prior")}
        return super().from_config(config | parts)

    @property
    def parameters(self) -> int:
        """How many numbers are trained; running statistics and whitening are not."""
        return sum(math.prod(weight.shape) for weight in self.trainable_weights)

    @property
    def weight_scales(self) -> list[keras.Variable]:
        return self.bijector.weight_scales

    @property
    def units(self) -> np.ndarray:
        """[D] or [], what an error of the data is to be divided by: the deviations that vectors were standardized
        with, otherwise 1."""
        return np.ones(()) if self.standardization is None else self.standardization.scale

    def in_single_precision(self) -> Self:
        """A flow of the same weights whose vectors are float32 where these are float64: what a device without float64
        computes. A value of 1.7e9 is known to 128 there."""
        if self.standardization is None:
            return self
        config = self.get_config()
        config["bijector"]["config"]["layers"][0]["config"]["data_dtype"] = str(self.compute_dtype)
        flow = type(self).from_config(config)
        flow.set_weights(self.get_weights())
        return flow

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.log_prob(x, training=training)

    def log_prob(self, x: Values, noise: Values | None = None, training: bool = False) -> tf.Tensor:
        """Log-likelihood of each example.

        Args:
          x: uint8 [n, height, width, channels] or float [n, dimensions].
          noise: float in [0, 1), of x's shape or one that broadcasts; None for the fixed pattern.
          training: whether batch normalization uses (and moves) the batch's statistics.

        Returns:
          [n] nats; of the discrete image where there are pixels. -inf for an image with a value
          that the data does not have (below 0 or above `levels - 1`).

        Raises:
          UserError: another dtype or shape.
        """
        x = self._check(x)
        u = self.noise_pattern() if noise is None else tf.convert_to_tensor(noise)
        if training:  # no row is added to what statistics are taken of
            return self.forward(x, u, training)[1]
        if u.shape.rank == x.shape.rank:
            u, _ = at_least_one(u)
        x, n = at_least_one(x)
        return self.forward(x, u)[1][:n]

    def forward(self, x: Values, noise: Values | float, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """(latents [n, D], log_prob [n]) of one pass, n at least 1; arguments as of `log_prob`."""
        x = self._check(x)
        levels = self.event.levels
        all_inside = levels is None or (x.dtype == tf.uint8 and levels == 256)
        x = tf.cast(x, self.data_dtype)  # hardly another engine clips or compares uint8
        v = self.to_reals(x, noise)
        z, log_det = self.bijector.forward(v, training)
        log_prob = self.prior.log_prob(z) + log_det
        latents = tf.reshape(z, [-1, self.dimensions])
        if all_inside:
            return latents, log_prob
        inside = tf.reduce_all((x >= 0) & (x < levels), axis=list(range(1, x.shape.rank)))
        # + 0 or -inf, as the log of what is known: the converter to LiteRT makes a number of an infinite constant.
        return latents, log_prob + tf.math.log(tf.cast(inside, log_prob.dtype))

    def inverse(self, z: Values) -> tf.Tensor:
        """The data of latents [n, D], n at least 1, in one pass."""
        z = tf.reshape(tf.cast(z, self.compute_dtype), [-1, *self.latent_shape])
        v, _ = self.bijector.inverse(z)
        return v if self.pixels is None else self.pixels.to_integers(v)

    def explain(self, x: Values, noise: Values | None = None) -> tf.Tensor:
        """-log_prob / ln 2 shared out over the pixels, where they are.

            bits_i = -(log prior(z_i) + sum over layers of log |dy_i / dx_i|) / ln 2,    sum bits_i = -log_prob / ln 2

        Entry i of the data is one entry of the latents: layers change entries one by one, by what they make of the
        others, or move them. It is no conditional density of pixel i (docs/explain.md).

        Args:
          x, noise: as of `log_prob`.

        Returns:
          [n, height, width] bits, of a pixel's channels together; of vectors [n, dimensions]. inf where a pixel has a
          value that the data does not have.
        """
        x, n = at_least_one(self._check(x))
        u = self.noise_pattern() if noise is None else tf.convert_to_tensor(noise)
        if u.shape.rank == x.shape.rank:
            u, _ = at_least_one(u)
        return self.entrywise(x, u)[:n]

    def entrywise(self, x: Values, noise: Values | float) -> tf.Tensor:
        """`explain` of n at least 1."""
        x = tf.cast(self._check(x), self.data_dtype)
        z, nats = self.bijector.entrywise(self.to_reals(x, noise))
        nats += self.bijector.at_data(self.prior.log_density(z))
        if self.pixels is not None:
            inside = (x >= 0) & (x < self.pixels.levels)
            nats += tf.math.log(tf.cast(inside, nats.dtype))
        if len(self.event_shape) == 3:
            nats = tf.reduce_sum(nats, axis=-1)
        return -nats / math.log(2)

    def bits_per_dim(self, x: Values, noise: Values | None = None) -> tf.Tensor:
        """-log_prob / (D ln 2), [n]; defined for images of integers only."""
        if self.pixels is None:
            raise UserError("bits_per_dim is defined for discrete data; this flow is over real vectors, use log_prob")
        return bits_per_dim(self.log_prob(x, noise), self.dimensions)

    def encode(self, x: Values) -> tf.Tensor:
        """x -> all of its latents, [n, D]; `decode` gives back every integer of x."""
        x, n = at_least_one(self._check(x))
        return self.forward(x, self.CELL_CENTRE)[0][:n]

    def decode(self, z: Values) -> tf.Tensor:
        """Latents [n, D] -> uint8 images [n, height, width, channels], or float vectors [n, D]."""
        z, n = at_least_one(self._check_latents(z))
        return self.inverse(z)[:n]

    def sample(self, num_samples: int, seed: int = 0, temperature: float = 1.0) -> tf.Tensor:
        """Draws `num_samples` images or vectors; the same seed draws the same, in every process.

        Args:
          num_samples: int, at least 0.
          seed: int.
          temperature: factor of the latents, positive; 1 is the model.

        Raises:
          UserError: another number of samples, another temperature.
        """
        if num_samples < 0:
            raise UserError(f"num_samples is {num_samples}, expected at least 0")
        if not 0 < temperature < math.inf:
            raise UserError(f"temperature is {temperature}, expected a positive number")
        return self.decode(self.sample_latents(num_samples, seed, temperature))

    def sample_latents(
        self, num_samples: int | tf.Tensor, seed: int | tf.Tensor = 0, temperature: float | tf.Tensor = 1.0
    ) -> tf.Tensor:
        """The latents [num_samples, D] that `sample` decodes."""
        seed = tf.cast(seed, tf.int64)
        seed = tf.stack([seed, tf.zeros_like(seed)])
        return self.prior.sample([num_samples, self.dimensions], seed, temperature, self.compute_dtype)

    def noise_pattern(self, draw: int = 0) -> tf.Tensor:
        """Fixed noise of one event's shape; draw 0 is `log_prob`'s where none is given."""
        return tf.random.stateless_uniform(self.event_shape, [self.NOISE_SEED, draw])

    def to_reals(self, x: Values, noise: Values | float) -> tf.Tensor:
        """The reals that the bijection is of: vectors as they are, x + noise of images."""
        if self.pixels is None:
            return x
        # A value the data does not have is scored -inf; here it must only not make a NaN.
        x = tf.clip_by_value(tf.cast(x, self.compute_dtype), 0, self.pixels.levels - 1)
        return self.pixels.dequantize(x, noise)

    def _check(self, x: Values) -> tf.Tensor:
        """x as a tensor: integers for pixels, floats for vectors."""
        x = tf.convert_to_tensor(x)
        if self.pixels is not None and not x.dtype.is_integer:
            raise UserError(f"images have dtype {x.dtype.name}, expected integers 0 to {self.pixels.levels - 1}")
        if self.pixels is None and not x.dtype.is_floating:
            raise UserError(f"vectors have dtype {x.dtype.name}, expected {self.data_dtype}")
        if not x.shape.is_compatible_with((None, *self.event_shape)):
            expected = ", ".join(str(side) for side in self.event_shape)
            raise UserError(f"data has shape {x.shape}, expected (n, {expected})")
        return x if x.shape[1:].is_fully_defined() else tf.ensure_shape(x, (None, *self.event_shape))

    def _check_latents(self, z: Values) -> tf.Tensor:
        """z as a tensor."""
        z = tf.convert_to_tensor(z)
        if not z.shape.is_compatible_with((None, self.dimensions)):
            raise UserError(f"latents have shape {z.shape}, expected (n, {self.dimensions})")
        return z


def at_least_one(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(values, their number); of none, one row of zeros: oneDNN's convolution gives an empty batch a wrong shape."""
    n = tf.shape(values)[0]
    if values.shape[0]:  # known, and not 0
        return values, n
    paddings = [[0, tf.cast(n == 0, tf.int32)]] + [[0, 0]] * (values.shape.rank - 1)
    return tf.ensure_shape(tf.pad(values, paddings), (None, *values.shape[1:])), n
