"""What an autoregressive network says of the next value: mixtures of discretized logistics, or of Gaussians.

A site is a dimension or, of an image, a pixel with its channels. Both take the network's outputs
[..., `outputs`] of each site.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

LEAST_LOG_SCALE = -7.0  # of values of range 2: a spike of all mass in one of 256 levels


def discretized_logistic(location: tf.Tensor, log_scale: tf.Tensor, levels: int) -> tfd.Distribution:
    """P(k) = F((k + 1/2 - m) / s) - F((k - 1/2 - m) / s) of the integers 0 .. levels - 1, F the sigmoid.

    The first and the last integer take their tails, so that the probabilities sum to 1 (Kingma et al. 2016,
    Salimans et al. 2017).

    Args:
      location, log_scale: m and log s of 2 k / (levels - 1) - 1.
    """
    half = (levels - 1) / 2
    logistic = tfd.Logistic((location + 1) * half, tf.exp(log_scale) * half)
    # Quantized rounds up: from half a level below.
    below = tfd.TransformedDistribution(logistic, tfb.Shift(tf.constant(-0.5, location.dtype)))
    return tfd.QuantizedDistribution(below, low=0, high=levels - 1)


class LogisticMixture:
    """P(x_1 .. x_C) = sum_m a_m prod_c P(x_c | m, x_1 .. x_{c-1})  (PixelCNN++, Salimans et al. 2017).

    Each factor is a discretized logistic whose location hangs linearly on the channels before: colours in order. It
    is the components that are discretized, not their mixture, whose CDF is flat between two of them.

    Args:
      levels: values are integers 0 to levels - 1.
      components: M.
      channels: C of a site.
    """

    def __init__(self, levels: int, components: int, channels: int = 1) -> None:
        self.levels, self.components, self.channels = levels, components, channels
        self.pairs = channels * (channels - 1) // 2
        self.outputs = components * (1 + 2 * channels + self.pairs)

    def initial(self) -> np.ndarray:
        """[outputs] to begin with: components side by side, as wide as they are apart."""
        located = np.linspace(-1, 1, self.components + 2)[1:-1]
        scales = np.full(self.components * self.channels, np.log(0.5 / (self.components + 1)))
        parts = [np.zeros(self.components), np.repeat(located, self.channels), scales]
        return np.concatenate([*parts, np.zeros(self.components * self.pairs)])

    def log_prob(self, x: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """[...] nats of the integers x [..., C]."""
        log_share, location, log_scale, slopes = self._split(outputs)
        unit = (2 / (self.levels - 1)) * x[..., None, :] - 1  # [..., 1, C]
        shifts = [self._shift(slopes, unit, c) for c in range(self.channels)]
        made = discretized_logistic(location + tf.stack(shifts, axis=-1), log_scale, self.levels)
        return tf.reduce_logsumexp(log_share + tf.reduce_sum(made.log_prob(x[..., None, :]), axis=-1), axis=-1)

    def noise(self, shape: list, seed: tf.Tensor, dtype: str) -> tuple[tf.Tensor, tf.Tensor]:
        """What `draw` needs for sites of a shape: Gumbel noise [*shape, M] and logistic noise [*shape, C]."""
        seeds = tf.random.split(seed, 2)
        gumbel = -tf.math.log(-tf.math.log(_uniform([*shape, self.components], seeds[0])))
        u = _uniform([*shape, self.channels], seeds[1])
        return tf.cast(gumbel, dtype), tf.cast(tf.math.log(u) - tf.math.log1p(-u), dtype)

    def draw(self, outputs: tf.Tensor, noise: Sequence[tf.Tensor]) -> tf.Tensor:
        """x [..., C] of the integers, a function of its arguments."""
        log_share, location, log_scale, slopes = self._split(outputs)
        chosen = tf.one_hot(tf.argmax(log_share + noise[0], axis=-1), self.components, dtype=outputs.dtype)[..., None]
        location, log_scale, slopes = (
            tf.reduce_sum(chosen * part, axis=-2, keepdims=True) for part in (location, log_scale, slopes)
        )
        half = (self.levels - 1) / 2
        drawn: list[tf.Tensor] = []
        for c in range(self.channels):
            before = tf.stack(drawn, axis=-1)[..., None, :] / half - 1 if c else None
            centre = location[..., 0, c] + self._shift(slopes, before, c)[..., 0]
            value = (centre + tf.exp(log_scale[..., 0, c]) * noise[1][..., c] + 1) * half
            drawn.append(tf.clip_by_value(tf.math.ceil(value - 0.5), 0, self.levels - 1))
        return tf.stack(drawn, axis=-1)

    def _split(self, outputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """(log a [..., M], m [..., M, C], log s [..., M, C], slopes [..., M, pairs])."""
        m, c = self.components, self.channels
        share, location, log_scale, slopes = tf.split(outputs, [m, m * c, m * c, m * self.pairs], axis=-1)
        lead = tf.shape(outputs)[:-1]

        def each(part: tf.Tensor, size: int) -> tf.Tensor:
            return tf.reshape(part, tf.concat([lead, [m, size]], axis=0))

        log_scale = tf.maximum(each(log_scale, c), LEAST_LOG_SCALE)
        return tf.nn.log_softmax(share), each(location, c), log_scale, tf.tanh(each(slopes, self.pairs))

    def _shift(self, slopes: tf.Tensor, unit: tf.Tensor | None, c: int) -> tf.Tensor:
        """What the channels before c, unit [..., 1 or M, >= c], add to its location: [..., M]."""
        first = c * (c - 1) // 2
        if not c or unit is None:
            return tf.zeros(tf.shape(slopes)[:-1], slopes.dtype)
        return tf.reduce_sum(slopes[..., first : first + c] * unit[..., :c], axis=-1)


class GaussianMixture:
    """p(x) = sum_m a_m N(x; m_m, s_m^2), a value a site; with M = 1 the Gaussian conditionals of reference D.2."""

    channels = 1

    def __init__(self, components: int) -> None:
        self.components, self.outputs = components, 3 * components

    def initial(self) -> np.ndarray:
        """[outputs] to begin with: components side by side over +-1.5."""
        located = np.linspace(-1.5, 1.5, self.components + 2)[1:-1]
        return np.concatenate(
            [np.zeros(self.components), located, np.full(self.components, -np.log(self.components) / 2)]
        )

    def log_prob(self, x: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """[...] nats of x [..., 1]."""
        log_share, mean, log_scale = self._split(outputs)
        return tf.reduce_logsumexp(log_share + tfd.Normal(mean, tf.exp(log_scale)).log_prob(x), axis=-1)

    def noise(self, shape: list, seed: tf.Tensor, dtype: str) -> tuple[tf.Tensor, tf.Tensor]:
        """What `draw` needs for sites of a shape: Gumbel noise [*shape, M] and Gaussian noise [*shape, 1]."""
        seeds = tf.random.split(seed, 2)
        gumbel = -tf.math.log(-tf.math.log(_uniform([*shape, self.components], seeds[0])))
        return tf.cast(gumbel, dtype), tf.cast(tf.random.stateless_normal([*shape, 1], seeds[1]), dtype)

    def draw(self, outputs: tf.Tensor, noise: Sequence[tf.Tensor]) -> tf.Tensor:
        """x [..., 1], a function of its arguments."""
        log_share, mean, log_scale = self._split(outputs)
        chosen = tf.one_hot(tf.argmax(log_share + noise[0], axis=-1), self.components, dtype=outputs.dtype)
        mean, log_scale = (tf.reduce_sum(chosen * part, axis=-1, keepdims=True) for part in (mean, log_scale))
        return mean + tf.exp(log_scale) * noise[1]

    def _split(self, outputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        share, mean, log_scale = tf.split(outputs, 3, axis=-1)
        return tf.nn.log_softmax(share), mean, tf.maximum(log_scale, LEAST_LOG_SCALE)


def _uniform(shape: list, seed: tf.Tensor) -> tf.Tensor:
    # The open interval: the logit of 0 is -inf.
    return tf.random.stateless_uniform(shape, seed, minval=1e-7, maxval=1 - 1e-7)
