"""TFP views: a layer as a `tfb.Bijector`, a flow as a `tfd.Distribution`. They own no weights.

Direction: a TFP bijector generates, its forward goes from latents to data. So a view's forward is the layer's
inverse and the other way round; `tfd.TransformedDistribution(prior, view)` is the model.

Cost: TFP asks for a value and for its log-determinant in two calls, a layer gives both in one, so one must be
remembered for the other or every network runs twice. TFP's own cache remembers by the identity of the tensor,
which is wrong once the weights have moved, and has no gradient on a tape entered since. A view therefore keeps
each result with what it depended on, and uses it again only if a new run would give the same: same weights, same tapes.
"""

import itertools
import weakref
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow.python.ops.gradients_util import PossibleTapeGradientTypes  # no public name for it

from nvp_tf.layers.base import Bijective, Shape
from nvp_tf.models.flow import Flow
from nvp_tf.models.priors import Logistic, Normal

tfb, tfd = tfp.bijectors, tfp.distributions

BASES = {Normal: tfd.Normal, Logistic: tfd.Logistic}


def as_bijector(source: "Bijective | Flow | tfp.bijectors.Bijector") -> "tfp.bijectors.Bijector":
    """A layer's or flow's bijection as a `tfb.Bijector`: forward generates, from latents to data.

    It evaluates as a model does, with running statistics. Any leading dimensions are a batch, none too.
    Its `trainable_variables`, and those of what is composed of it, are the layer's weights. Under a
    persistent tape or under two tapes at once nothing is remembered, and a log_prob runs networks twice or more.
    As with every TFP bijector, what the view made leads back to what it was made from: for a gradient to a sample
    on the very tape that recorded its making, give log_prob a `tf.identity` of it, and ask for that one's.

    Args:
      source: a built `Bijective`, a `Flow` (its bijection from dequantized reals to latents), or a
        `tfb.Bijector`, which is given back.

    Raises:
      TypeError: anything else.
      ValueError: a layer that is not built.
    """
    if isinstance(source, tfb.Bijector):
        return source
    layer = source.bijector if isinstance(source, Flow) else source
    if not isinstance(layer, Bijective):
        raise TypeError(f"as_bijector: got {type(source).__name__}, expected a Bijective layer, a Flow or a Bijector")
    return _View(layer)


def as_distribution(flow: Flow) -> "tfp.distributions.Distribution":
    """A flow's density as a `tfd.Distribution` over the data, or the dequantized reals v where there are pixels.

    `log_prob(x + u)` is `flow.log_prob(x, noise=u)`. Pixels are in [0, levels), `flow.pixels.to_integers` gives
    samples as integers; outside of the logit's domain, which is a little wider, log_prob is NaN.

    Raises:
      TypeError: not a `Flow`, or one with a prior that TFP has no distribution for in `BASES`.
    """
    if not isinstance(flow, Flow):
        raise TypeError(f"as_distribution: got {type(flow).__name__}, expected a Flow")
    if type(flow.prior) not in BASES:
        raise TypeError(f"as_distribution: got the prior {type(flow.prior).__name__}, expected Normal or Logistic")
    zeros = np.zeros(flow.latent_shape, flow.compute_dtype)
    base = BASES[type(flow.prior)](zeros, np.ones_like(zeros))
    return tfd.TransformedDistribution(tfd.Independent(base, len(flow.latent_shape)), _View(flow.bijector))


class _Run:
    """One evaluation of a view's layer. The tensor that it gave holds it, and nothing else does.

    source: the argument, event and leading dimensions. direction: the layer's method. log_det: [leading].
    """

    def __init__(self, view: "_View", direction: str, source: tf.Tensor, result: tf.Tensor, log_det: tf.Tensor) -> None:
        self.view, self.direction, self.source, self.log_det = view, direction, source, log_det
        self.result = weakref.ref(result)
        self.graph = _graph()
        weights = view.read_weights()  # copies nothing
        self.kinds = self._tape_kinds(weights)
        # In a graph, values are not known; there, assignments are looked for.
        self.state: Any = weights if self.graph is None else len(self.graph.get_operations())

    def still_holds(self) -> bool:
        """Whether another run, here and now, would give the same values and gradients."""
        if self.graph is not _graph():
            return False
        weights = self.view.read_weights()
        if self.graph is None:
            same = all(tf.reduce_all(old == new) for old, new in zip(self.state, weights, strict=True))
        else:
            same = not any(_may_assign(op) for op in self.graph.get_operations()[self.state :])
        return same and self._on_the_same_tapes(weights)

    def _on_the_same_tapes(self, weights: list[tf.Tensor]) -> bool:
        # 0: no tape would record a function of these, 1: one, 2: several or a persistent one. Where it is one
        # for the arguments, one for the results and one for both together, it is the same. Each tensor alone
        # must be what it was, too: a result that is watched since is an argument now, with gradients of its own.
        arguments, results = [self.source, *weights], [self.result(), self.log_det]
        kinds = {PossibleTapeGradientTypes(tensors) for tensors in (arguments, results, arguments + results)}
        return kinds in ({0}, {1}) and self._tape_kinds(weights) == self.kinds

    def _tape_kinds(self, weights: list[tf.Tensor]) -> list[int]:
        return [PossibleTapeGradientTypes([tensor]) for tensor in (self.source, self.result(), self.log_det, *weights)]


