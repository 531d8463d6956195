"""Gradients through the TFP views are the direct ones, to data, weights, samples and latents."""

import contextlib
import functools

import numpy as np
import pytest
import tensorflow as tf
from cases import MODELS
from views import EAGER_AND_GRAPH, EVERY_MAKER, TINY, chain_of_views, direct

from nvp_tf.models.tfp_views import as_bijector, as_distribution


@EVERY_MAKER
@EAGER_AND_GRAPH
@pytest.mark.parametrize("outer", ["no tape", "tape", "persistent tape"])
def test_gradients_are_the_direct_ones(make, wrap, outer):
    """To the data and to every weight, although the value is known from outside of the tape, and still held."""
    case = TINY
    flow = case.make(seed=1)
    distribution = make(flow)
    assert {id(v) for v in distribution.trainable_variables} == {id(w.value) for w in flow.trainable_weights}
    weights = [w.value for w in flow.trainable_weights]

    def gradients(log_prob, v):
        tapes = {"tape": tf.GradientTape(), "persistent tape": tf.GradientTape(persistent=True)}
        with tapes.get(outer, contextlib.nullcontext()):
            held = distribution.bijector.inverse(v), distribution.log_prob(v)
            with tf.GradientTape() as tape:
                tape.watch(v)
                loss = tf.reduce_sum(log_prob(v) ** 2)
            del held
            return tape.gradient(loss, [v, *weights])

    v = tf.constant(case.inputs())
    found = wrap(lambda v: gradients(distribution.log_prob, v))(v)
    expected = gradients(lambda v: direct(flow, v), v)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
        assert np.abs(other).max() > 0


def test_gradient_of_a_latent_held_from_outside_the_tape():
    case = MODELS["vector"]
    view = as_bijector(case.shared)
    z = view.inverse(tf.constant(case.inputs()))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(view.forward_log_det_jacobian(z))
    assert all(g is not None for g in tape.gradient(loss, view.trainable_variables))


@pytest.mark.parametrize("make", [as_distribution, chain_of_views])
@EAGER_AND_GRAPH
def test_gradients_to_what_the_view_made(make, wrap):
    """A sample, or latents, made before the tape that watches them: the score of samples, a Jacobian of the inverse."""
    flow = TINY.make(seed=1)
    distribution = make(flow)
    bijector = distribution.bijector

    def gradient(function, source):
        with tf.GradientTape() as tape:
            tape.watch(source)
            value = function(source)
        return tape.gradient(value, source)

    def found(v):
        z, sample = bijector.inverse(v), distribution.sample(3, seed=[1, 2])
        with tf.GradientTape() as late:
            held = bijector.inverse(v)
            late.watch(v)
            log_prob = distribution.log_prob(v)
        del held
        score = gradient(distribution.log_prob, sample)
        jacobian = gradient(
            lambda y: tf.reduce_sum(bijector.forward(y), -1) + bijector.forward_log_det_jacobian(y, 1), z
        )
        return sample, z, score, late.gradient(log_prob, v), jacobian

    def inverse(z):
        v, log_det = flow.bijector.inverse(z)
        return tf.reduce_sum(v, -1) + log_det

    v = tf.constant(TINY.inputs())
    sample, z, *found = wrap(found)(v)
    log_prob = functools.partial(direct, flow)
    for one, function, at in zip(found, (log_prob, log_prob, inverse), (sample, v, z), strict=True):
        expected = gradient(function, tf.identity(at))
        np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-9)
        assert np.abs(expected).max() > 0


@EAGER_AND_GRAPH
def test_reparameterized_gradients(wrap):
    flow = MODELS["vector"].make(seed=1)
    distribution, weights = as_distribution(flow), flow.trainable_weights

    def found():
        with tf.GradientTape() as tape:
            v, log_prob = distribution.experimental_sample_and_log_prob(5, seed=[1, 2])
            loss = tf.reduce_mean(log_prob + tf.reduce_sum(v**2, axis=-1))
        return tape.gradient(loss, [w.value for w in weights])

    z = distribution.distribution.sample(5, seed=[1, 2])
    with tf.GradientTape() as tape:
        v, log_det = flow.bijector.inverse(z)
        loss = tf.reduce_mean(flow.prior.log_prob(z) - log_det + tf.reduce_sum(v**2, axis=-1))
    for one, other in zip(wrap(found)(), tape.gradient(loss, weights), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
