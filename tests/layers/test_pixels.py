import numpy as np
import pytest
import tensorflow as tf

from nvp_tf.layers.pixels import Pixels

NOISES = {"float64": (0.0, 1e-9, 0.5, 1 - 1e-9), "float32": (0.001, 0.5, 0.999)}


def pixels(*args, dtype="float64", shape=(3,), **kwargs):
    layer = Pixels(*args, dtype=dtype, **kwargs)
    layer.build((None, *shape))
    return layer


@pytest.mark.parametrize("dtype", NOISES)
@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize(("data_range", "alpha"), [("unit", 0.0), ("symmetric", 0.0), ("unit", 0.05), ("unit", 1e-5)])
def test_integers_come_back(levels, data_range, alpha, dtype):
    layer = pixels(levels, data_range, alpha, dtype=dtype, shape=(levels,))
    x = np.arange(levels, dtype="uint8")[None]
    for noise in NOISES[dtype]:
        v = layer.dequantize(x, np.float64(noise))  # a Python float would be a float32 first
        y, log_det = layer.forward(v)
        assert np.isfinite(y).all() and np.isfinite(log_det).all()
        np.testing.assert_array_equal(layer.to_integers(v), x)
        # Noise at the very edge of a cell may come back a rounding beyond it: then the cell is the neighbour's.
        back = layer.inverse(y)[0]
        np.testing.assert_allclose(back, v, rtol=0, atol=1e-11 * levels if dtype == "float64" else 0.02)
        if 0.01 < noise < 0.99:
            np.testing.assert_array_equal(layer.to_integers(back), x)


def test_outside_the_range_is_the_nearest_integer():
    assert pixels(17, shape=(4,)).to_integers(tf.constant([-3.0, -0.1, 17.0, 40.0])).numpy().tolist() == [0, 0, 16, 16]


def test_log_det_by_hand():
    """At the middle of the range p = 1/2 and the logit's slope is 4; then 1 - 2 alpha, and 1 / levels."""
    y, log_det = pixels(256, alpha=0.05).forward(np.full((1, 3), 128.0))
    np.testing.assert_allclose(y, np.zeros((1, 3)), atol=1e-12)
    np.testing.assert_allclose(log_det, [3 * (np.log(4) + np.log(0.9) - np.log(256))], rtol=1e-14)
    y, _ = pixels(256, alpha=0.05).forward(np.full((1, 3), 0.0))
    np.testing.assert_allclose(y, np.full((1, 3), -np.log(19)), rtol=1e-12)


def test_symmetric_is_log_2_a_dimension_more():
    v = np.random.default_rng(0).uniform(0, 256, (2, 3))
    unit, symmetric = pixels(256, "unit", 0.0), pixels(256, "symmetric", 0.0)
    np.testing.assert_allclose(symmetric.forward(v)[0], 2 * unit.forward(v)[0] - 1, atol=1e-14)
    np.testing.assert_allclose(symmetric.forward(v)[1] - unit.forward(v)[1], np.full(2, 3 * np.log(2)), rtol=1e-14)


def test_a_logit_wants_the_unit_range():
    with pytest.raises(ValueError, match=r"data_range is 'symmetric', expected 'unit' with a logit \(alpha 0.05\)"):
        Pixels(256, "symmetric")
