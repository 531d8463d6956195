"""TFP views say what the layer says, in TFP's compositions too: once evaluated, never stale, differentiable."""

import contextlib
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import BIJECTORS, MODELS, ModelCase, mlp_coupling, randomize

from nvp_tf.config.schema import VectorRealNVPConfig
from nvp_tf.layers import masks
from nvp_tf.layers.chain import Chain
from nvp_tf.layers.coupling import Coupling
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.layers.squeeze import Squeeze
from nvp_tf.models.build import build
from nvp_tf.models.tfp_views import as_bijector, as_distribution, tfb, tfd

BOUND = {"rtol": 0, "atol": 1e-9}
TINY = ModelCase((3,), VectorRealNVPConfig(2, 1, 4, batch_norm=True))
FLOWS = ["vector_batch_norm", "nice_image", "realnvp_grey"]
traced = functools.partial(tf.function, autograph=False)
EAGER_AND_GRAPH = pytest.mark.parametrize("wrap", [lambda f: f, traced], ids=["eager", "graph"])


def chain_of_views(flow):
    """The model out of TFP's parts: one view a layer, TFP's Chain, TFP's prior."""
    chain = tfb.Chain([as_bijector(layer) for layer in flow.bijector.layers])
    return tfd.TransformedDistribution(as_distribution(flow).distribution, chain)


def twice_inverted(flow):
    base = as_distribution(flow).distribution
    return tfd.TransformedDistribution(base, tfb.Invert(tfb.Invert(as_bijector(flow))))


MAKERS = {"distribution": as_distribution, "invert": twice_inverted, "chain": chain_of_views}
EVERY_MAKER = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def direct(flow, v):
    """log p(v), past the views."""
    z, log_det = flow.bijector.forward(v)
    return flow.prior.log_prob(z) + log_det


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


@pytest.mark.parametrize("name", BIJECTORS)
def test_view_is_the_layer_turned_round(name):
    case = BIJECTORS[name]
    layer, view = case.shared, as_bijector(case.shared)
    v = tf.constant(case.inputs())
    z, log_det = layer.forward(v)
    np.testing.assert_allclose(view.inverse(v), z, **BOUND)
    np.testing.assert_allclose(view.inverse_log_det_jacobian(v), log_det, **BOUND)
    fresh = tf.identity(z)
    np.testing.assert_allclose(view.forward(fresh), layer.inverse(z)[0], **BOUND)
    np.testing.assert_allclose(view.forward_log_det_jacobian(fresh), layer.inverse(z)[1], **BOUND)
    latent_shape = layer.latent_shape(case.event_shape)
    assert view.dtype == tf.float64
    assert view.forward_event_shape(latent_shape) == case.event_shape
    assert view.inverse_event_shape(case.event_shape) == latent_shape
    np.testing.assert_array_equal(view.forward_event_shape_tensor(latent_shape), case.event_shape)
    np.testing.assert_array_equal(view.inverse_event_shape_tensor(case.event_shape), latent_shape)
    assert view.forward_min_event_ndims == len(latent_shape)
    assert view.inverse_min_event_ndims == len(case.event_shape)


@pytest.mark.parametrize("name", FLOWS)
def test_log_prob_is_the_flows(name):
    case = MODELS[name]
    flow, x = case.shared, case.inputs(4)
    distribution = as_distribution(flow)
    assert isinstance(distribution, tfd.Distribution)
    assert (distribution.event_shape, distribution.batch_shape) == (flow.event_shape, ())
    if flow.pixels is None:
        np.testing.assert_allclose(distribution.log_prob(x), flow.log_prob(x), **BOUND)
        return
    x, noise = x.astype("uint8"), np.random.default_rng(0).uniform(size=x.shape)
    np.testing.assert_allclose(distribution.log_prob(x + noise), flow.log_prob(x, noise), **BOUND)


def test_float32():
    case = MODELS["realnvp_grey"]
    flow = randomize(build(case.config), 1)
    distribution = as_distribution(flow)
    v, log_prob = distribution.experimental_sample_and_log_prob(3, seed=[1, 2])
    assert distribution.dtype == v.dtype == log_prob.dtype == tf.float32
    np.testing.assert_allclose(distribution.log_prob(tf.identity(v)), direct(flow, v), rtol=1e-5)


@EVERY_MAKER
@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (0,)])
def test_any_sample_shape(make, leading):
    flow = MODELS["nice_image"].shared
    distribution = make(flow)
    v = distribution.sample(leading, seed=[1, 2])
    assert v.shape == (*leading, *flow.event_shape)
    log_prob = distribution.log_prob(v)
    assert log_prob.shape == leading
    np.testing.assert_allclose(np.ravel(log_prob), direct(flow, tf.reshape(v, [-1, *flow.event_shape])), **BOUND)
    again, its_log_prob = distribution.experimental_sample_and_log_prob(leading, seed=[1, 2])
    np.testing.assert_allclose(again, v, **BOUND)
    np.testing.assert_allclose(its_log_prob, log_prob, **BOUND)


def test_leading_dimensions_unknown_to_the_graph():
    case = MODELS["nice_image"]
    distribution = as_distribution(case.shared)
    v = case.inputs(6)
    expected = direct(case.shared, v)
    for shape, value in ((None, *case.event_shape), v), ((None, None, *case.event_shape), v.reshape(2, 3, 3, 2, 1)):
        log_prob = traced(distribution.log_prob, input_signature=[tf.TensorSpec(shape, tf.float64)])
        np.testing.assert_allclose(np.ravel(log_prob(value)), expected, **BOUND)


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


def test_samples_have_the_density():
    """E_q[p / q] = 1 for p a narrow normal inside q's support."""
    flow = randomize(build(MODELS["vector_batch_norm"].config, "float64"), seed=1, spread=0.4)
    q = as_distribution(flow)
    v, log_q = q.experimental_sample_and_log_prob(20_000, seed=[3, 4])
    np.testing.assert_allclose(q.log_prob(tf.identity(v)), log_q, rtol=0, atol=1e-6)
    center, spread = np.median(v, axis=0), np.subtract(*np.percentile(v, [75, 25], axis=0)) / 4
    ratio = np.exp(tfd.MultivariateNormalDiag(center, spread).log_prob(v) - log_q)
    error = ratio.std() / len(ratio) ** 0.5
    assert abs(ratio.mean() - 1) < 4 * error < 0.2


def test_rejects_other_types():
    with pytest.raises(TypeError, match="as_bijector: got Dense, expected a Bijective layer, a Flow or a Bijector"):
        as_bijector(keras.layers.Dense(2))
    with pytest.raises(TypeError, match="as_distribution: got Chain, expected a Flow"):
        as_distribution(MODELS["vector"].shared.bijector)
    with pytest.raises(ValueError, match=r"squeeze.*: not built, call build\(\(None, \*event_shape\)\) first"):
        as_bijector(Squeeze("plain"))
    exp = tfb.Exp()
    assert as_bijector(exp) is exp


def test_rejects_another_event_shape():
    layer = Chain([mlp_coupling(masks.half(4))], dtype="float64")
    layer.build((None, 4))
    view = as_bijector(layer)
    with pytest.raises(ValueError, match=r"shape is \(2, 6\), expected it to end in \(4,\)"):
        view.inverse(np.zeros((2, 6)))
    with pytest.raises(ValueError, match=r"shape is \(8,\), expected it to end in \(4,\)"):
        view.forward_event_shape([8])
