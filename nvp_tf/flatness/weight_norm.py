"""Weight normalization of dense layers: the same function with a scale and a direction for weights (thesis 3.5.1)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.errors import UserError


@keras.saving.register_keras_serializable("nvp_tf")
class WeightNormDense(keras.layers.Layer):
    """y = activation(x kernel + bias),  kernel = scale * direction / ||direction||, a norm for each unit.

    direction -> a direction, a > 0, leaves y as it is, its gradient is divided by a and its Hessian by a^2; a < 0 turns
    the sign of the kernel, although the thesis has a != 0. Reference: Salimans and Kingma 2016.

    Args:
      units, activation, use_bias: as in `keras.layers.Dense`.
    """

    def __init__(self, units: int, activation: object = None, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.use_bias, self.activation = units, use_bias, keras.activations.get(activation)

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.direction = self.add_weight(name="direction", shape=(input_shape[-1], self.units))
        self.scale = self.add_weight(name="scale", shape=(self.units,), initializer="ones")
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros") if self.use_bias else None
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        direction = tf.convert_to_tensor(self.direction)
        norm = tf.sqrt(tf.reduce_sum(tf.square(direction), axis=0))
        y = tf.tensordot(x, direction * (self.scale / norm), 1)
        return self.activation(y if self.bias is None else y + self.bias)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": activation, "use_bias": self.use_bias}


def weight_normalized(model: keras.Model) -> keras.Model:
    """The same function with every dense layer weight-normalized: direction the kernel, scale its norm.

    Args:
      model: Functional or Sequential, built.

    Raises:
      UserError: a unit whose weights are all 0, which have no direction.
    """
    made = keras.models.clone_model(model, clone_function=_normalized)
    for old, new in zip(model.layers, made.layers, strict=True):
        values = old.get_weights()
        if isinstance(old, keras.layers.Dense):
            kernel = values[0]
            norm = np.linalg.norm(kernel, axis=0)
            if not norm.all():
                raise UserError(f"{old.name}: unit {int(norm.argmin())} has weights 0, expected a direction")
            values = [kernel, norm, *values[1:]]
        new.set_weights(values)
    return made


def _normalized(layer: keras.Layer) -> keras.Layer:
    config = layer.get_config()
    if not isinstance(layer, keras.layers.Dense):
        return type(layer).from_config(config)
    kept = {key: config[key] for key in ("name", "dtype", "units", "activation", "use_bias", "trainable")}
    return WeightNormDense(**kept)
