"""The network of vectors: what a coupling, or a density, makes of the part that it keeps. A plain Keras layer."""

from typing import Any

import keras
import tensorflow as tf

from nvp_tf.layers.base import BatchShape


@keras.saving.register_keras_serializable("nvp_tf")
class MLP(keras.layers.Layer):
    """Fully connected ReLU network with a linear output (thesis 5.2). The output starts at 0.

    Args:
      hidden_layers, hidden_units: how many layers, how wide.
      outputs: width of the last axis of the result.
    """

    def __init__(self, hidden_layers: int, hidden_units: int, outputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_layers, self.hidden_units, self.outputs = hidden_layers, hidden_units, outputs
        dtype = self.dtype_policy
        hidden = [
            keras.layers.Dense(hidden_units, activation="relu", kernel_initializer="he_normal", dtype=dtype)
            for _ in range(hidden_layers)
        ]
        self.layers = [*hidden, keras.layers.Dense(outputs, kernel_initializer="zeros", dtype=dtype)]

    def get_config(self) -> dict[str, Any]:
        mine = {name: getattr(self, name) for name in ("hidden_layers", "hidden_units", "outputs")}
        return super().get_config() | mine

    def build(self, input_shape: BatchShape) -> None:
        for layer in self.layers:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x
