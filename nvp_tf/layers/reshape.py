"""Images as vectors."""

import math

import keras
import tensorflow as tf

from nvp_tf.layers.base import Bijective, Shape, ValueAndLogDet, no_log_det


@keras.saving.register_keras_serializable("nvp_tf")
class Flatten(Bijective):
    """[n, *event] -> [n, D], row by row; log_det = 0."""

    def latent_shape(self, event_shape: Shape) -> Shape:
        return (math.prod(event_shape),)

    def at_data(self, values: tf.Tensor) -> tf.Tensor:
        return self._inverse(values)[0]

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        return tf.reshape(x, [-1, math.prod(self.event_shape)]), no_log_det(x)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._forward(x, training=False)[0], tf.zeros_like(x)

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        return tf.reshape(y, [-1, *self.event_shape]), no_log_det(y)
