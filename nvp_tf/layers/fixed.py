"""Layers whose weights stay as they are: what is made of weights alone is made once, and not in each call."""

from collections.abc import Iterator
from typing import Any, TypeVar

import keras

from nvp_tf.layers.fixed_networks import FixedConvNet
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.layers.mlp import MLP
from nvp_tf.layers.residual_network import ResidualConvNet

_FIXED = {
    "class_name": FixedConvNet.__name__,
    "module": FixedConvNet.__module__,
    "registered_name": keras.saving.get_registered_name(FixedConvNet),
}
Layer = TypeVar("Layer", bound=keras.layers.Layer)


def fixed_layer(layer: Layer) -> Layer:
    """A copy of a built layer that gives the same, to rounding, and cannot be trained: each `ResidualConvNet` in it is
    a `FixedConvNet`, and an `MLP` keeps its weights in what it computes in."""
    copy: Layer = keras.saving.deserialize_keras_object(_fixed(keras.saving.serialize_keras_object(layer)))
    for mine, other in zip(_parts(copy), _parts(layer), strict=True):
        if isinstance(other, ResidualConvNet):
            mine.set_as(other)
        else:
            mine.set_weights(other.get_weights())
    return copy


def _fixed(config: Any) -> Any:
    if isinstance(config, list):
        return [_fixed(part) for part in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == ResidualConvNet.__name__:
        return config | _FIXED
    if config.get("class_name") == MLP.__name__:
        return _in_one_dtype(config)
    return {key: _fixed(part) for key, part in config.items()}


def _in_one_dtype(config: Any) -> Any:
    """Of a layer that casts its weights in each call: they are kept as they are cast."""
    policy = keras.saving.deserialize_keras_object(config["config"]["dtype"])
    return config | {"config": config["config"] | {"dtype": policy.compute_dtype}}


def _parts(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The networks, and every other layer of which no part is a layer."""
    within: set[int] = set()
    for part in all_layers(layer):
        below = all_layers(part)
        if id(part) in within:
            continue
        if isinstance(part, ResidualConvNet | FixedConvNet):
            within |= {id(each) for each in below}
            yield part
        elif len(below) == 1:
            yield part
