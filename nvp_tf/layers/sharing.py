"""Layers that differ in their weights alone share one graph, which is called with the weights of each.

A Real NVP has twenty networks of three kinds: traced one by one they are most of the operations of a training step.
"""

import contextlib
import contextvars
import functools
import json
import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import keras
import tensorflow as tf

from nvp_tf.layers.keras_private import handle
from nvp_tf.layers.recompute import computed_again

_sharing = contextvars.ContextVar("sharing", default=False)  # each replica has a thread of its own, as in recompute.py


@contextlib.contextmanager
def sharing(on: bool = True) -> Iterator[None]:
    """A context, or a decorator, in which layers share graphs: those that stay in this process. One that is exported
    has each layer's own, since converters do not know a call that must not be taken apart."""
    token = _sharing.set(on)
    try:
        yield
    finally:
        _sharing.reset(token)


def shared(method: Callable) -> Callable:
    """A method (layer, x, *options) -> tensors of a built layer whose `get_config` says all that it is beside weights.

    Inside of `sharing`, and of a tf.function, it is a call of the graph of another such layer, where there is one.
    Not on several replicas, which exchange statistics in it: TensorFlow has no exchange inside of a call.
    """

    @functools.wraps(method)
    def call(layer: keras.layers.Layer, x: tf.Tensor, *options: Hashable) -> Any:
        one_replica = tf.distribute.get_strategy().num_replicas_in_sync == 1
        if not (_sharing.get() and tf.inside_function() and one_replica):
            return method(layer, x, *options)
        return _graph(layer, method, options)(layer, x)

    return call


class _Graph:
    """A method as a function of the weights: of the trained ones by value, of the others by where they are kept."""

    def __init__(self, layer: keras.layers.Layer, method: Callable, options: tuple) -> None:
        self.layer, self.method, self.options = layer, method, options
        # TensorFlow would else write each call out again.
        self.function = tf.function(self._run, autograph=False, experimental_attributes={"_noinline": True})

    def __call__(self, layer: keras.layers.Layer, x: tf.Tensor) -> Any:
        trained = [tf.convert_to_tensor(variable.value) for variable in layer.trainable_variables]
        return self.function(x, trained, [handle(variable) for variable in layer.non_trainable_variables])

    def _run(self, x: tf.Tensor, trained: list[tf.Tensor], handles: list[tf.Tensor]) -> Any:
        moving = self.layer.non_trainable_variables
        before = [_read(kept, variable) for kept, variable in zip(handles, moving, strict=True)]
        values = [*zip(self.layer.trainable_variables, trained, strict=True), *zip(moving, before, strict=True)]
        with sharing(False), keras.StatelessScope(values) as scope:
            results = self.method(self.layer, x, *self.options)
        for kept, variable, value in zip(handles, moving, before, strict=True):
            after = scope.get_current_value(variable)
            if after is not value:
                tf.raw_ops.AssignVariableOp(resource=kept, value=after)
        return results


def _read(kept: tf.Tensor, variable: keras.Variable) -> tf.Tensor:
    """What is kept there, for a variable of that kind."""
    value = tf.raw_ops.ReadVariableOp(resource=kept, dtype=variable.dtype)
    value.set_shape(variable.shape)
    return value


# A graph is alive as long as a layer that has called it.
_graphs: weakref.WeakValueDictionary[tuple, _Graph] = weakref.WeakValueDictionary()


def _graph(layer: keras.layers.Layer, method: Callable, options: tuple) -> _Graph:
    config = json.dumps(_nameless(keras.saving.serialize_keras_object(layer)), sort_keys=True)
    key = (method, options, computed_again(), config)
    graph = _graphs.get(key) or _Graph(layer, method, options)
    _graphs[key] = vars(layer).setdefault("_graphs", {})[key] = graph
    return graph


def _nameless(config: Any) -> Any:
    """Without the names of layers; a dtype is a name, too."""
    if isinstance(config, list):
        return [_nameless(part) for part in config]
    if isinstance(config, dict):
        return {key: _nameless(part) for key, part in config.items() if key != "name" or "trainable" not in config}
    return config
