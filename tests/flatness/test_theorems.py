"""Every statement of chapter 3, its bound beside what is measured; and slips of the text, shown to be wrong."""

import importlib

import numpy as np
import pytest

from nvp_tf.flatness.curvature import Curvature
from nvp_tf.flatness.losses import loss_of
from nvp_tf.flatness.rescaling import Rescaling, predictions
from nvp_tf.flatness.sharpness import sharpness
from nvp_tf.flatness.theorems import inputs, reparametrization, weight_norm
from nvp_tf.flatness.theorems.lines import Line, table
from nvp_tf.flatness.theorems.networks import rectified
from nvp_tf.flatness.theorems.registry import THEOREMS
from nvp_tf.flatness.weight_norm import weight_normalized


@pytest.mark.parametrize("name", THEOREMS)
def test_it_holds(name):
    lines = importlib.import_module(f"nvp_tf.flatness.theorems.{name}").check(seed=3)
    assert len(lines) >= 4
    broken = [line for line in lines if not line.holds]
    assert not broken, table(broken)


def test_a_line_that_does_not_hold_says_so():
    for relation, measured in (("=", 1.1), ("<=", 2.1), (">=", 0.9)):
        bound = 2.0 if relation == "<=" else 1.0
        line = Line("x", relation, bound, measured, within=1e-3)
        assert not line.holds and "FAILS" in table([line])
        assert Line("x", relation, measured, measured).holds
    assert not Line("x", "<=", 0, float("nan")).holds and not Line("x", "=", 1, float("nan")).holds


def test_the_networks_own_forward_pass():
    """That of the theorems' many weights at once is the model's."""
    network = rectified(5, 6, 4, 1, seed=1, minimum=False)
    theta = network.curvature.weights
    found = network.outputs(np.stack([theta, 2 * theta]))
    np.testing.assert_allclose(found[0], network.model(network.x), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found[1], 8 * found[0], rtol=0, atol=1e-12)


def test_slip_a_negative_factor_of_a_normalized_weight_flips_it():
    """The thesis allows alpha != 0 (3.5.1). The function at alpha < 0 is another one."""
    model = weight_normalized(rectified(5, 7, 1).model)
    x = np.random.default_rng(0).standard_normal((20, 5))
    before = predictions(model, x)
    direction = model.layers[-1].direction
    direction.assign(3.0 * direction.numpy())
    np.testing.assert_allclose(predictions(model, x), before, rtol=1e-12)
    direction.assign(-direction.numpy())
    np.testing.assert_allclose(predictions(model, x), -before, rtol=1e-12)


def test_the_ascent_finds_the_constant_function():
    """epsilon-sharpness at T_a th, a > ||th2|| / epsilon, is at least that of the best constant (section 3.4.3)."""
    network, epsilon = rectified(5, 7, 1), 0.1
    second = network.model.layers[-1].kernel.numpy()
    alpha = 1.01 * np.linalg.norm(second) / epsilon
    rescaling = network.rescaling
    model = rescaling.apply(rescaling.of_layers([alpha, 1 / alpha]), network.x)
    targets = network.curvature.targets()
    moved = Curvature(model, loss_of("mean_squared_error"), [(network.x, targets)])
    step = np.concatenate([np.zeros(35), -moved.weights[35:]])
    assert sharpness(moved, epsilon, starts=[step], steps=3, restarts=0).value >= targets.var()
    assert sharpness(network.curvature, epsilon, steps=10).value < 0.5 * targets.var()


def test_slip_a_normalized_weight_has_infinite_flatness_not_sharpness():
    """The thesis writes "infinite volume epsilon-sharpness". The volume grows as a^n and the sharpness vanishes."""
    network = rectified(4, 1, seed=2, examples=50)
    model = weight_normalized(network.model)
    eta, y = model.layers[0].direction.numpy().astype(np.float64), network.curvature.targets()
    steps = np.random.default_rng(0).standard_normal((300, 4))
    steps *= 0.1 / np.linalg.norm(steps, axis=1, keepdims=True)

    def sharpness(a):
        directions = a * eta[:, 0] + steps
        kernels = np.linalg.norm(eta) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        return float(((network.x @ kernels.T - y) ** 2).mean(axis=0).max())

    found = [sharpness(a) for a in (1e-2, 1.0, 1e2, 1e4)]
    assert np.all(np.diff(found) < 0) and found[-1] < 1e-8 < 0.1 < found[0]


def test_slip_the_gradient_of_another_representation_is_at_u():
    """The thesis prints d f_u / d u at xi(u). For x / 1000 that is the gradient at a millionth of x."""
    model, x = inputs.classifier(0), np.random.default_rng(0).standard_normal((6, inputs.SIZE))
    for name, xi in inputs.representations(x).items():
        u = xi.forward(x)[0].numpy()
        through = lambda u, xi=xi: model(xi.inverse(u)[0])  # noqa: E731
        formula = inputs.chain_rule(model, xi, u)
        right = inputs.gradient_by_differences(through, u)
        printed = inputs.gradient_by_differences(through, xi.forward(u)[0].numpy())
        scale = np.abs(formula).max()
        assert np.abs(right - formula).max() < 1e-6 * scale, name
        assert np.abs(printed - formula).max() > 0.01 * scale, name


def test_the_printed_radial_jacobian_needs_the_outer_product():
    """Its (theta - c)^T (theta - c) of a row vector; as an inner product it would be another matrix."""
    v = np.array([0.3, -0.4, 0.2])
    right = reparametrization.printed_jacobian(v, 0.3, 0.7, 1.0)
    r, k = np.linalg.norm(v), (0.3 - 0.7) / (0.3 - 1)
    inner = right + k / r**3 * np.outer(v, v) - k / r**3 * (v @ v) * np.eye(3)
    layer = reparametrization.made(reparametrization.Radial(0.3, 0.7, 1.0, dtype="float64"), 3)
    points = v + 1e-6 * np.concatenate([np.eye(3), -np.eye(3)])
    ahead, behind = np.split(layer.forward(points)[0].numpy(), 2)
    found = (ahead - behind).T / 2e-6
    np.testing.assert_allclose(right, found, atol=1e-8)
    assert np.abs(inner - found).max() > 0.1


def test_weight_normalizing_keeps_a_deep_network():
    network = rectified(5, 6, 4, 1)
    model = weight_normalized(network.model)
    np.testing.assert_allclose(predictions(model, network.x), predictions(network.model, network.x), rtol=1e-12)
    rescaling = Rescaling(model)
    names = [unit.name for unit in rescaling.units]
    assert sum(name.endswith(".direction") for name in names) == 3 and len(names) == 5
    factors = {unit.name: np.linspace(0.2, 5, unit.channels) for unit in rescaling.units}
    np.testing.assert_allclose(
        predictions(rescaling.apply(factors, network.x), network.x), predictions(model, network.x), rtol=1e-11
    )
    assert weight_norm.SIZES[1] == 1
