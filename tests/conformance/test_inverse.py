"""Both orders of the two directions give back the input, and their log-determinants cancel."""

import numpy as np
import pytest
from cases import BIJECTORS, MODELS

BOUND = 1e-9


@pytest.mark.parametrize("name", BIJECTORS)
def test_inverse(name):
    case = BIJECTORS[name]
    layer, x = case.shared, case.inputs()
    y, forward_log_det = layer.forward(x)
    assert y.shape == (len(x), *layer.latent_shape(case.event_shape))
    back, inverse_log_det = layer.inverse(y)
    np.testing.assert_allclose(back, x, rtol=0, atol=BOUND)
    np.testing.assert_allclose(forward_log_det + inverse_log_det, 0, atol=BOUND)
    again, _ = layer.forward(back)
    np.testing.assert_allclose(again, y, rtol=0, atol=BOUND)


@pytest.mark.parametrize("name", MODELS)
def test_decode_gives_back_what_was_encoded(name):
    case = MODELS[name]
    flow, x = case.shared, case.inputs(5)
    x = x if flow.pixels is None else x.astype("uint8")
    z = flow.encode(x)
    assert z.shape == (5, flow.dimensions)
    np.testing.assert_allclose(flow.decode(z), x, rtol=0, atol=0 if flow.pixels else BOUND)
