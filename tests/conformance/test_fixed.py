"""A fixed copy of every case gives what the case gives, with no weight that is trained for another to be made of it."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import F64, MODELS, case, has_convolutions

import nvp_tf
from nvp_tf import runtime
from nvp_tf.errors import UserError
from nvp_tf.layers.fixed import fixed_layer
from nvp_tf.layers.residual_network import ResidualConvNet
from nvp_tf.models import fixed_flow
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


@pytest.fixture
def three_cores(monkeypatch):
    """With one thread for an operation, and a part for each from the first examples on."""
    monkeypatch.setattr(runtime, "threads", lambda: 1)
    monkeypatch.setattr(runtime, "cores", lambda: 3)
    monkeypatch.setattr(fixed_flow, "_WORTH_PARTS", 0)


@pytest.mark.parametrize(
    ("name", "how"), [("nice_image", "variables"), ("vector", "xla"), ("realnvp_grey", "constants")]
)
def test_a_part_for_each_core(name, how, three_cores, monkeypatch):
    """Where an operation has one thread, of more examples than parts, as many and fewer, and whatever the noise."""
    flow = MODELS[name].shared
    monkeypatch.setattr(fixed_flow, "_LARGE", 0 if how == "variables" else 1e12)
    copy, z = fixed(flow), flow.sample_latents(7, seed=3)
    for n in (7, 3, 2, 1, 0, 6):
        x = flow.decode(z[:n])
        np.testing.assert_allclose(copy.decode(z[:n]), x, rtol=1e-9)
        np.testing.assert_allclose(copy.encode(x), flow.encode(x), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(copy.log_prob(x), flow.log_prob(x), rtol=1e-9)
    for shape in ((6, *flow.event_shape), (1, *flow.event_shape), flow.event_shape, ()) if flow.pixels else ():
        noise = np.random.default_rng(0).uniform(size=shape)
        np.testing.assert_allclose(copy.log_prob(x, noise), flow.log_prob(x, noise), rtol=1e-9)
    assert {parts for *_, parts in copy._functions} == {1, 2, 3}
    assert how in {used for *_, used, parts in copy._functions if parts > 1}
    with pytest.raises(UserError, match=r"latents have shape \(7, "):
        copy.decode(np.zeros((7, copy.dimensions + 1)))


@pytest.mark.parametrize("preset", ["nice_fashion_mnist", "realnvp_digits"])
def test_weights_are_kept_in_what_they_compute_in(preset, tmp_path):
    """Products' alone are cast in each call of a flow that is trained: the answers stay as they are."""
    small = {"nice_fashion_mnist": ["model.flow.hidden_units=8"], "realnvp_digits": ["model.flow.couplings=2"]}[preset]
    flow = nvp_tf.build(nvp_tf.preset(preset, *small).model, network_dtype="bfloat16")
    flow.set_weights([w + 0.05 * np.random.default_rng(1).normal(size=w.shape) for w in flow.get_weights()])
    copy, x = fixed(flow), flow.sample(4)
    products = {weight.dtype for weight in copy.weights if len(weight.shape) in (2, 4)}
    assert products == {"bfloat16"}
    tolerance = {"nice_fashion_mnist": 1e-6, "realnvp_digits": 0.02}[preset]  # filters are scaled before they are cast
    np.testing.assert_allclose(Flow.log_prob(copy, x), flow.log_prob(x), rtol=tolerance)
    copy.save(tmp_path / "fixed.keras")
    again = keras.saving.load_model(tmp_path / "fixed.keras")
    np.testing.assert_array_equal(Flow.log_prob(again, x), Flow.log_prob(copy, x))


def test_other_weights(tmp_path, three_cores):
    """Answers are those of the weights that a copy has now, though those of before were constants of its graphs."""
    copy = fixed(MODELS["realnvp_grey"].shared)
    x, weights = copy.sample(2), copy.get_weights()
    before = copy.log_prob(x)
    assert {how for *_, how, _ in copy._functions} == {"constants"}
    copy.save_weights(tmp_path / "before.weights.h5")
    copy.set_weights([1.1 * weight for weight in weights])
    np.testing.assert_allclose(copy.log_prob(x), Flow.log_prob(copy, x), rtol=1e-9)
    assert (np.abs(copy.log_prob(x) - before) > 1e-3).all()
    copy.load_weights(tmp_path / "before.weights.h5")
    np.testing.assert_array_equal(copy.log_prob(x), before)


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
