"""Chains that sample some pixels of an image given the others. State: x [n, H, W, C] in [0, 1], as in the thesis."""

import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.models.flow import Flow

GRADIENT_SCALE = 0.01  # The authors' objective is the mean over 100 images; this is each image's share.
DECAY = 100  # steps after which a step's size has halved


class Chain:
    """What both chains share: their schedule, noise, clipping, and that visible pixels stay as they are.

        a_i = step_size / (1 + i / 100)

    Args:
      flow: a Flow of images.
      hidden: bool [n, H, W, 1], the pixels to sample.
      seed: of all noise; step i is a function of (x, seed, i).
      step_size: that of the first step.
      clip: whether x is kept in [0, 1].
    """

    def __init__(self, flow: Flow, hidden: np.ndarray, seed: int, step_size: float, clip: bool = True) -> None:
        if flow.pixels is None:
            raise UserError("the flow is over vectors, expected one over images")
        if not clip and flow.pixels.alpha:
            raise UserError("clip is off, expected on for a run with a logit, which ends where the pixels' range does")
        self.flow, self.hidden, self.seed, self.clip = flow, tf.constant(hidden), seed, clip
        self.step_size = step_size
        self.highest = flow.pixels.levels - 1
        self._step = tf.function(self._restored, autograph=False)

    def step(self, x: tf.Tensor, i: int) -> tf.Tensor:
        """x after step i, counted from 0."""
        size = self.step_size / (1 + i / DECAY)
        return self._step(x, tf.constant(size, x.dtype), tf.constant([self.seed, i], tf.int64))

    def move(self, x: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """x after a step of that size, hidden pixels and visible ones."""
        raise NotImplementedError

    def _restored(self, x: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        moved = self.move(x, size, seed)
        return tf.where(self.hidden, tf.clip_by_value(moved, 0, 1) if self.clip else moved, x)

    def dequantized(self, x: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(v, u): what the flow takes, v = (levels - 1) x + u in [0, levels), with fresh u ~ U[0, 1) each step."""
        u = tf.random.stateless_uniform(tf.shape(x), tf.random.fold_in(seed, 0), dtype=x.dtype)
        return self.highest * x + u, u

    def noise(self, shape: tf.Tensor, seed: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        return tf.random.stateless_normal(shape, tf.random.fold_in(seed, 1), dtype=dtype)


class PixelChain(Chain):
    """The thesis' approximate Langevin sampling, noisy ascent on log p (figure 5.7; constants of the authors' code).

        x <- x + a_i (0.01 d/dx log p((levels - 1) x + u) + n),   n ~ N(0, 1),   step_size 0.1

    The noise is not sqrt(2 a_i): hot at first, cold later, an annealing. Its drift is bounded under the logistic
    prior of NICE. Real NVP's density has ridges at the pixels' ends which a pixel alone does not leave: it freezes
    into black and white.
    """

    def move(self, x: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            z, log_det = self.flow.bijector.forward(self.dequantized(x, seed)[0])
            log_prob = self.flow.prior.log_prob(z) + log_det
        return x + size * (GRADIENT_SCALE * tape.gradient(log_prob, x) + self.noise(tf.shape(x), seed, x.dtype))


class LatentChain(Chain):
    """Langevin steps on the latents, where the density is simple; ours, for Real NVP.

        z = f((levels - 1) x + u),   z <- z + a_i^2 / 2 d/dz log prior(z) + a_i n,   x <- (g(z) - u) / (levels - 1)

    A step keeps the prior but for a part a_i^2 / 4 of its variance, so that with no pixel visible this draws from the
    model; visible pixels are restored after each step, which makes it approximate.
    """

    def move(self, x: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        v, u = self.dequantized(x, seed)
        z, _ = self.flow.bijector.forward(v)
        with tf.GradientTape() as tape:
            tape.watch(z)
            log_prior = self.flow.prior.log_prob(z)
        z += size**2 / 2 * tape.gradient(log_prior, z) + size * self.noise(tf.shape(z), seed, z.dtype)
        return (self.flow.bijector.inverse(z)[0] - u) / self.highest


CHAINS: dict[str, type[Chain]] = {"pixels": PixelChain, "latents": LatentChain}
