"""A TFP view evaluates each network once, and never answers with what was before a change of weights."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf
from cases import MODELS
from views import BOUND, EAGER_AND_GRAPH, EVERY_MAKER, TINY, direct

from nvp_tf.layers.coupling import Coupling
from nvp_tf.layers.keras_private import all_layers


def move(flow):
    for weight in flow.trainable_weights:
        weight.assign(0.9 * weight + 0.01)


@contextlib.contextmanager
def counted(flow):
    """Counts the calls of every coupling's network, which should be the same for all: {name: calls}."""
    calls = {}
    couplings = [layer for layer in all_layers(flow) if isinstance(layer, Coupling)]
    for layer in couplings:

        def call(*args, _name=layer.name, _call=layer.network.call, **kwargs):
            calls[_name] = calls.get(_name, 0) + 1
            return _call(*args, **kwargs)

        layer.network.call = call
    yield calls
    for layer in couplings:
        del layer.network.call
    assert set(calls) == {layer.name for layer in couplings}


@EVERY_MAKER
@EAGER_AND_GRAPH
def test_each_network_runs_once(make, wrap):
    case = MODELS["realnvp_no_batch_norm"]
    flow = case.make(seed=1)
    distribution, v = make(flow), tf.constant(case.inputs())

    def gradients(v):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(distribution.log_prob(v))
        return tape.gradient(loss, distribution.trainable_variables)

    for function in (
        distribution.log_prob,
        gradients,
        lambda _: distribution.sample(2, seed=[1, 2]),
        lambda _: distribution.experimental_sample_and_log_prob(2, seed=[1, 2]),
    ):
        with counted(flow) as calls:
            wrap(function)(v)
        assert len(calls) == 4
        assert set(calls.values()) == {1}


@EVERY_MAKER
def test_fresh_after_a_weight_update(make):
    """With tensors that live on: the data, its latents, and a sample; each is asked about again."""
    case = TINY
    flow = case.make(seed=1)
    distribution, v = make(flow), tf.constant(case.inputs())
    bijector = distribution.bijector
    z = bijector.inverse(v)
    sample, before = distribution.experimental_sample_and_log_prob(3, seed=[1, 2])
    distribution.log_prob(v)
    move(flow)
    np.testing.assert_allclose(bijector.inverse(v), flow.bijector.forward(v)[0], **BOUND)
    np.testing.assert_allclose(bijector.forward(z), flow.bijector.inverse(z)[0], **BOUND)
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(z, 1), flow.bijector.inverse(z)[1], **BOUND)
    np.testing.assert_allclose(distribution.log_prob(v), direct(flow, v), **BOUND)
    np.testing.assert_allclose(distribution.log_prob(sample), direct(flow, sample), **BOUND)
    assert np.abs(distribution.log_prob(sample) - before).max() > 0.01


@EVERY_MAKER
def test_fresh_after_a_weight_update_in_the_same_graph(make):
    case = TINY
    flow = case.make(seed=1)
    distribution = make(flow)

    @tf.function
    def before_and_after(v):
        before = distribution.log_prob(v)
        move(flow)
        return before, distribution.log_prob(v)

    v = tf.constant(case.inputs())
    expected = direct(flow, v)
    before, after = before_and_after(v)
    np.testing.assert_allclose(before, expected, **BOUND)
    np.testing.assert_allclose(after, direct(flow, v), **BOUND)
    assert np.abs(before - after).max() > 0.01


@EVERY_MAKER
@pytest.mark.parametrize("wrap", [lambda f: f, tf.function], ids=["eager", "graph"])  # which makes it control flow
def test_a_value_is_not_carried_into_or_out_of_control_flow(make, wrap):
    case = TINY
    flow = case.make(seed=1)
    distribution = make(flow)

    def all_of_them(v, choice):
        first = tf.cond(choice, lambda: distribution.log_prob(v), lambda: 2 * distribution.log_prob(v))
        total = tf.zeros_like(first)
        for _ in tf.range(2):
            total += distribution.log_prob(v)
        return first, total, distribution.log_prob(v)

    v = tf.constant(case.inputs())
    first, total, last = wrap(all_of_them)(v, tf.constant(False))
    expected = direct(flow, v)
    for value, times in ((first, 2), (total, 2), (last, 1)):
        np.testing.assert_allclose(value, times * expected, **BOUND)
