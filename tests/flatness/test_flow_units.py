"""What may be rescaled in a NICE and a Real NVP: log p stays, the gradient moves with D."""

import numpy as np
import pytest
import tensorflow as tf
from cases import MODELS

from nvp_tf.errors import UserError
from nvp_tf.flatness.rescaling import Rescaling, predictions

FLOWS = ["nice_image", "vector", "realnvp_grey", "realnvp_packed"]


def gradient(flow, x):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(x))
    return tape.gradient(loss, flow.trainable_variables)


@pytest.mark.parametrize("name", FLOWS)
def test_log_prob_stays_and_the_gradient_moves(name):
    case = MODELS[name]
    flow = case.shared
    x = case.inputs(5)
    x = x if flow.pixels is None else x.astype("uint8")
    rescaling, rng = Rescaling(flow), np.random.default_rng(0)
    factors = {unit.name: 3 ** rng.uniform(-1, 1, unit.channels) for unit in rescaling.units}
    other = rescaling.apply(factors, x, copy=lambda: case.make(seed=7))
    np.testing.assert_allclose(predictions(other, x), predictions(flow, x), rtol=1e-10)
    before, after, by = gradient(flow, x), gradient(other, x), rescaling.multipliers(factors)
    for one, two, multiplier in zip(before, after, by, strict=True):
        np.testing.assert_allclose(two, one / multiplier, rtol=1e-6, atol=1e-9)
    touched = sum(not np.allclose(multiplier, 1) for multiplier in by)
    assert touched >= len(rescaling.units)


def test_every_hidden_layer_and_every_direction_is_a_unit():
    names = [unit.name for unit in Rescaling(MODELS["realnvp_grey"].shared).units]
    assert "scale_0_checkerboard_0.skips" in names and "scale_0_checkerboard_0.block_0.conv_1.direction" in names
    names = [unit.name for unit in Rescaling(MODELS["vector"].shared).units]
    assert names == [f"coupling_{i}.hidden_{k}" for i in range(3) for k in range(2)]


def test_a_direction_takes_any_size_but_so_small_that_its_epsilon_shows():
    flow = MODELS["realnvp_grey"].shared
    x = MODELS["realnvp_grey"].inputs(3).astype("uint8")
    rescaling = Rescaling(flow)
    name = "scale_0_checkerboard_0.block_0.conv_1.direction"
    rescaling.apply({name: 1e3}, x, copy=lambda: MODELS["realnvp_grey"].make(seed=7))
    with pytest.raises(UserError, match="predictions change by"):
        rescaling.apply({name: 1e-5}, x, copy=lambda: MODELS["realnvp_grey"].make(seed=7))
