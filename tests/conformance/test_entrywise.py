"""The log-determinant and the score, entry by entry: they sum to the whole, and stand where the data's entries do."""

import numpy as np
import pytest
from cases import BIJECTORS, LAYERS, MODELS

SUMS = 1e-9  # relative to the sum of what is summed


@pytest.mark.parametrize("name", BIJECTORS)
def test_terms_sum_to_the_log_determinant(name):
    case = BIJECTORS[name]
    layer, x = case.shared, case.inputs()
    y, nats = layer.entrywise(x)
    expected, log_det = layer.forward(x)
    assert nats.shape == x.shape and nats.dtype == "float64"
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(np.sum(nats.numpy().reshape(len(x), -1), axis=1), log_det, rtol=SUMS, atol=SUMS)
    assert layer.at_data(y).shape == x.shape


@pytest.mark.parametrize("name", [*LAYERS, "realnvp_packed_colour"])
def test_entries_stand_where_they_came_from(name):
    """With weights that change no entry by what the others are, all that is left is order: `at_data` gives it back."""
    layer, x = BIJECTORS[name].make(seed=1), BIJECTORS[name].inputs()
    for weight in layer.weights:
        kind = weight.path.rsplit("/", 1)[-1]
        weight.assign(np.eye(*weight.shape) if "matrix" in kind else np.full(weight.shape, float("variance" in kind)))
    back = layer.at_data(layer.forward(x)[0]).numpy()
    order = [np.argsort(values.reshape(len(x), -1), axis=1) for values in (x, back)]
    np.testing.assert_array_equal(*order)


@pytest.mark.parametrize("name", MODELS)
def test_bits_sum_to_the_score(name):
    case = MODELS[name]
    flow, x = case.shared, case.inputs()
    x = x.astype("uint8") if flow.pixels else x
    bits = flow.explain(x).numpy()
    assert bits.shape == x.shape[:3]
    np.testing.assert_allclose(-np.log(2) * bits.reshape(len(x), -1).sum(axis=1), flow.log_prob(x), rtol=SUMS)
