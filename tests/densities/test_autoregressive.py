"""No output sees a later input, each earlier one is seen, in every order; and what a mask is, by hand."""

import numpy as np
import pytest
import tensorflow as tf
from density_cases import fill_network
from oracles import log_det_by_autodiff

from nvp_tf.densities import masked
from nvp_tf.densities.autoregressive import MADE, MadeDensity, MadeSettings
from nvp_tf.densities.contract import Domain
from nvp_tf.densities.maf import IafDensity, MafDensity, MafSettings

ORDERS = ("natural", "reversed", "random")


def jacobian(function, x) -> np.ndarray:
    """sum over outputs and rows of |d out_i / d x_j|, [D, D]. function: [n, D] -> [n, D, P]."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        out = tf.reduce_sum(tf.sin(function(x)), axis=2)  # sin: P numbers that do not cancel
        parts = [out[:, i] for i in range(out.shape[1])]
    return np.stack([np.abs(tape.gradient(part, x)).sum(axis=0) for part in parts])


def made(dimensions, order, layers=2, units=16) -> MADE:
    net = MADE(masked.positions(dimensions, order, 1), layers, units, np.zeros(2), dtype="float64")
    rng = np.random.default_rng(0)
    for weight in net.trainable_weights:
        weight.assign(rng.standard_normal(weight.shape))
    return net


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("order", ORDERS)
def test_made_sees_all_that_is_before_and_nothing_else(order, layers):
    net = made(6, order, layers)
    found = jacobian(net, tf.constant(np.random.default_rng(1).standard_normal((8, 6))))
    before = net.position[None] < net.position[:, None]
    assert (found[~before] == 0).all()
    assert (found[before] > 1e-6).all()
    np.testing.assert_array_equal(masked.paths(net.masks).T.reshape(6, 2, 6).any(axis=1), before)


def test_made_has_units_enough():
    """With fewer units than D - 1 an input would be lost."""
    net = made(9, "natural", layers=1, units=2)
    found = jacobian(net, tf.constant(np.random.default_rng(1).standard_normal((30, 9))))
    np.testing.assert_array_equal(found > 0, np.tril(np.ones((9, 9), bool), -1))


def test_made_of_one_dimension():
    net = made(1, "natural")
    outputs = net(np.array([[-3.0], [5.0]])).numpy()
    assert outputs.shape == (2, 1, 2) and (outputs[0] == outputs[1]).all()


def test_one_dimension_at_a_time():
    net, x = made(5, "random"), np.random.default_rng(2).standard_normal((3, 5))
    for dimension in range(5):
        np.testing.assert_allclose(net.one(x, tf.constant(dimension)), net(x)[:, dimension], rtol=1e-12)


def test_masks_by_hand():
    np.testing.assert_array_equal(masked.positions(4, "reversed"), [4, 3, 2, 1])
    np.testing.assert_array_equal(np.sort(masked.positions(9, "random", 3)), np.arange(1, 10))
    np.testing.assert_array_equal(masked.hidden_degrees(5, 4), [1, 2, 3, 1, 2])
    np.testing.assert_array_equal(masked.up_to(np.array([1, 2, 3]), np.array([1, 2])), [[1, 1], [0, 1], [0, 0]])
    np.testing.assert_array_equal(masked.before(np.array([1, 2]), np.array([1, 2, 3])), [[0, 1, 1], [0, 0, 1]])
    np.testing.assert_array_equal(masked.rows_above(3, centre=False), [[1, 1, 1], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(masked.rows_above(3, centre=True), [[1, 1, 1], [1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(masked.left_of(3, centre=False), [[0, 0, 0], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(masked.left_of(3, centre=True), [[0, 0, 0], [1, 1, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="order is 'spiral'"):
        masked.positions(3, "spiral")


@pytest.mark.parametrize("mask", [np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]], bool), masked.left_of(5, centre=False),
                                  masked.rows_above(5, centre=True)[::-1]])  # fmt: skip
def test_masked_convolution_is_one_with_a_masked_kernel(mask):
    layer = masked.MaskedConv2D(3, mask, dtype="float64")
    layer.build((None, 4, 6, 2))
    rng = np.random.default_rng(0)
    layer.kernel.assign(rng.standard_normal(layer.kernel.shape))
    whole = np.zeros((*mask.shape, 2, 3))
    rows, columns = (slice(low, high + 1) for low, high in zip(layer.first, layer.last, strict=True))
    whole[rows, columns] = layer.kernel.numpy()
    whole *= mask[..., None, None]
    x = rng.standard_normal((2, 4, 6, 2))
    np.testing.assert_allclose(layer(x), tf.nn.conv2d(x, whole, 1, "SAME"), atol=1e-12)


FLOWS = {f"maf {order}": (MafDensity, order) for order in ORDERS} | {"iaf random": (IafDensity, "random")}


@pytest.fixture(params=FLOWS.values(), ids=FLOWS, scope="module")
def flow(request):
    """(a flow of vectors in float64 with random weights, its maps as graphs)."""
    family, order = request.param
    density = family(Domain((4,)), MafSettings(flows=2, layers=1, units=8, order=order), dtype="float64")
    fill_network(density, np.random.default_rng(5))

    @tf.function(autograph=False)
    def inverse(y):
        bijector = density.bijector
        return bijector.inverse(y), bijector.inverse_log_det_jacobian(y, event_ndims=1)

    return density, inverse, tf.function(lambda z: density.bijector.forward(z), autograph=False)


def test_flow_and_back(flow):
    _, inverse, forward = flow
    z = np.random.default_rng(0).standard_normal((6, 4))
    y = forward(tf.constant(z)).numpy()
    assert np.abs(y - z).max() > 0.3
    np.testing.assert_allclose(inverse(tf.constant(y))[0], z, atol=1e-10)


def test_log_determinant_of_a_flow(flow):
    density, inverse, _ = flow
    y = np.random.default_rng(1).standard_normal((5, 4))
    z, log_det = inverse(tf.constant(y))
    np.testing.assert_allclose(log_det, log_det_by_autodiff(lambda y: inverse(y)[0], y), atol=1e-9)
    assert np.abs(log_det).min() > 1e-3
    expected = log_det - 0.5 * np.square(z).sum(axis=1) - 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(density.log_prob(y).value, expected, atol=1e-10)


def test_each_network_is_asked_once():
    """TFP asks for the value and for the determinant apart."""
    density = MafDensity(Domain((4,)), MafSettings(flows=3, layers=1, units=8))
    graph = tf.function(density.graph_log_prob, autograph=False).get_concrete_function(tf.TensorSpec((None, 4))).graph
    assert sum(operation.type == "MatMul" for operation in graph.get_operations()) == 3 * 2


def test_iaf_refuses_many_dimensions():
    with pytest.raises(ValueError, match="takes 784 passes"):
        IafDensity(Domain((28, 28, 1), 256))


def test_gaussian_conditionals_by_hand():
    """One component: log N(x1; m, s^2) + log N(x2; m(x1), s(x1)^2), the network of no hidden layer written out."""
    density = MadeDensity(Domain((2,)), MadeSettings(layers=0, components=1), dtype="float64")
    fill_network(density, np.random.default_rng(2))
    kernel, bias = density.model.output_layer.kernel.numpy(), density.model.output_layer.bias.numpy()
    x = np.array([[0.3, -1.2]])
    first = -0.5 * ((x[0, 0] - bias[1]) / np.exp(bias[2])) ** 2 - bias[2]
    mean, log_scale = bias[4] + kernel[0, 4] * x[0, 0], bias[5] + kernel[0, 5] * x[0, 0]
    second = -0.5 * ((x[0, 1] - mean) / np.exp(log_scale)) ** 2 - log_scale
    np.testing.assert_allclose(density.log_prob(x).value, first + second - np.log(2 * np.pi), rtol=1e-12)
