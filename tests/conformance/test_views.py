"""TFP views say what the layer says, of any sample shape, and refuse what they are not for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import BIJECTORS, MODELS, mlp_coupling, randomize
from views import BOUND, EVERY_MAKER, direct, traced

from nvp_tf.layers import masks
from nvp_tf.layers.chain import Chain
from nvp_tf.layers.squeeze import Squeeze
from nvp_tf.models.build import build
from nvp_tf.models.tfp_views import as_bijector, as_distribution, tfb, tfd

FLOWS = ["vector_batch_norm", "nice_image", "realnvp_grey"]


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
