"""The contract of a bijective layer.

**forward** goes from data to latents (the thesis' f), **inverse** from latents to data (its g).
This is the one place that says so; only the TFP views turn it round.
"""

import keras
import tensorflow as tf


class Bijective(keras.layers.Layer):
    """A bijection of one example that gives its value and its log-determinant together.

        forward(x) -> (y, log_det),    log_det = log |det dy/dx|
        inverse(y) -> (x, log_det),    log_det = log |det dx/dy| = -(forward's, at x)

    x and y are [n, *event]; log_det is [n], in nats. A subclass writes `_forward` and `_inverse`,
    and `latent_shape` where the event changes its shape. It is a deterministic function of its
    arguments and weights: one row of a batch does not depend on the others, except through the
    batch statistics of training.

    Keras builds and casts in `__call__` only, and a method called directly gets neither: so a layer
    is built by `build((None, *event))`, each container building its parts, and both directions
    check their argument here.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.event_shape = None  # of x, without the batch; set by build

    def build(self, input_shape):
        self.event_shape = tuple(input_shape[1:])
        if None in self.event_shape:
            raise ValueError(f"{self.name}: event shape is {self.event_shape}, expected fixed sizes")
        self._build(self.event_shape)
        self.built = True

    def forward(self, x, training=False):
        """x, data side [n, *event_shape] -> (y, log_det). `training`: use and move batch statistics."""
        return self._forward(self._check(x, self.event_shape, "forward"), training)

    def inverse(self, y):
        """y, latent side [n, *latent_shape] -> (x, log_det). Always with running statistics."""
        shape = self.event_shape and self.latent_shape(self.event_shape)
        return self._inverse(self._check(y, shape, "inverse"))

    def call(self, x, training=False):
        return self.forward(x, training)

    def latent_shape(self, event_shape):
        """The shape of y for an x of `event_shape`."""
        return event_shape

    def trace(self, x, training=False) -> tuple:
        """`forward` with the log_det taken apart: (y, [(name, log_det [n])]) of each layer that it is made of."""
        y, log_det = self.forward(x, training)
        return y, [(self.name, log_det)]

    def log_dets(self, x, training=False) -> list:
        """[(name, log_det [n])] of this layer, or of each layer that it is made of; for a look at what went wrong."""
        return self.trace(x, training)[1]

    @property
    def weight_scales(self) -> list:
        """The weight-norm scales below this layer, for `objectives.weight_penalty`."""
        return []

    def _build(self, event_shape):
        """Makes weights and builds the parts. Nothing by default."""

    def _forward(self, x, training):
        raise NotImplementedError

    def _inverse(self, y):
        raise NotImplementedError

    def _check(self, value, expected, direction):
        if expected is None:
            raise ValueError(f"{self.name}.{direction}: not built, call build((None, *event_shape)) first")
        value = tf.convert_to_tensor(value)
        if value.dtype != self.compute_dtype:
            raise ValueError(f"{self.name}.{direction}: dtype is {value.dtype.name}, expected {self.compute_dtype}")
        if not value.shape.is_compatible_with((None, *expected)):
            raise ValueError(
                f"{self.name}.{direction}: shape is {value.shape}, expected (n, {str(expected)[1:-1].rstrip(',')})"
            )
        return value


def no_log_det(x):
    """[n] zeros, the log-determinant of a map that keeps volume."""
    return tf.zeros(tf.shape(x)[:1], x.dtype)


def sum_event(value):
    """Sums all axes but the first: [n, ...] -> [n]."""
    return tf.reduce_sum(value, axis=list(range(1, value.shape.rank)))
