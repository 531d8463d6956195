"""Images as vectors."""

import math

import tensorflow as tf

from nvp_tf.layers.base import Bijective, no_log_det


class Flatten(Bijective):
    """[n, *event] -> [n, D], row by row; log_det = 0."""

    def latent_shape(self, event_shape):
        return (math.prod(event_shape),)

    def _forward(self, x, training):
        return tf.reshape(x, [-1, math.prod(self.event_shape)]), no_log_det(x)

    def _inverse(self, y):
        return tf.reshape(y, [-1, *self.event_shape]), no_log_det(y)
