"""Loss, gradient and second-order products of (model, loss, batches): right in float64, or refused."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError
from nvp_tf.flatness import checks
from nvp_tf.flatness.batches import Tensors
from nvp_tf.flatness.blocks import blocks_of, weights_of
from nvp_tf.flatness.losses import Loss
from nvp_tf.flatness.models import Subject
from nvp_tf.flatness.products import Products

MODES = ("inference", "training")
FISHERS = ("model", "empirical")


class Curvature:
    """The mean loss L of a model over its data, as a function of all trainable weights.

        L(th) = (1/N) sum_i loss(f(x_i; th), y_i),    g = dL/dth,    H = d2L/dth2

    th is one flat vector (`blocks` says what lies where). Penalties on the weights are left out unless
    `regularizers`; they are then part of the loss, the gradient and H, not of the Gauss-Newton and Fisher matrices.
    The model itself is never assigned to: statistics of batch normalization are equal to the bit afterwards.

    Args:
      model: built, in float64 (`models.open_model` makes one).
      batches: pairs (x, y) that can be walked again and give the same each time.
      batch_norm: "inference" normalizes by the running statistics, "training" by each batch's own. The second calls
        the whole model as in training: dropout is then refused.
      regularizers: whether the weights' Keras regularizers are added to the loss.
      say: takes a line of text before what costs time.

    Attributes:
      weights: th, float64 [dim].
      examples: N.
      difference: of a product from differences of gradients, relative.
      seconds: of one product over all batches, measured.

    Raises:
      UserError: a model not in float64 or without trainable weights; NaN in the data or the loss; a loss or gradient
        that a second walk does not give again (dropout, shuffling); a product further than 1e-6 from differences of
        gradients, or none: the layers are named.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: Loss,
        batches: Iterable,
        *,
        batch_norm: str = "inference",
        regularizers: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> None:
        if batch_norm not in MODES:
            raise UserError(f"batch_norm is {batch_norm!r}, expected one of {', '.join(MODES)}")
        checks.check_model(model)
        self.model = model
        self.loss_function = loss
        self.batch_norm = batch_norm
        self.blocks = blocks_of(model)
        self.dim = self.blocks[-1].stop
        self.weights = weights_of(model)
        self._penalized = [v for v in model.trainable_variables if regularizers and v.regularizer is not None]
        self._tensors = Tensors(batches, model)
        first = checks.first_batch(self._tensors)
        self.products = Products(model, loss, self.blocks, batch_norm == "training", first)
        self.examples = checks.check_twice(self.products, self._tensors, self._theta())
        self.difference, seconds = checks.check_products(self.products, first, self.weights)
        self.seconds = seconds * self.examples / len(first[1])
        if say is not None:
            say(f"{self.dim} weights, {self.examples} examples: a product takes about {self.seconds:.2g} s")

    @classmethod
    def of(cls, subject: Subject, **options: Any) -> "Curvature":
        """Of a `Subject`; options as of the class."""
        return cls(subject.model, subject.loss, subject.batches, **options)

    def on(self, batches: Iterable) -> "Curvature":
        """The same on other data, by the same graphs; not checked again."""
        other = copy.copy(self)
        other._tensors = Tensors(batches, self.model)
        other.examples = sum(len(y) for _, y in other._tensors)
        if not other.examples:
            raise UserError("there is no example in these batches, expected at least one")
        other.seconds = self.seconds * other.examples / self.examples
        return other

    @property
    def batches(self) -> Tensors:
        """What is walked at each product."""
        return self._tensors

    def loss(self, at: np.ndarray | None = None) -> float:
        """L at the weights `at` [dim], None for the model's."""
        return float(np.mean(self.losses(at))) + self._penalty(at)[0]

    def gradient(self, at: np.ndarray | None = None) -> np.ndarray:
        """g, [dim]."""
        return self.loss_and_gradient(at)[1]

    def loss_and_gradient(self, at: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """(L, g [dim]) of one walk."""
        total, gradient = self._summed(self.products.loss_and_gradient, self._theta(at))
        penalty, bent = self._penalty(at)
        return float(total) + penalty, gradient + bent

    def hessian(self, v: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
        """H v, [dim]."""
        product = self._along(self.products.hessian, v, at)
        return product + self._penalty_product(v, at) if self._penalized else product

    def gauss_newton(self, v: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
        """(1/N) sum_i J_i' B_i J_i v: J the outputs' Jacobian, B the loss' Hessian in the outputs.

        Raises:
          UserError: a density, whose loss is linear in its output.
        """
        if self.loss_function.kind == "density":
            raise UserError("a density's loss is linear in its output: there is no Gauss-Newton matrix, use the Fisher")
        return self._along(self.products.gauss_newton, v, at)

    def fisher(self, v: np.ndarray, at: np.ndarray | None = None, kind: str = "model") -> np.ndarray:
        """F v, F = (1/N) sum_i E_y[g_i g_i'] with y as the model says ("model") or as in the data ("empirical").

        Raises:
          UserError: "model" for a loss that is no negative log-likelihood in natural parameters.
        """
        if self.check_fisher(kind) == "model":
            return self._along(self.products.gauss_newton, v, at)
        return self._along(self.products.empirical_fisher, v, at)

    def check_fisher(self, kind: str) -> str:
        """`kind`, where the loss has it. Raises UserError as `fisher`."""
        if kind not in FISHERS:
            raise UserError(f"kind is {kind!r}, expected one of {', '.join(FISHERS)}")
        if kind == "model" and not self.loss_function.is_likelihood:
            raise UserError(
                f"{self.loss_function.name} is no negative log-likelihood in natural parameters, "
                "expected kind 'empirical'"
            )
        return kind

    def outputs(self, at: np.ndarray | None = None) -> np.ndarray:
        """[N, ...]: logits, predictions, or log-likelihoods."""
        return self._rows(self.products.outputs, self._theta(at))

    def losses(self, at: np.ndarray | None = None) -> np.ndarray:
        """[N], the loss of each example."""
        return self._rows(self.products.losses, self._theta(at))

    def targets(self) -> np.ndarray:
        """[N, ...], the y of the batches."""
        return np.concatenate([y.numpy() for _, y in self._tensors])

    def forms(self, v: np.ndarray, kind: str = "model") -> np.ndarray:
        """[N], E_y[(v . g_i)^2] of each example: their mean is v' F v."""
        v = tf.constant(v, tf.float64)
        if self.check_fisher(kind) == "model":
            return self._rows(self.products.gauss_newton_form, self._theta(), v)
        return np.square(self._rows(self.products.losses_along, self._theta(), v))

    def _theta(self, at: np.ndarray | None = None) -> tf.Tensor:
        weights = self.weights if at is None else np.asarray(at, np.float64)
        if weights.shape != (self.dim,):
            raise UserError(f"weights have shape {weights.shape}, expected ({self.dim},)")
        return tf.constant(weights)

    def _along(self, product: Callable, v: np.ndarray, at: np.ndarray | None) -> np.ndarray:
        v = np.asarray(v, np.float64)
        if v.shape != (self.dim,):
            raise UserError(f"vector has shape {v.shape}, expected ({self.dim},)")
        return self._summed(product, self._theta(at), tf.constant(v))[-1]

    def _summed(self, product: Callable, *vectors: tf.Tensor) -> list[np.ndarray]:
        """Means over the examples of what a graph sums over a batch."""
        totals: list[np.ndarray] = []
        for x, y in self._tensors:
            sums = [value.numpy() for value in tf.nest.flatten(product(*vectors, *tf.nest.flatten((x, y))))]
            totals = [a + b for a, b in zip(totals, sums, strict=True)] if totals else sums
        return [total / self.examples for total in totals]

    def _rows(self, product: Callable, *vectors: tf.Tensor) -> np.ndarray:
        return np.concatenate([product(*vectors, *tf.nest.flatten(batch)).numpy() for batch in self._tensors])

    def _penalty(self, at: np.ndarray | None) -> tuple[float, np.ndarray]:
        if not self._penalized:
            return 0.0, np.zeros(self.dim)
        theta = self._theta(at)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            penalty = self._regularization(theta)
        return float(penalty), tape.gradient(penalty, theta).numpy()

    def _penalty_product(self, v: np.ndarray, at: np.ndarray | None) -> np.ndarray:
        theta = self._theta(at)
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                penalty = self._regularization(theta)
            gradient = inner.gradient(penalty, theta)
        return outer.gradient(gradient, theta, output_gradients=tf.constant(v), unconnected_gradients="zero").numpy()

    def _regularization(self, theta: tf.Tensor) -> tf.Tensor:
        parts = dict(zip(map(id, self.model.trainable_variables), self.products.unflattened(theta), strict=True))
        return tf.add_n([variable.regularizer(parts[id(variable)]) for variable in self._penalized])
