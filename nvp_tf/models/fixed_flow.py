"""A flow that only answers: what is made of its weights alone is made once, and its answers are compiled."""

import copy
import functools
import math
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from nvp_tf import runtime
from nvp_tf.layers.fixed import fixed_layer
from nvp_tf.models.flow import Flow, Values
from nvp_tf.models.parts import in_parts

Function: TypeAlias = tf.types.experimental.PolymorphicFunction

XLA, CONSTANTS, VARIABLES = "xla", "constants", "variables"  # the graph's compiler, or what its weights are

# Floating-point operations of a product, over all examples: with smaller ones most time goes to what is between them.
_LARGE = 1e8
_WORTH_PARTS = _LARGE / 4
_FEW_BYTES = 8e6  # of weights: TensorFlow keeps some forty copies of those that are constants of a graph
_NUMBERS = 4  # of examples that XLA compiles for: half a second to two seconds each


def fixed(flow: Flow) -> "FixedFlow":
    """A copy with the weights of now that answers the same, to rounding, quicker, and cannot be trained."""
    with runtime.unnamed_variables():
        bijector = fixed_layer(flow.bijector)
    return FixedFlow(bijector, copy.deepcopy(flow.prior), dtype=flow.dtype_policy)


@keras.saving.register_keras_serializable("nvp_tf")
class FixedFlow(Flow):
    """A `Flow` as `fixed` makes it.

    Asked outside of a graph, `log_prob`, `explain`, `encode`, `decode` and what calls them are graphs of their own: by
    XLA, for the first few numbers of examples, where products are small; else by TensorFlow, for any number. On a GPU,
    where XLA was not measured, always by TensorFlow.

    Where operations have some of the cores each (`runtime.set_threads(1)`: one), parts of the examples are answered
    beside each other, so that little is handed out and no core waits for another: of convolutions by TensorFlow, of
    weights that are constants of the graph where they are few. Other weights are set by `set_weights` or
    `load_weights`.
    """

    def log_prob(self, x: Values, noise: Values | None = None, training: bool = False) -> tf.Tensor:
        if training:
            raise ValueError("the flow is fixed, expected training=False")
        return self._answer("log_prob", x, self._pattern if noise is None else noise)

    def explain(self, x: Values, noise: Values | None = None) -> tf.Tensor:
        return self._answer("explain", x, self._pattern if noise is None else noise)

    def encode(self, x: Values) -> tf.Tensor:
        return self._answer("encode", x)

    def decode(self, z: Values) -> tf.Tensor:
        return self._answer("decode", z)

    def _answer(self, name: str, *arguments: Values) -> tf.Tensor:
        """What a `Flow` answers."""
        if not tf.executing_eagerly():
            return getattr(super(), name)(*arguments)
        x, *others = map(tf.convert_to_tensor, arguments)
        x = self._check_latents(x) if name == "decode" else self._check(x)
        how, parts = self._way(name, x.shape[0])
        return self._function(name, tuple(other.shape.rank for other in others), how, parts)(x, *others)

    def _way(self, name: str, n: int) -> tuple[str, int]:
        """(how n examples are answered, in how many parts)."""
        work = n * self._operations
        parts = min(n, self._beside) if work > _WORTH_PARTS else 1
        if parts > 1 and self._convolves:
            return (CONSTANTS if self._bytes <= _FEW_BYTES else VARIABLES), parts
        if not 0 < work <= _LARGE:
            return VARIABLES, parts
        numbers = self._compiled.setdefault(name, set())
        if len(numbers) < _NUMBERS:
            numbers.add(n)
        return (XLA if n in numbers else VARIABLES), parts

    def _function(self, name: str, ranks: tuple[int, ...], how: str, parts: int) -> Function:
        """ranks: of what is given beside the examples; a graph for any number of examples is not one for any rank."""
        key = (name, ranks, how, parts)
        if key not in self._functions:
            if parts > 1:
                python = functools.partial(in_parts, self._function(name, ranks, how, 1), parts)
            elif how == CONSTANTS:
                python = functools.partial(self._by_constants, name)
            else:
                python = functools.partial(getattr(Flow, name), self)
            compiled = how == XLA
            self._functions[key] = tf.function(
                python, autograph=False, jit_compile=compiled and parts == 1, reduce_retracing=not compiled
            )
        return self._functions[key]

    def _by_constants(self, name: str, *arguments: tf.Tensor) -> tf.Tensor:
        """A `Flow`'s answer as it is traced: TensorFlow lays out kernels that are constants of a graph once, and those
        that are variables in each call."""
        with tf.init_scope():
            values = [variable.numpy() for variable in self.variables]
        constants = [(v, tf.constant(value)) for v, value in zip(self.variables, values, strict=True)]
        with keras.StatelessScope(constants):
            return getattr(Flow, name)(self, *arguments)

    def set_weights(self, weights: list[np.ndarray]) -> None:
        super().set_weights(weights)
        self._functions.clear()

    def load_weights(self, *arguments: Any, **options: Any) -> None:
        super().load_weights(*arguments, **options)
        self._functions.clear()

    # Cached properties, since Keras would track what is set as an attribute.
    @functools.cached_property
    def _functions(self) -> dict[tuple, Function]:
        return {}

    @functools.cached_property
    def _compiled(self) -> dict[str, set[int]]:
        """The numbers of examples that XLA compiles each answer for."""
        return {}

    @functools.cached_property
    def _beside(self) -> int:
        """How many graphs have threads to run beside each other."""
        return 1 if runtime.gpus() else max(1, runtime.cores() // runtime.threads())

    @functools.cached_property
    def _pattern(self) -> tf.Tensor:
        with tf.init_scope():  # a constant, also where a graph asks first
            return self.noise_pattern()

    @functools.cached_property
    def _convolves(self) -> bool:
        return any(len(weight.shape) == 4 for weight in self.weights)

    @functools.cached_property
    def _bytes(self) -> int:
        return sum(math.prod(weight.shape) * tf.as_dtype(weight.dtype).size for weight in self.weights)

    @functools.cached_property
    def _operations(self) -> float:
        """Floating-point, of a product for one example: the mean over kernels, at every pixel where they are filters.
        Infinite where there is a GPU."""
        if runtime.gpus():
            return math.inf
        places = {4: math.prod(self.event_shape[:-1]), 2: 1}  # by the kernel's rank
        shapes = [weight.shape for weight in self.weights if len(weight.shape) in places]
        return sum(2 * math.prod(shape) * places[len(shape)] for shape in shapes) / max(1, len(shapes))
