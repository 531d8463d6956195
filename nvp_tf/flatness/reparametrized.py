"""A model whose weights are eta and whose function is that of theta = Phi(eta) (thesis 3.5.1)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nvp_tf.layers.base import Bijective


class Reparametrized(keras.Model):
    """The same predictions with other weights, all in one vector eta [n].

        theta = Phi(eta) = bijector.inverse(eta),    L_eta = L o Phi
        gradient in eta:  g J,                       J = d theta / d eta
        Hessian in eta:   J^T H J + sum_i g_i Hess(Phi_i);  J^T H J at a critical point

    Args:
      model: built; it is not changed, and its running statistics are used.
      bijector: built on vectors of n = the number of the model's trainable weights; its forward is Phi^-1.
    """

    def __init__(self, model: keras.Model, bijector: Bijective, **kwargs: Any) -> None:
        variables = model.trainable_variables
        super().__init__(dtype=variables[0].dtype, **kwargs)
        # In closures, which Keras does not search: the only weight of this model is eta.
        self._inner, self._bijector = (lambda: model), (lambda: bijector)
        theta = np.concatenate([v.numpy().ravel() for v in variables])
        start = bijector.forward(theta[None])[0][0]
        self.eta = self.add_weight(name="eta", shape=start.shape, initializer="zeros")
        self.eta.assign(start)
        self.built = True

    def theta(self) -> list[tf.Tensor]:
        """The values of the trainable weights of the model inside."""
        variables = self._inner().trainable_variables
        flat, _ = self._bijector().inverse(tf.convert_to_tensor(self.eta)[None])
        parts = tf.split(flat[0], [int(np.prod(v.shape)) for v in variables])
        return [tf.reshape(part, v.shape) for part, v in zip(parts, variables, strict=True)]

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        inner = self._inner()
        fixed = [v.value for v in inner.non_trainable_variables]
        outputs, _ = inner.stateless_call(self.theta(), fixed, x, training=False)
        return outputs
