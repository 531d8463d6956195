"""A loss as curvature needs it: one value an example, and of what likelihood it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from nvp_tf.errors import UserError

PerExample = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
NAMES = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "hinge",
    "kl_divergence",
    "poisson",
)
_KINDS = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
    "mean_squared_error": "squared",
}
_SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}


@dataclass(frozen=True)
class Loss:
    """The data's part of the loss: its mean over the examples is what is measured.

    per_example: (outputs [n, ...], targets [n, ...]) -> [n].
    kind: "softmax", "sigmoid" or "squared" where the loss is, up to a constant, the negative log-likelihood of a
      distribution of that family with the outputs as natural parameters: logits, or means of a Gaussian; then its
      Hessian in the outputs does not depend on the target, and the Fisher matrix is the Gauss-Newton matrix.
      "density" where the outputs are log-likelihoods of the data; "other" for all else.
    """

    name: str
    per_example: PerExample
    kind: str = "other"

    @property
    def is_likelihood(self) -> bool:
        return self.kind in ("softmax", "sigmoid", "squared")


MEAN_NATS = Loss("mean nats", lambda outputs, targets: -outputs, "density")


def loss_of(spec: Any, from_logits: bool | None = None) -> Loss:
    """A loss from its Keras name, a `keras.losses.Loss`, a `Loss`, or a function (y_true, y_pred) -> [n, ...].

    Args:
      spec: what to make it of. Axes of its values other than the first are averaged over.
      from_logits: for a cross-entropy, whether the outputs are logits; None takes what `spec` says.

    Raises:
      UserError: an unknown name, or no loss at all.
    """
    if isinstance(spec, Loss):
        return spec
    if isinstance(spec, str):
        spec = _by_name(spec)
    if not callable(spec):
        raise UserError(f"loss is {spec!r}, expected a Keras name, a keras.losses.Loss or f(y_true, y_pred)")
    name = _SHORT.get(getattr(spec, "name", None) or "", getattr(spec, "name", None) or spec.__name__)
    if from_logits is None or not takes_logits(spec):
        from_logits = says_logits(spec)
    else:
        spec = type(spec).from_config({**spec.get_config(), "from_logits": from_logits})
    kind = _KINDS.get(name, "other")
    if kind in ("softmax", "sigmoid") and not from_logits:
        kind = "other"
    function = spec.call if isinstance(spec, keras.losses.Loss) else spec  # __call__ casts to float32 and reduces
    return Loss(name, lambda outputs, targets: _rows(function(targets, outputs)), kind)


def takes_logits(spec: object) -> bool:
    """Whether a Keras loss has the argument `from_logits`."""
    return isinstance(spec, keras.losses.Loss) and "from_logits" in spec.get_config()


def says_logits(spec: Any) -> bool:
    return takes_logits(spec) and bool(spec.get_config()["from_logits"])


def as_keras_loss(spec: Any) -> Any:
    """A name as the Keras object of that name; anything else as it is."""
    return _by_name(spec) if isinstance(spec, str) else spec


def _by_name(name: str) -> keras.losses.Loss:
    full = _SHORT.get(name, name)
    if full not in NAMES:
        raise UserError(f"loss is {name!r}, expected one of {', '.join(NAMES)}")
    spelled = "".join(part.title() for part in full.split("_"))
    return getattr(keras.losses, spelled.replace("KlD", "KLD"))()


def _rows(values: tf.Tensor) -> tf.Tensor:
    """[n, ...] -> [n], the mean over the other axes."""
    values = tf.convert_to_tensor(values)
    if values.shape.rank is None or values.shape.rank == 0:
        raise UserError(f"loss gives values of shape {values.shape}, expected one value an example, [n]")
    return tf.reduce_mean(values, axis=list(range(1, values.shape.rank))) if values.shape.rank > 1 else values
