"""Reparametrizations eta = Phi^-1(theta) that change how flat a chosen point is, as bijective layers (thesis 3.5.1).

forward goes from theta to eta, inverse is the thesis' Phi. A `centre` is the point whose surroundings are stretched.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from nvp_tf.layers.base import Bijective, evenly, sum_event

_NEWTON_STEPS = 200  # never reached: a start within a factor 2^|a| takes a few |a|


@keras.saving.register_keras_serializable("nvp_tf")
class Power(Bijective):
    """Stretches or squeezes every coordinate about a centre (thesis figure 3.5).

        forward:  y = (v^2 + b)^a v,  v = x - centre
        log_det = sum log dy/dv,   dy/dv = (v^2 + b)^(a - 1) ((2 a + 1) v^2 + b)
        inverse:  v by Newton's method, from the side where it converges monotonically

    At a minimum m the curvature in y is that in x divided by (dy/dv)^2; at the centre by b^(2 a). With b = 0 that is 0
    or infinite there, and so is the log_det at v = 0.

    Args:
      a: above -1/2; 0 is the identity.
      b: at least 0.
    """

    def __init__(self, a: float, b: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not (-0.5 < a < math.inf and 0 <= b < math.inf):
            raise ValueError(f"{self.name}: a is {a}, b is {b}, expected a above -1/2 and b at least 0, both finite")
        self.a, self.b = a, b

    def _build(self, event_shape: tuple[int, ...]) -> None:
        self.centre = self.add_weight(name="centre", shape=event_shape, initializer="zeros")

    def _forward(self, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        v = x - self.centre
        return self._power(v), self._log_det(v)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        v = x - self.centre
        return self._power(v), self._log_slope(v)

    def _inverse(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        v = self._root(y)
        return v + self.centre, -self._log_det(v)

    def _power(self, v: tf.Tensor) -> tf.Tensor:
        if not self.b:  # v^2 of a small v would vanish
            return tf.sign(v) * tf.abs(v) ** (2 * self.a + 1)
        return (tf.square(v) + self.b) ** self.a * v

    def _log_slope(self, v: tf.Tensor) -> tf.Tensor:
        if not self.b:
            return 2 * self.a * tf.math.log(tf.abs(v)) + tf.constant(math.log(2 * self.a + 1), v.dtype)
        square = tf.square(v)
        return (self.a - 1) * tf.math.log(square + self.b) + tf.math.log((2 * self.a + 1) * square + self.b)

    def _log_det(self, v: tf.Tensor) -> tf.Tensor:
        return sum_event(self._log_slope(v))

    @tf.custom_gradient
    def _root(self, y: tf.Tensor) -> tuple[tf.Tensor, object]:
        """v of y. Its derivative is 1 / slope(v), of any order: no gradient runs through the iteration."""

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return upstream * tf.exp(-self._log_slope(self._root(y)))

        power = 1 / (2 * self.a + 1)
        size = tf.abs(y)
        v = size**power
        if self.b:
            # |y| is at least (a > 0) or at most (a < 0) each of v^(2a+1) and b^a v, and convex or concave in v.
            end = tf.minimum if self.a > 0 else tf.maximum
            v = end(v, size / self.b**self.a)
            v = self._newton(v, size)
        return tf.sign(y) * v, gradient

    def _newton(self, v: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """The root of power(v) = size, from a start on the right side of it."""
        rounding = 4 * tf.experimental.numpy.finfo(v.dtype.as_numpy_dtype).eps

        def step(v: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            move = (self._power(v) - size) * tf.exp(-self._log_slope(v))
            return v - move, tf.reduce_any(tf.abs(move) > rounding * v)

        go_on = tf.constant(True)
        return tf.while_loop(lambda _, far: far, step, (v, go_on), maximum_iterations=_NEWTON_STEPS)[0]


@keras.saving.register_keras_serializable("nvp_tf")
class Radial(Bijective):
    """Moves points within a ball along their rays, and leaves all outside where it is (thesis 3.5.1, figure 3.6).

        forward:  y = centre + psi(r) / r v,  v = x - centre,  r = ||v||
        psi(r) = rho r / rhat                                          for r <= rhat
               = (rho - delta)(r - delta) / (rhat - delta) + delta     for rhat < r <= delta
               = r                                                     beyond
        log_det = log psi'(r) + (n - 1) log(psi(r) / r)
        inverse:  the same with rho and rhat swapped

    At the centre the Hessian in y is (rhat / rho)^2 times that in x: sharper for rho < rhat, flatter for rho > rhat.

    Args:
      rhat, rho: the radius of the core in x and in y, both between 0 and delta.
      delta: the radius of the ball.
    """

    def __init__(self, rhat: float, rho: float, delta: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not (0 < rhat < delta < math.inf and 0 < rho < delta):
            raise ValueError(f"{self.name}: rhat is {rhat}, rho is {rho}, expected both between 0 and delta, {delta}")
        self.rhat, self.rho, self.delta = rhat, rho, delta

    def _build(self, event_shape: tuple[int, ...]) -> None:
        self.centre = self.add_weight(name="centre", shape=event_shape, initializer="zeros")

    def _forward(self, x: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        return self._along(x, self.rhat, self.rho)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = self._forward(x, training=False)
        return y, evenly(log_det, self.event_shape)

    def _inverse(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._along(y, self.rho, self.rhat)

    def _along(self, x: tf.Tensor, rhat: float, rho: float) -> tuple[tf.Tensor, tf.Tensor]:
        v = x - self.centre
        square = sum_event(tf.square(v))
        core, far = square <= rhat**2, square > self.delta**2
        r = tf.sqrt(tf.where(core, tf.constant(rhat**2, v.dtype), square))  # its gradient at 0 would be NaN
        slope = tf.constant((rho - self.delta) / (rhat - self.delta), v.dtype)
        ratio = slope + (1 - slope) * self.delta / r  # psi / r in the shell, and rho / rhat at its inner side
        one = tf.ones_like(r)
        ratio = tf.where(far, one, tf.where(core, rho / rhat * one, ratio))
        slope = tf.where(far, one, tf.where(core, rho / rhat * one, slope * one))
        n = math.prod(self.event_shape)
        log_det = tf.math.log(slope) + (n - 1) * tf.math.log(ratio)
        return self.centre + tf.reshape(ratio, [-1] + [1] * len(self.event_shape)) * v, log_det
