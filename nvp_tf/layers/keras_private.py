"""What is used of Keras that is not public: the one place to look at after an upgrade (3.15 now)."""

from typing import TypeAlias

import keras
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.saving.saving_lib import get_attr_skipset

Variable: TypeAlias = keras.Variable | tf.Variable


def all_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layer and every layer below it."""
    return list(layer._flatten_layers())


class AllAtOnce:
    """For an optimizer whose `update_all` moves all variables, on each replica its own."""

    def _backend_update_step(
        self, gradients: list[tf.Tensor], variables: list[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        self.update_all(gradients, variables, learning_rate)

    def update_all(self, gradients: list[tf.Tensor], variables: list[keras.Variable], learning_rate: tf.Tensor) -> None:
        raise NotImplementedError


def adam_moments(optimizer: keras.optimizers.Adam, variable: Variable) -> tuple[Variable, Variable]:
    """Adam's first and second moment of a variable's gradient."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def handle(variable: Variable) -> tf.Tensor:
    """The resource that a Keras variable or TensorFlow's own is kept in."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def remember_attributes() -> None:
    """Before weights are saved or loaded: what every layer has, which is passed over.

    Keras keeps it under another name than it looks it up by, and makes one more layer for each to see it: a third of
    the time.
    """
    key = "saving_attr_skiplist_Layer"
    if global_state.get_global_attribute(key) is None:
        global_state.set_global_attribute(key, get_attr_skipset("Layer"))
