"""Units and origins that float32 has no digits for: fitted in one pass, exact both ways, counted."""

import numpy as np
import pytest
from cases import randomize

from nvp_tf.config.schema import ModelConfig, StandardizationConfig, VectorRealNVPConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.errors import UserError
from nvp_tf.models.build import build
from nvp_tf.training.standardization import fit_standardization

CONFIG = ModelConfig((4,), VectorRealNVPConfig(2, 1, 8), standardization=StandardizationConfig())
# Seconds since 1970 with a deviation of a day, an hour, and features of 1e-6 and of 1e6 whose mean is 5 of them.
MEANS, DEVIATIONS = np.array([1.7e9, 1.7e9, 0, 5e6]), np.array([1e5, 3.6e3, 1e-6, 1e6])


def rows(n=3000):
    return np.random.default_rng(0).standard_normal((n, 4)) * DEVIATIONS + MEANS


def fitted(x):
    flow = randomize(build(CONFIG), spread=0.5)
    return flow, fit_standardization(flow, from_arrays(x, x, x).train, batch_size=700)


def test_one_pass_gives_the_moments_and_the_layer_is_exact():
    x = rows()
    flow, taken = fitted(x)
    exact = x.astype(np.longdouble)
    np.testing.assert_allclose(taken["mean"], exact.mean(axis=0), rtol=1e-14, atol=1e-20)
    np.testing.assert_allclose(taken["deviation"], exact.std(axis=0), rtol=1e-9)
    assert taken["examples"] == len(x)
    layer = flow.standardization
    y, log_det = layer.forward(x)
    assert y.dtype == "float32" and log_det.dtype == "float32"
    np.testing.assert_allclose(y, (exact - exact.mean(axis=0)) / exact.std(axis=0), atol=3e-6)
    np.testing.assert_allclose(log_det, -np.log(exact.std(axis=0)).sum(), rtol=1e-6)
    back, other = layer.inverse(y)
    assert back.dtype == "float64"
    np.testing.assert_allclose((back - x) / DEVIATIONS, 0, atol=1e-6)
    np.testing.assert_array_equal(other, -log_det)


def test_a_flow_goes_both_ways_in_the_units_of_the_data():
    x = rows(50)
    flow, _ = fitted(x)
    np.testing.assert_allclose((flow.decode(flow.encode(x)) - x) / DEVIATIONS, 0, atol=1e-4)
    assert flow.event.dtype == flow.sample(3).dtype == "float64" and flow.log_prob(x).dtype == "float32"
    plain = build(ModelConfig((4,), CONFIG.flow))
    plain.set_weights([w.numpy() for w in flow.weights if "standardization" not in w.path])
    expected = plain.log_prob((x - x.mean(axis=0)) / x.std(axis=0)) - np.log(x.std(axis=0)).sum()
    np.testing.assert_allclose(flow.log_prob(x), expected, atol=1e-4)


def test_in_single_precision_it_is_the_same_density():
    x = rows(50)
    flow, _ = fitted(x)
    single = flow.in_single_precision()
    assert single.event.dtype == single.sample(1).dtype == "float32"
    known = x.astype(np.float32)  # to 64 s of a day: scores move by less than that
    np.testing.assert_allclose(single.log_prob(known)[:, None], flow.log_prob(known)[:, None], atol=0.2)
    x[:, :2] -= 1.7e9
    flow, _ = fitted(x)
    np.testing.assert_allclose(flow.in_single_precision().log_prob(x.astype(np.float32)), flow.log_prob(x), atol=1e-3)


def test_a_constant_column_is_refused():
    x = rows(50)
    x[:, 2] = 0.1
    with pytest.raises(UserError, match="column 2 never varies"):
        fitted(x)
