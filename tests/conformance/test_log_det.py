"""The log-determinant is that of the Jacobian by automatic differentiation, in float64, in both directions."""

import numpy as np
import pytest
from cases import BIJECTORS, LAYERS, MODELS
from oracles import log_density, log_det_by_autodiff

BOUND = 1e-9


@pytest.mark.parametrize("name", BIJECTORS)
def test_forward_and_inverse(name):
    case = BIJECTORS[name]
    layer, x = case.shared, case.inputs()
    y, log_det = layer.forward(x)
    assert log_det.shape == (len(x),) and log_det.dtype == "float64"
    np.testing.assert_allclose(log_det, log_det_by_autodiff(lambda v: layer.forward(v)[0], x), rtol=0, atol=BOUND)
    if name in LAYERS:  # with random weights: or all of this would pass where a log-determinant is forgotten
        assert np.all(log_det == 0) if case.keeps_volume else np.abs(log_det).max() > 0.01
    x, log_det = layer.inverse(y)
    assert log_det.shape == (len(x),) and log_det.dtype == "float64"
    np.testing.assert_allclose(log_det, log_det_by_autodiff(lambda v: layer.inverse(v)[0], y), rtol=0, atol=BOUND)


@pytest.mark.parametrize("name", MODELS)
def test_model_log_prob_is_the_change_of_variables(name):
    case = MODELS[name]
    flow, x = case.shared, case.inputs()
    v = x
    if flow.pixels is not None:
        x = x.astype("uint8")
        v = x + flow.noise_pattern().numpy().astype("float64")
    z = flow.bijector.forward(v)[0]
    prior = type(flow.prior).__name__.lower()
    expected = log_density(prior, z) + log_det_by_autodiff(lambda v: flow.bijector.forward(v)[0], v)
    np.testing.assert_allclose(flow.log_prob(x), expected, rtol=0, atol=BOUND)
