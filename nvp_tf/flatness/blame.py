"""Which layers have second derivatives that are wrong or missing: each by itself, on what it was given.

No order of automatic differentiation sees such a fault; differences of gradients do.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.flatness.moments import differentiable_moments

STEPS = (1e-5, 1e-6, 1e-7)
TOLERANCE = 1e-6
_EXAMPLES = 8

Call = tuple[keras.layers.Layer, list[tf.Tensor]]


def blamed(model: keras.Model, x: object, training: bool) -> str:
    """The names of `culprits`, or that none shows it alone."""
    names = culprits(model, x, training)
    return ", ".join(names) if names else f"{model.name}, of whose layers none shows it alone"


def culprits(model: keras.Model, x: object, training: bool) -> list[str]:
    """Names, with their classes, of the layers whose second derivatives are not those of their gradients.

    Of layers within layers the innermost that show it: a wrapper is asked only where no simple layer is to blame.
    """
    x = tf.nest.map_structure(lambda value: value[:_EXAMPLES], x)
    calls = _calls(model, x, training)
    for simple in (True, False):
        asked = [call for call in calls if bool(call[0]._layers) != simple]
        wrong = [layer for layer, tensors in asked if not _is_right(layer, tensors, training)]
        if wrong:
            return [f"{layer.name} ({type(layer).__name__})" for layer in wrong]
    return []


def relative_difference(product: np.ndarray, gradient: Callable[[float], np.ndarray], floor: float = 0.0) -> float:
    """How far H v is from (g(th + e v) - g(th - e v)) / 2e, by the best of three steps e.

    A small step does not cross the kinks of a rectifier, a large one does not lose the digits.

    Args:
      product: H v.
      gradient: e -> g(th + e v).
      floor: what the norm is not taken to be below; for an H that is 0.
    """
    best = np.inf
    for step in STEPS:
        differences = (gradient(step) - gradient(-step)) / (2 * step)
        scale = max(float(np.linalg.norm(differences)), float(np.linalg.norm(product)), floor)
        if not np.isfinite(scale):
            continue
        best = min(best, float(np.linalg.norm(product - differences)) / scale if scale > 0 else 0.0)
    return best


def _is_right(layer: keras.layers.Layer, arguments: list[tf.Tensor], training: bool) -> bool:
    """Of S = sum (r y + q y^2 / 2), y what the layer gives, in its inputs and weights together."""
    floats = [value for value in arguments if value.dtype.is_floating]
    variables = layer.trainable_variables
    point = [tf.cast(value, tf.float64) for value in [*floats, *variables]]
    if not point:
        return True
    rng = np.random.default_rng(0)
    v = [tf.constant(rng.standard_normal(value.shape)) for value in point]

    def scalar(values: list[tf.Tensor]) -> tf.Tensor:
        given = iter(values)
        called = [next(given) if value.dtype.is_floating else value for value in arguments]
        with keras.StatelessScope(state_mapping=list(zip(variables, given, strict=True))):
            outputs = tf.nest.flatten(layer(*called, **_training(layer, training)))
        draws = np.random.default_rng(1)
        total = 0.0
        for y in outputs:
            r, q = (tf.constant(draws.uniform(0.5, 1.5, y.shape)) for _ in range(2))
            total += tf.reduce_sum(r * y + q * tf.square(y) / 2)
        return total

    def gradient(step: float) -> np.ndarray:
        moved = [value + step * direction for value, direction in zip(point, v, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(moved)
            total = scalar(moved)
        return _flat(tape.gradient(total, moved, unconnected_gradients="zero"))

    try:
        with differentiable_moments(), tf.GradientTape() as outer:
            outer.watch(point)
            with tf.GradientTape() as inner:
                inner.watch(point)
                total = scalar(point)
            first = inner.gradient(total, point, unconnected_gradients="zero")
        product = _flat(outer.gradient(first, point, output_gradients=v, unconnected_gradients="zero"))
    except (LookupError, NotImplementedError):
        return False
    return relative_difference(product, gradient) <= TOLERANCE


def _training(layer: keras.layers.Layer, training: bool) -> dict:
    return {"training": training} if layer._call_has_training_arg else {}


def _flat(values: list[tf.Tensor]) -> np.ndarray:
    return np.concatenate([tf.convert_to_tensor(value).numpy().reshape(-1) for value in values])


def _calls(model: keras.Model, x: object, training: bool) -> list[Call]:
    """(layer, tensors it was called with) of each layer, of its first call."""
    calls: list[Call] = []
    with contextlib.ExitStack() as stack:
        for layer in model._flatten_layers(include_self=False):
            stack.enter_context(_recorded(layer, calls))
        with keras.StatelessScope():
            model(x, training=training)
    return calls


@contextlib.contextmanager
def _recorded(layer: keras.layers.Layer, calls: list[Call]) -> Iterator[None]:
    """While within, the layer's first call with tensors of known value goes to `calls`."""
    call = layer.call

    def recorder(*args: Any, **kwargs: Any) -> Any:
        tensors = tf.nest.flatten(args)
        known = all(isinstance(value, tf.Tensor) and hasattr(value, "numpy") for value in tensors)
        if known and len(tensors) == len(args) and all(layer is not other for other, _ in calls):
            calls.append((layer, tensors))
        return call(*args, **kwargs)

    object.__setattr__(layer, "call", recorder)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")