class _RunsOnly:
    """Stands where a bijector has TFP's cache, and remembers nothing: `_View.run` does."""

    def __init__(self, bijector: "_View | None" = None) -> None:
        self.bijector: Any = bijector

    def __get__(self, bijector: "_View | None", owner: type | None = None) -> "_RunsOnly":
        return _RunsOnly(bijector)

    def forward(self, x: tf.Tensor) -> tf.Tensor:
        return self.bijector._forward(x)

    def inverse(self, y: tf.Tensor) -> tf.Tensor:
        return self.bijector._inverse(y)

    def forward_attributes(self, x: tf.Tensor) -> dict[str, Any]:
        return {}

    inverse_attributes = forward_attributes

    def clear(self) -> None:
        pass


class _View(tfp.bijectors.Bijector):
    """A layer turned round. Everything that TFP asks for goes through `run`."""

    _cache = _RunsOnly()
    _hashes = itertools.count()

    def __init__(self, layer: Bijective) -> None:
        if layer.event_shape is None:
            raise ValueError(f"{layer.name}: not built, call build((None, *event_shape)) first")
        self._layer = layer
        self._shapes = {"forward": layer.event_shape, "inverse": tuple(layer.latent_shape(layer.event_shape))}
        # An attribute of the module, so that TFP's `trainable_variables` finds them.
        self._weights = tuple(weight.value for weight in layer.weights)
        self._latest: weakref.ref | None = None  # weakly, the result of the last run
        super().__init__(
            forward_min_event_ndims=len(self._shapes["inverse"]),
            inverse_min_event_ndims=len(self._shapes["forward"]),
            dtype=tf.as_dtype(layer.compute_dtype),
            parameters={"layer": layer},
            name=layer.name,
        )

    def __hash__(self) -> int:
        # Never the same twice. A composition (tfb.Chain) caches its results too, under a hash of its parts;
        # this makes it find nothing, and ask the parts.
        return next(self._hashes)

    def read_weights(self) -> list[tf.Tensor]:
        return [weight.read_value() for weight in self._weights]

    def run(self, direction: str, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`value` through the layer's method -> (result, log_det), for any leading dimensions."""
        made_by = getattr(value, "_nvp_tf_run", None)
        if made_by and made_by.view is self and made_by.direction != direction and made_by.still_holds():
            return made_by.source, -made_by.log_det
        latest = None if self._latest is None else self._latest()
        if latest is not None:
            run = latest._nvp_tf_run
            if run.source is value and run.direction == direction and run.still_holds():
                return latest, run.log_det
        shape, out_shape = self._shapes[direction], self._shapes[_OTHER[direction]]
        leading = self._leading(value.shape, shape)
        if not leading.is_fully_defined():
            leading = tf.shape(value)[: -len(shape)]
        flat = tf.reshape(value, tf.concat([[tf.reduce_prod(leading)], shape], axis=0))
        if direction == "forward":
            flat = tf.cast(flat, self._layer.data_dtype)  # a TFP bijector has one dtype
        result, log_det = getattr(self._layer, direction)(flat)
        result = tf.reshape(tf.cast(result, self.dtype), tf.concat([leading, out_shape], axis=0))
        log_det = tf.reshape(log_det, leading)
        result._nvp_tf_run = _Run(self, direction, value, result, log_det)
        self._latest = weakref.ref(result)
        return result, log_det

    def _forward(self, z: tf.Tensor) -> tf.Tensor:
        return self.run("inverse", z)[0]

    def _inverse(self, v: tf.Tensor) -> tf.Tensor:
        return self.run("forward", v)[0]

    def _forward_log_det_jacobian(self, z: tf.Tensor) -> tf.Tensor:
        return self.run("inverse", z)[1]

    def _inverse_log_det_jacobian(self, v: tf.Tensor) -> tf.Tensor:
        return self.run("forward", v)[1]

    def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        return self._leading(shape, self._shapes["inverse"]).concatenate(self._shapes["forward"])

    def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        return self._leading(shape, self._shapes["forward"]).concatenate(self._shapes["inverse"])

    def _forward_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        return tf.concat([shape[: -len(self._shapes["inverse"])], self._shapes["forward"]], axis=0)

    def _inverse_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        return tf.concat([shape[: -len(self._shapes["forward"])], self._shapes["inverse"]], axis=0)

    def _leading(self, shape: tf.TensorShape, event_shape: Shape) -> tf.TensorShape:
        """The static shape without its event, which must be `event_shape`."""
        if shape.rank is not None and not shape[-len(event_shape) :].is_compatible_with(event_shape):
            raise ValueError(f"{self.name}: shape is {shape}, expected it to end in {tuple(event_shape)}")
        return shape[: -len(event_shape)]

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {}  # no batch of layers


_OTHER = {"forward": "inverse", "inverse": "forward"}


def _graph() -> tf.Graph | None:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def _may_assign(op: tf.Operation) -> bool:
    return op.type != "ReadVariableOp" and any(tensor.dtype == tf.resource for tensor in op.inputs)
