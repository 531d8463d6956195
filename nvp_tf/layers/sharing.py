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
from nvp_tf.runtime import kept_whole

_sharing = contextvars.ContextVar("sharing", default="")  # each replica has a thread of its own, as in recompute.py
CALLED, WRITTEN_OUT = "called", "written out"


@contextlib.contextmanager
def sharing(how: str = CALLED) -> Iterator[None]:
    """A context, or a decorator, in which layers share graphs.

    how: CALLED where the graph stays in this process. WRITTEN_OUT in one that is exported, for answers alone: it is
    traced as quickly, and whoever reads it may take the calls apart, as converters must. "" for each layer its own.
    """
    token = _sharing.set(how)
    try:
        yield
    finally:
        _sharing.reset(token)


def shared(*unread: str) -> Callable[[Callable], Callable]:
    """For a method (layer, tensors, *options) -> tensors of a built layer whose `get_config` says all that it is beside
    weights: a decorator.

    Inside of `sharing`, and of a tf.function, it is a call of the graph of another such layer, where there is one.
    Not on several replicas, which exchange statistics in it: TensorFlow has no exchange inside of a call.

    Args:
      unread: keys of the config that the method does not look at, so that layers may differ in them.
    """

    def decorated(method: Callable) -> Callable:
        @functools.wraps(method)
        def call(layer: keras.layers.Layer, x: Any, *options: Hashable) -> Any:
            one_replica = tf.distribute.get_strategy().num_replicas_in_sync == 1
            how = _sharing.get()
            if not (how and tf.inside_function() and one_replica):
                return method(layer, x, *options)
            return _graph(layer, method, options, how, unread)(layer, x)

        return call

    return decorated


class _Graph:
    """A method as a function of the weights: of those that move by where they are kept, of the others by value."""

    def __init__(self, layer: keras.layers.Layer, method: Callable, options: tuple, how: str) -> None:
        self.layer, self.method, self.options, self.how = layer, method, options, how
        self.function = kept_whole(self._run) if how == CALLED else tf.function(self._run, autograph=False)

    def __call__(self, layer: keras.layers.Layer, x: Any) -> Any:
        still, moving = self._variables(layer)
        values = [tf.convert_to_tensor(variable.value) for variable in still]
        return self.function(x, values, [handle(variable) for variable in moving])

    def _variables(self, layer: keras.layers.Layer) -> tuple[list[keras.Variable], list[keras.Variable]]:
        """(those that stay as they are in a call, the others)."""
        if self.how == WRITTEN_OUT:
            return layer.variables, []
        return layer.trainable_variables, layer.non_trainable_variables

    def _run(self, x: Any, given: list[tf.Tensor], handles: list[tf.Tensor]) -> Any:
        still, moving = self._variables(self.layer)
        before = [_read(kept, variable) for kept, variable in zip(handles, moving, strict=True)]
        values = [*zip(still, given, strict=True), *zip(moving, before, strict=True)]
        with sharing(""), keras.StatelessScope(values) as scope:
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


def _graph(layer: keras.layers.Layer, method: Callable, options: tuple, how: str, unread: tuple[str, ...]) -> _Graph:
    serialized = keras.saving.serialize_keras_object(layer)
    serialized["config"] = {key: value for key, value in serialized["config"].items() if key not in unread}
    config = json.dumps(_nameless(serialized), sort_keys=True)
    key = (method, options, how, computed_again(), config)
    graph = _graphs.get(key) or _Graph(layer, method, options, how)
    _graphs[key] = vars(layer).setdefault("_graphs", {})[key] = graph
    return graph


def _nameless(config: Any) -> Any:
    """Without the names of layers; a dtype is a name, too."""
    if isinstance(config, list):
        return [_nameless(part) for part in config]
    if isinstance(config, dict):
        return {key: _nameless(part) for key, part in config.items() if key != "name" or "trainable" not in config}
    return config
