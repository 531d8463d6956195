"""NICE's diagonal scaling: which dimensions matter, learned."""

import keras
import tensorflow as tf

from nvp_tf.layers.base import Bijective, Shape, ValueAndLogDet


@keras.saving.register_keras_serializable("nvp_tf")
class Scaling(Bijective):
    """Multiplies each entry by its own positive factor (thesis 5.2).

    forward:  y = x * exp(g),     log_det = sum(g)
    inverse:  x = y * exp(-g),    log_det = -sum(g)

    g has the event's shape and starts at 0.
    """

    def _build(self, event_shape: Shape) -> None:
        self.log_scale = self.add_weight(name="log_scale", shape=event_shape, initializer="zeros")

    def _forward(self, x: tf.Tensor, training: bool) -> ValueAndLogDet:
        return x * tf.exp(self.log_scale), self._log_det(x)

    def _entrywise(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._forward(x, training=False)[0], tf.zeros_like(x) + self.log_scale

    def _inverse(self, y: tf.Tensor) -> ValueAndLogDet:
        return y * tf.exp(-self.log_scale), -self._log_det(y)

    def _log_det(self, x: tf.Tensor) -> tf.Tensor:
        return tf.fill(tf.shape(x)[:1], tf.reduce_sum(self.log_scale))
