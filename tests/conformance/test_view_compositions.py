"""TFP's own compositions of the views."""

import numpy as np
import tensorflow as tf
from cases import BIJECTORS, MODELS
from views import BOUND, direct

from nvp_tf.models.tfp_views import as_bijector, as_distribution, tfb, tfd


def test_composes_with_tfp():
    case = MODELS["vector"]
    flow, v = case.shared, tf.constant(case.inputs(4))
    distribution, log_prob = as_distribution(flow), direct(case.shared, tf.constant(case.inputs(4)))

    doubled = tfb.Scale(tf.constant(2.0, tf.float64))(distribution)
    np.testing.assert_allclose(doubled.log_prob(2 * v), log_prob - 3 * np.log(2), **BOUND)

    several = tfd.Sample(distribution, 2)
    np.testing.assert_allclose(
        several.log_prob(tf.reshape(v, [2, 2, 3])), tf.reduce_sum(tf.reshape(log_prob, [2, 2]), 1)
    )

    joint = tfd.JointDistributionNamed(
        {"a": distribution, "b": tfd.Independent(tfd.Normal(np.zeros(1), np.ones(1)), 1)}
    )
    np.testing.assert_allclose(joint.log_prob(a=v, b=np.zeros((4, 1))), log_prob - 0.5 * np.log(2 * np.pi))
    assert joint.sample(2, seed=[1, 2])["a"].shape == (2, 3)
    sequence = tfd.JointDistributionSequential(
        [distribution, distribution, lambda b, a: tfd.Independent(tfd.Normal(a, np.ones(3)), 1)]
    )
    standard_normal = tfd.Independent(tfd.Normal(np.zeros(3), np.ones(3)), 1).log_prob(np.zeros(3))
    np.testing.assert_allclose(sequence.log_prob(v, v, v), 2 * log_prob + standard_normal)

    batch = tfd.Independent(tfd.Normal(np.zeros((4, 3)), np.ones((4, 3))), 1)  # a batch of four priors
    moved = tfd.TransformedDistribution(batch, as_bijector(flow))
    assert (moved.batch_shape, moved.event_shape) == ((4,), (3,))
    np.testing.assert_allclose(moved.log_prob(v), log_prob, **BOUND)

    inverted = tfb.Invert(as_bijector(flow))
    np.testing.assert_allclose(inverted.forward(v), flow.bijector.forward(v)[0], **BOUND)
    copied = as_bijector(flow).copy()
    np.testing.assert_allclose(copied.inverse(v), flow.bijector.forward(v)[0], **BOUND)


def test_the_same_view_twice_in_a_chain():
    case = BIJECTORS["affine_half"]
    layer, v = case.shared, tf.constant(case.inputs())
    view = as_bijector(layer)
    (middle, first), twice = layer.forward(v), tfb.Chain([view, view])
    z, second = layer.forward(middle)
    np.testing.assert_allclose(twice.inverse(v), z, **BOUND)
    np.testing.assert_allclose(twice.inverse_log_det_jacobian(v, 1), first + second, **BOUND)
    np.testing.assert_allclose(view.forward(view.forward(z)), v, **BOUND)
