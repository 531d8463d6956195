"""A representation in which any image is the likeliest, and one in which it is the least likely; probabilities stay."""

import numpy as np
import pytest
from cases import MODELS
from oracles import grid, log_det_by_autodiff

from nvp_tf.errors import UserError
from nvp_tf.flatness.density_order import LEAST, MOST, UNMOVED, density_orders, dequantized, radial


@pytest.mark.parametrize("name", ["realnvp_one_scale", "nice_image", "vector"])
def test_first_and_last(name):
    case = MODELS[name]
    flow, x = case.shared, case.inputs(30, seed=3)
    x = x if flow.pixels is None else x.astype("uint8")
    scores = np.sort(flow.log_prob(x))
    for chosen in (17,):
        orders = density_orders(flow, x, chosen)
        assert orders.rank(MOST) == 1 and orders.rank(LEAST) == len(x)
        np.testing.assert_allclose(np.sort(orders.log_density[UNMOVED]), scores, rtol=0, atol=1e-9)
        assert orders.others_moved < 1e-9
        v = dequantized(flow, x)[chosen : chosen + 1]
        for key, layer in orders.maps.items():
            u, _ = layer.forward(v)
            expected = orders.log_density[UNMOVED][chosen] + log_det_by_autodiff(
                lambda u, layer=layer: layer.inverse(u)[0], u
            )
            np.testing.assert_allclose(orders.log_density[key][chosen], expected, rtol=0, atol=1e-9)
        ahead = np.sort(orders.log_density[MOST])[-2:]
        assert ahead[1] - ahead[0] == pytest.approx(0.01 * np.log(2) * flow.dimensions, rel=1e-6)


def test_probabilities_stay():
    """The share of each of many cells of the new plane is that of what it came from, by sums on two grids."""
    flow = MODELS["vector_batch_norm"].make(seed=1)
    layer = radial(np.array([0.3, -0.2]), 4.0, 0.8)
    points, volume = grid(-2.2, 2.8, 700)

    def density_there(u):
        v, log_det = layer.inverse(u)
        return np.exp(flow.log_prob(v) + log_det)

    there = density_there(points) * volume
    here = np.exp(flow.log_prob(points)) * volume
    landed, _ = layer.forward(points)
    edges = np.linspace(-2.2, 2.8, 6)
    before, *_ = np.histogram2d(*landed.numpy().T, bins=[edges, edges], weights=here)
    after, *_ = np.histogram2d(*points.T, bins=[edges, edges], weights=there)
    np.testing.assert_allclose(after, before, atol=3e-3 * before.max())
    centre = density_there(np.array([[0.3, -0.2]])) / np.exp(flow.log_prob(np.array([[0.3, -0.2]])))
    np.testing.assert_allclose(centre, np.exp(2 * 0.8))


def test_refused():
    flow = MODELS["nice_image"].shared
    x = MODELS["nice_image"].inputs(4).astype("uint8")
    with pytest.raises(UserError, match="image is 4, expected a number from 0 to 3"):
        density_orders(flow, x, 4)
    with pytest.raises(UserError, match="example 1 is there twice"):
        density_orders(flow, x[[0, 1, 1]], 1)
