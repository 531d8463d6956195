"""A fixed copy of every case gives what the case gives, with no weight that is trained for another to be made of it."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import F64, MODELS, case, has_convolutions

from nvp_tf.errors import UserError
from nvp_tf.layers.fixed import fixed_layer
from nvp_tf.layers.residual_network import ResidualConvNet
from nvp_tf.models.fixed_flow import FixedFlow, fixed
from nvp_tf.models.flow import Flow


@pytest.mark.parametrize("name", MODELS)
def test_fixed(name):
    flow = MODELS[name].shared
    one = fixed(flow)
    x = flow.sample(3)
    for copy, asked in ((one, FixedFlow), (fixed(one), Flow)):
        np.testing.assert_allclose(asked.log_prob(copy, x), flow.log_prob(x), rtol=1e-9)
        np.testing.assert_allclose(asked.encode(copy, x), flow.encode(x), rtol=1e-9, atol=1e-9)
    assert (len(one.variables) < len(flow.variables)) == has_convolutions(flow)
    with pytest.raises(ValueError, match="is fixed, expected training=False"):
        one.log_prob(x, training=True)


def test_answers_for_any_number():
    """Of more numbers of examples than XLA compiles for, of none, and within a graph."""
    flow = MODELS["nice_image"].shared
    copy, z = fixed(flow), flow.sample_latents(7, seed=3)
    for n in (0, *range(7, 0, -1), 7):
        x = flow.decode(z[:n])
        np.testing.assert_array_equal(copy.decode(z[:n]), x)
        np.testing.assert_allclose(copy.log_prob(x), flow.log_prob(x), rtol=1e-9)
        np.testing.assert_allclose(copy.explain(x), flow.explain(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(copy.bits_per_dim(x, noise=0.25), flow.bits_per_dim(x, noise=0.25), rtol=1e-9)
    np.testing.assert_allclose(tf.function(copy.log_prob)(x), copy.log_prob(x), rtol=1e-9)
    np.testing.assert_array_equal(copy.sample(2, seed=5), flow.sample(2, seed=5))
    convolutions = fixed(MODELS["realnvp_grey"].shared)
    nothing = convolutions.decode(np.zeros((0, convolutions.dimensions)))
    assert nothing.shape == (0, 4, 4, 1) and convolutions.log_prob(nothing).shape == (0,)


def test_mistakes_are_those_of_a_flow():
    copy = fixed(MODELS["realnvp_grey"].shared)
    with pytest.raises(UserError, match="expected integers"):
        copy.log_prob(np.zeros((2, 8, 8, 1)))
    with pytest.raises(UserError, match="latents have shape"):
        copy.decode(np.zeros((2, 3)))


def test_saved(tmp_path):
    copy = fixed(MODELS["realnvp_grey"].shared)
    x = copy.sample(2)
    copy.save(tmp_path / "fixed.keras")
    for again in (keras.saving.load_model(tmp_path / "fixed.keras"), pickle.loads(pickle.dumps(copy))):
        np.testing.assert_array_equal(again.log_prob(x), copy.log_prob(x))


@pytest.mark.parametrize("blocks", range(4))
def test_fixed_network(blocks):
    """Which skips meet in one kernel depends on how many blocks there are."""
    made = case(lambda: ResidualConvNet(4, blocks, 3, **F64), (4, 3, 2))
    np.testing.assert_allclose(
        fixed_layer(made.shared)(made.inputs()), made.shared(made.inputs()), rtol=1e-9, atol=1e-12
    )
