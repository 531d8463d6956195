"""The contract of a bijective layer.

**forward** goes from data to latents (the thesis' f), **inverse** from latents to data (its g).
This is the one place that says so; only the TFP views turn it round.
"""

import math
from typing import Any

import keras
import tensorflow as tf

Shape = tuple[int, ...]  # of one example, without the batch
BatchShape = tuple[Any, ...]  # (None, *event): how many examples is not known
ValueAndLogDet = tuple[tf.Tensor, tf.Tensor]
LogDets = list[tuple[str, tf.Tensor]]  # of layers by name


class Bijective(keras.layers.Layer):
    """A bijection of one example that gives its value and its log-determinant together.

        forward(x) -> (y, log_det),    log_det = log |det dy/dx|
        inverse(y) -> (x, log_det),    log_det = log |det dx/dy| = -(forward's, at x)

    x and y are [n, *event], x of `data_dtype`, y of `compute_dtype`; log_det is [n], in nats. A subclass
    writes `_forward`, `_inverse` and `_entrywise`, and `latent_shape` and `at_data` where entries move. It is a
    deterministic function of its arguments and weights: one row of a batch does not depend on the others,
    except through the batch statistics of training.

    Keras builds and casts in `__call__` only, and a method called directly gets neither: so a layer
    is built by `build((None, *event))`, each container building its parts, and both directions
    check their argument here.

    A layer is saved as its class and its arguments: a subclass is registered with Keras, and has a `get_config`
    with each of them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.event_shape: Shape = None  # type: ignore[assignment]  # of x, without the batch; set by build

    def build(self, input_shape: BatchShape) -> None:
        self.event_shape = tuple(input_shape[1:])
        if None in self.event_shape:
            raise ValueError(f"{self.name}: event shape is {self.event_shape}, expected fixed sizes")
        self._build(self.event_shape)
        self.built = True

    def forward(self, x: tf.Tensor, training: bool = False) -> ValueAndLogDet:
        """x, data side [n, *event_shape] -> (y, log_det). `training`: use and move batch statistics."""
        return self._forward(self._check(x, self.event_shape, self.data_dtype, "forward"), training)

    def inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        """y, latent side [n, *latent_shape] -> (x, log_det). Always with running statistics."""
        shape = self.event_shape and self.latent_shape(self.event_shape)
        return self._inverse(self._check(y, shape, self.compute_dtype, "inverse"))

    def call(self, x: tf.Tensor, training: bool = False) -> ValueAndLogDet:
        return self.forward(x, training)

    @property
    def data_dtype(self) -> str:
        """What x is: `compute_dtype`, unless the layer takes more digits than it gives."""
        return str(self.compute_dtype)

    def latent_shape(self, event_shape: Shape) -> Shape:
        """The shape of y for an x of `event_shape`."""
        return event_shape

    def entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`forward`, with running statistics, and its log_det shared out over the entries of x.

        An entry that is changed by itself, whatever the change was computed from, has its own term
        log |dy_i / dx_i|; a layer that mixes entries gives each the same share of the whole.

        Returns:
          (y, nats [n, *event_shape] of `compute_dtype`, which sum to log_det).
        """
        return self._entrywise(self._check(x, self.event_shape, self.data_dtype, "entrywise"))

    def at_data(self, values: tf.Tensor) -> tf.Tensor:
        """Values of the entries of y, [n, *latent_shape], each at the entry of x that it was made of:
        [n, *event_shape]."""
        return values

    def trace(self, x: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, LogDets]:
        """`forward` with the log_det taken apart: (y, [(name, log_det [n])]) of each layer that it is made of."""
        y, log_det = self.forward(x, training)
        return y, [(self.name, log_det)]

    def log_dets(self, x: tf.Tensor, training: bool = False) -> LogDets:
        """[(name, log_det [n])] of this layer, or of each layer that it is made of; for a look at what went wrong."""
        return self.trace(x, training)[1]

    @property
    def weight_scales(self) -> list[keras.Variable]:
        """The weight-norm scales below this layer, for `objectives.weight_penalty`."""
        return []

    def _build(self, event_shape: Shape) -> None:
        """Makes weights and builds the parts. Nothing by default."""

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        raise NotImplementedError

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        raise NotImplementedError

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        raise NotImplementedError

    def _check(self, value: tf.Tensor, expected: Shape | None, dtype: str, direction: str) -> tf.Tensor:
        if expected is None:
            raise ValueError(f"{self.name}.{direction}: not built, call build((None, *event_shape)) first")
        value = tf.convert_to_tensor(value)
        if value.dtype != dtype:
            raise ValueError(f"{self.name}.{direction}: dtype is {value.dtype.name}, expected {dtype}")
        if not value.shape.is_compatible_with((None, *expected)):
            raise ValueError(
                f"{self.name}.{direction}: shape is {value.shape}, expected (n, {str(expected)[1:-1].rstrip(',')})"
            )
        return value


def build_once(layer: keras.layers.Layer, input_shape: BatchShape | None) -> None:
    """Builds a part of a layer; one that comes from a file is built already."""
    if not layer.built:
        layer.build(input_shape)


def no_log_det(x: tf.Tensor, dtype: str | None = None) -> tf.Tensor:
    """[n] zeros, the log-determinant of a map that keeps volume; of x's dtype, or another."""
    return tf.zeros(tf.shape(x)[:1], dtype or x.dtype)


def evenly(log_det: tf.Tensor, event_shape: Shape) -> tf.Tensor:
    """The same share to each entry: [n] -> [n, *event_shape]."""
    share = tf.reshape(log_det / math.prod(event_shape), [-1] + [1] * len(event_shape))
    return share * tf.ones(event_shape, log_det.dtype)


def sum_event(value: tf.Tensor) -> tf.Tensor:
    """Sums all axes but the first: [n, ...] -> [n]."""
    return tf.reduce_sum(value, axis=list(range(1, value.shape.rank)))
