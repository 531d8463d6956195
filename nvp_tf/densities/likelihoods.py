"""What a decoder says of an example given its latents: p(x | z), each entry independent of the others.

Both take the decoder's outputs [n, ..., 2 c] for x [n, ..., c]: along the last axis the locations, then the
logarithms of the scales. x is in standard units: about 0, of a scale about 1.
"""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from nvp_tf.densities.conditionals import discretized_logistic


class Gaussian:
    """p(x | z) = N(x; m(z), s(z)^2): a density."""

    def log_prob(self, x: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """[n] nats of x [n, *event]."""
        return _sum_event(self._distribution(outputs).log_prob(x))

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """E[x | z], [n, *event]."""
        return tf.split(outputs, 2, axis=-1)[0]

    def sample(self, outputs: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """x ~ p(x | z), [n, *event]; seed int64 [2]."""
        return self._distribution(outputs).sample(seed=_tfp_seed(seed))

    def _distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        mean, log_scale = tf.split(outputs, 2, axis=-1)
        return tfd.Normal(mean, tf.exp(log_scale))


class DiscretizedLogistic:
    """P(k | z) of the integers 0 .. levels - 1 by `conditionals.discretized_logistic`: a mass.

    x = 2 k / (levels - 1) - 1 is k in standard units, of which the locations and the scales are, too.

    Args:
      levels: how many integers, at least 2.
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.half = (levels - 1) / 2

    def log_prob(self, x: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """[n] nats of x [n, *event], of the integers themselves."""
        return _sum_event(self._distribution(outputs).log_prob(tf.round((x + 1) * self.half)))

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """The logistics' locations within the range of x, [n, *event]."""
        return tf.clip_by_value(tf.split(outputs, 2, axis=-1)[0], -1, 1)

    def sample(self, outputs: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """x ~ P(x | z), [n, *event]; seed int64 [2]."""
        return self._distribution(outputs).sample(seed=_tfp_seed(seed)) / self.half - 1

    def _distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        return discretized_logistic(*tf.split(outputs, 2, axis=-1), self.levels)


def _sum_event(value: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(value, axis=list(range(1, value.shape.rank)))


def _tfp_seed(seed: tf.Tensor) -> tf.Tensor:
    """TFP wants int32 [2]."""
    return tf.random.stateless_uniform([2], seed, None, None, tf.int32)
