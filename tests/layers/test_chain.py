import numpy as np
import pytest
from cases import MODELS

from nvp_tf.layers.chain import Chain, FactorOut
from nvp_tf.layers.scaling import Scaling


@pytest.mark.parametrize("name", ["nice_image", "realnvp_grey", "realnvp_three_scales"])
def test_log_dets_of_the_layers_add_up(name):
    flow, x = MODELS[name].shared, MODELS[name].inputs()
    found = flow.bijector.log_dets(x)
    assert len({name for name, _ in found}) == len(found)
    np.testing.assert_allclose(sum(d.numpy() for _, d in found), flow.bijector.forward(x)[1], rtol=0, atol=1e-10)


def test_factor_out_passes_on_one_colour_of_the_checkerboard():
    inner = Scaling(dtype="float64")
    layer = FactorOut(inner, dtype="float64")
    layer.build((None, 4, 4, 1))
    inner.log_scale.assign(np.full((2, 2, 2), np.log(2)))
    y, log_det = layer.forward(np.ones((1, 4, 4, 1)))
    expected = [[2, 1, 2, 1], [1, 2, 1, 2], [2, 1, 2, 1], [1, 2, 1, 2]]
    np.testing.assert_allclose(y[0, ..., 0], expected, rtol=1e-14)
    np.testing.assert_allclose(log_det, [8 * np.log(2)], rtol=1e-14)


def test_a_chain_names_its_layers_from_the_data_side():
    layers = [Scaling(dtype="float64", name=name) for name in ("first", "second")]
    chain = Chain(layers, dtype="float64")
    chain.build((None, 1))
    layers[0].log_scale.assign([1.0])
    layers[1].log_scale.assign([2.0])
    assert [(name, float(d[0])) for name, d in chain.log_dets(np.ones((1, 1)))] == [("first", 1.0), ("second", 2.0)]


@pytest.mark.parametrize("shape", [(3, 4, 1), (4, 3, 1), (4,)])
def test_factor_out_of_an_impossible_shape(shape):
    with pytest.raises(ValueError, match=r"expected \(even, even, channels\)"):
        FactorOut(Scaling()).build((None, *shape))
