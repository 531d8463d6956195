"""Gradients of values and log-determinants reach the input and every trainable weight, and are right."""

import numpy as np
import pytest
import tensorflow as tf
from cases import BIJECTORS, NETWORKS
from oracles import directional_derivative

from nvp_tf.layers.fixed_networks import FixedConvNet

CASES = BIJECTORS | NETWORKS


def objective(layer, x, training):
    """A random weighting of everything that the layer gives, log-determinants too."""
    rng = np.random.default_rng(1)
    outputs = layer(x, training=training) if layer._call_has_training_arg else layer(x)
    return tf.add_n([tf.reduce_sum(part * rng.standard_normal(part.shape)) for part in tf.nest.flatten(outputs)])


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    layer, x = CASES[name].make(seed=3), tf.Variable(CASES[name].inputs())
    variables = [x, *[w.value for w in layer.trainable_weights]]
    for training in (False,) if isinstance(layer, FixedConvNet) else (False, True):
        with tf.GradientTape() as tape:
            value = objective(layer, x, training)
        gradients = tape.gradient(value, variables)
        for weight, gradient in zip(["input", *[w.path for w in layer.trainable_weights]], gradients, strict=True):
            assert gradient is not None, f"no gradient to {weight}"
            assert np.isfinite(gradient).all() and np.any(gradient), f"the gradient to {weight} is {gradient}"
        directions = [np.random.default_rng(2).standard_normal(v.shape) for v in variables]
        expected = directional_derivative(lambda t=training: objective(layer, x, t), variables, directions)
        got = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
