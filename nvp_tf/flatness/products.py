"""Sums over one batch of loss, gradient and second-order products, each one traced graph of the flat weights.

The weights are an argument: the model runs in a `keras.StatelessScope`, so that nothing is assigned to it, neither
weights nor running statistics nor seeds.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from nvp_tf.errors import UserError, reason
from nvp_tf.flatness.blame import blamed
from nvp_tf.flatness.blocks import Block, split
from nvp_tf.flatness.losses import Loss
from nvp_tf.flatness.moments import differentiable_moments

_ZERO = tf.UnconnectedGradients.ZERO


class Products:
    """The graphs of one model and loss; each method takes the flat weights [dim] first and a batch (x, y) last.

    Args:
      training: whether the model is called as in training: batch normalization by the batch's own statistics.
      batch: one (x, y), for the shapes that a graph is traced for; the number of examples is left open.
    """

    def __init__(self, model: keras.Model, loss: Loss, blocks: Sequence[Block], training: bool, batch: tuple) -> None:
        self.model = model
        self.loss = loss
        self.blocks = blocks
        self.training = training
        self.batch = batch
        self.drawing = False  # whether the traced model drew random numbers
        self._theta = tf.TensorSpec([blocks[-1].stop], tf.float64)
        self._data = tf.nest.map_structure(lambda t: tf.TensorSpec([None, *t.shape[1:]], t.dtype), batch)

    @functools.cached_property
    def outputs(self) -> Callable:
        """(theta, x, y) -> [n, ...]."""
        return self._traced(lambda theta, x, y: self._call(theta, x), 1)

    @functools.cached_property
    def losses(self) -> Callable:
        """(theta, x, y) -> [n]."""
        return self._traced(self._losses, 1)

    @functools.cached_property
    def loss_and_gradient(self) -> Callable:
        """(theta, x, y) -> (sum of losses, its gradient [dim])."""

        def function(theta: tf.Tensor, x: object, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(theta)
                total = tf.reduce_sum(self._losses(theta, x, y))
            return total, tape.gradient(total, theta, unconnected_gradients=_ZERO)

        return self._traced(function, 1)

    @functools.cached_property
    def hessian(self) -> Callable:
        """(theta, v, x, y) -> H v [dim], reverse over reverse: the fastest order without XLA, and with it."""

        def function(theta: tf.Tensor, v: tf.Tensor, x: object, y: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as outer:
                outer.watch(theta)
                with tf.GradientTape() as inner:
                    inner.watch(theta)
                    total = tf.reduce_sum(self._losses(theta, x, y))
                gradient = inner.gradient(total, theta, unconnected_gradients=_ZERO)
            return outer.gradient(gradient, theta, output_gradients=v, unconnected_gradients=_ZERO)

        return self._traced(function, 2)

    @functools.cached_property
    def gauss_newton(self) -> Callable:
        """(theta, v, x, y) -> sum of J' B J v [dim], with J the outputs' Jacobian and B the loss' Hessian in them."""

        def function(theta: tf.Tensor, v: tf.Tensor, x: object, y: tf.Tensor) -> tf.Tensor:
            outputs, jv, tape = self._directional(theta, v, lambda theta: self._call(theta, x))
            bent = self._output_hessian(outputs, y, jv)
            return tape.gradient(outputs, theta, output_gradients=bent, unconnected_gradients=_ZERO)

        return self._traced(function, 2)

    @functools.cached_property
    def empirical_fisher(self) -> Callable:
        """(theta, v, x, y) -> sum of g g' v [dim], with g the gradient of one example's loss."""

        def function(theta: tf.Tensor, v: tf.Tensor, x: object, y: tf.Tensor) -> tf.Tensor:
            losses, jv, tape = self._directional(theta, v, lambda theta: self._losses(theta, x, y))
            return tape.gradient(losses, theta, output_gradients=jv, unconnected_gradients=_ZERO)

        return self._traced(function, 2)

    @functools.cached_property
    def gauss_newton_form(self) -> Callable:
        """(theta, v, x, y) -> [n], v' J' B J v of each example."""

        def function(theta: tf.Tensor, v: tf.Tensor, x: object, y: tf.Tensor) -> tf.Tensor:
            outputs, jv, _ = self._directional(theta, v, lambda theta: self._call(theta, x))
            form = jv * self._output_hessian(outputs, y, jv)
            return tf.reduce_sum(tf.reshape(form, [tf.shape(form)[0], -1]), axis=1)

        return self._traced(function, 2)

    @functools.cached_property
    def losses_along(self) -> Callable:
        """(theta, v, x, y) -> [n], the derivative of each example's loss along v."""
        return self._traced(
            lambda theta, v, x, y: self._directional(theta, v, lambda theta: self._losses(theta, x, y))[1], 2
        )

    @functools.cached_property
    def input_gradient(self) -> Callable:
        """(theta, x, y) -> the gradient of the sum of losses in each part of x."""

        def function(theta: tf.Tensor, x: object, y: tf.Tensor) -> list[tf.Tensor]:
            parts = tf.nest.flatten(x)
            with tf.GradientTape() as tape:
                tape.watch(parts)
                total = tf.reduce_sum(self._losses(theta, tf.nest.pack_sequence_as(x, parts), y))
            return tape.gradient(total, parts, unconnected_gradients=_ZERO)

        return self._traced(function, 1)

    def unflattened(self, theta: tf.Tensor) -> list[tf.Tensor]:
        """The flat weights as tensors, in the order of the model's trainable variables."""
        return split(theta, self.blocks)

    def _losses(self, theta: tf.Tensor, x: object, y: tf.Tensor) -> tf.Tensor:
        losses = self.loss.per_example(self._call(theta, x), y)
        if losses.shape.rank != 1 or losses.dtype != tf.float64:
            raise UserError(f"loss {self.loss.name} gives {losses.dtype.name} {losses.shape}, expected float64 [n]")
        return losses

    def _call(self, theta: tf.Tensor, x: object) -> tf.Tensor:
        parts = zip(self.model.trainable_variables, self.unflattened(theta), strict=True)
        with keras.StatelessScope(state_mapping=list(parts)) as scope:
            outputs = self.model(x, training=self.training)
        self.drawing |= any(scope.get_current_value(state) is not None for state in _seeds(self.model))
        outputs = tf.nest.flatten(outputs)
        if len(outputs) != 1:
            raise UserError(f"{self.model.name} has {len(outputs)} outputs, expected one")
        return outputs[0]

    def _directional(self, theta: tf.Tensor, v: tf.Tensor, function: Callable) -> tuple:
        """(f(theta), its derivative along v, the tape that has f), by differentiating J' u in u."""
        with tf.GradientTape() as of_u:
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(theta)
                values = function(theta)
            u = tf.zeros_like(values)
            of_u.watch(u)
            pulled = tape.gradient(values, theta, output_gradients=u, unconnected_gradients=_ZERO)
        along = of_u.gradient(pulled, u, output_gradients=v, unconnected_gradients=_ZERO)
        return values, along, tape

    def _output_hessian(self, outputs: tf.Tensor, y: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """B direction: each example's loss, twice differentiated in its outputs."""
        with tf.GradientTape() as outer:
            outer.watch(outputs)
            with tf.GradientTape() as inner:
                inner.watch(outputs)
                total = tf.reduce_sum(self.loss.per_example(outputs, y))
            gradient = inner.gradient(total, outputs, unconnected_gradients=_ZERO)
        return outer.gradient(gradient, outputs, output_gradients=direction, unconnected_gradients=_ZERO)

    def _traced(self, function: Callable, vectors: int) -> Callable:
        """The graph of a function of `vectors` flat vectors and a batch's tensors, with moments to differentiate."""

        def packed(*arguments: tf.Tensor) -> Any:
            return function(*arguments[:vectors], *tf.nest.pack_sequence_as(self._data, arguments[vectors:]))

        with differentiable_moments():
            try:
                graph = tf.function(packed, autograph=False)  # as Keras' fit: converted code has other errors
                return graph.get_concrete_function(*[self._theta] * vectors, *tf.nest.flatten(self._data))
            except (LookupError, NotImplementedError) as error:
                names = blamed(self.model, self.batch[0], self.training)
                raise UserError(f"TensorFlow has no second derivative of {names}: {reason(error)[:200]}") from None


def random_layers(model: keras.Model) -> list[str]:
    """The names of layers that have a seed of their own."""
    leaves = [layer for layer in model._flatten_layers() if not layer._layers]
    return [layer.name for layer in leaves if _seeds(layer)]


def _seeds(layer: keras.layers.Layer) -> list:
    weights = {id(weight) for weight in layer.weights}
    return [state for state in layer.non_trainable_variables if id(state) not in weights]
