"""epsilon-sharpness and epsilon-flatness of quadratics, of which both are known, and what they do to a network."""

import math

import numpy as np
import pytest
from subjects import curvature, dense, from_teacher, normal, quadratic, sequential, with_eigenvalues

from nvp_tf.errors import UserError
from nvp_tf.flatness.sharpness import second_order, sharpness
from nvp_tf.flatness.slices import filter_normalized, random_directions, slice_losses
from nvp_tf.flatness.volume import slice_volume

VALUES = np.r_[np.linspace(0.1, 4, 30), 5.0]
BOWL = quadratic(with_eigenvalues(VALUES), centre=normal(31), offset=0.7)


@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 2.0])
def test_quadratic_in_a_ball(epsilon):
    found = sharpness(BOWL, epsilon)
    known = second_order(0.7, 5.0, epsilon)
    np.testing.assert_allclose(known, epsilon**2 * 5 / (2 * 1.7))
    assert 0.99 * known <= found.value <= known * (1 + 1e-9)
    assert np.linalg.norm(found.step) <= epsilon * (1 + 1e-12)
    np.testing.assert_allclose(BOWL.loss(BOWL.weights + found.step), found.loss_found, rtol=1e-12)


def test_quadratic_in_a_box_and_in_subspaces():
    """Of a convex function the maximum over a box is at a corner; over a subspace it is the restricted matrix'."""
    matrix = with_eigenvalues([0.5, 1.0, 2.0, 4.0])
    c = quadratic(matrix, centre=[0.3, -1.0, 0.0, 2.0], offset=0.2)
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 4), axis=-1).reshape(-1, 4)

    def best(scale):
        steps = 0.1 * corners * scale
        return np.einsum("ki,ij,kj->k", steps, matrix, steps).max() / 2 / 1.2

    np.testing.assert_allclose(sharpness(c, 0.1, shape="box", restarts=8).value, best(np.abs(c.weights) + 1), rtol=1e-9)
    adaptive = sharpness(c, 0.1, shape="box", adaptive=True, restarts=8)
    np.testing.assert_allclose(adaptive.value, best(np.abs(c.weights)), rtol=1e-9)
    d = np.diag(np.abs(c.weights))
    known = second_order(0.2, np.linalg.eigvalsh(d @ matrix @ d)[-1], 0.1)
    np.testing.assert_allclose(sharpness(c, 0.1, adaptive=True).value, known, rtol=1e-2)
    basis = np.linalg.qr(np.random.default_rng(5).standard_normal((4, 2)))[0]
    known = second_order(0.2, np.linalg.eigvalsh(basis.T @ matrix @ basis)[-1], 0.1)
    np.testing.assert_allclose(sharpness(c, 0.1, subspace=2, seed=5).value, known, rtol=1e-2)


def test_a_start_is_used():
    """One step along the top eigenvector finds what three steps from anywhere do not."""
    v = np.linalg.eigh(with_eigenvalues(VALUES))[1][:, -1]
    np.testing.assert_allclose(sharpness(BOWL, 0.1, starts=[v], restarts=0, steps=0).value, second_order(0.7, 5, 0.1))


def test_at_least_the_constant_output(a=8.0, epsilon=0.5):
    """Thesis 3.3: once |th2| < epsilon, a ball around the rescaled minimum has a point where the output is 0."""
    c = from_teacher(3, 4, 1)
    scaled = c.weights * np.r_[np.full(12, a), np.full(4, 1 / a)]
    assert np.linalg.norm(scaled[12:]) < epsilon
    model = c.model
    bound = c.loss(np.r_[scaled[:12], np.zeros(4)])  # over 1 + 0
    model.set_weights([scaled[:12].reshape(3, 4), scaled[12:].reshape(4, 1)])
    x = normal(200, 3)
    twin = curvature(model, "mse", x, model(x).numpy(), batch_size=200)
    assert sharpness(twin, epsilon, restarts=1).value >= bound > 0


def test_never_below_0_and_finite():
    """At a maximum nothing is higher; and where the loss is infinite nearby, what is found is finite."""
    assert sharpness(quadratic(-np.eye(3)), 0.1).value == 0
    model = sequential((3,), dense(1, activation="exponential"))
    c = curvature(model, "mse", 30 * normal(10, 3), normal(10, 1))
    assert math.isfinite(sharpness(c, 50.0, steps=5).loss_found)


@pytest.mark.parametrize(("options", "message"), [
    ({"epsilon": 0}, "epsilon is 0"), ({"epsilon": math.inf}, "epsilon is inf"),
    ({"epsilon": 1, "shape": "cube"}, "shape is 'cube'"), ({"epsilon": 1, "subspace": 40}, "subspace is 40"),
])  # fmt: skip
def test_mistakes(options, message):
    with pytest.raises(UserError, match=message):
        sharpness(BOWL, **options)


def test_volume_of_an_ellipsoid():
    """Along a line 2 sqrt(2 eps / u'Au); in a plane pi 2 eps / sqrt(det B'AB); in all of space the ellipsoid's."""
    matrix, epsilon = with_eigenvalues([0.5, 1.0, 2.0]), 0.3
    c = quadratic(matrix, centre=[1.0, 2.0, -1.0])
    for k, slices in ((1, 4), (2, 2)):
        rng, known = np.random.default_rng(2), []
        for _ in range(slices):
            plane = np.linalg.qr(rng.standard_normal((3, k)))[0]
            if k == 2:
                rng.uniform()  # the first ray's angle
            known.append(
                (2, np.pi)[k - 1] * (2 * epsilon) ** (k / 2) / np.sqrt(np.linalg.det(plane.T @ matrix @ plane))
            )
        found = slice_volume(c, epsilon, dimensions=k, slices=slices, rays=16, seed=2)
        np.testing.assert_allclose(found.estimate.samples, known, rtol=1e-3)
    whole = 4 / 3 * np.pi * (2 * epsilon) ** 1.5 / np.sqrt(0.5 * 1 * 2)
    found = slice_volume(c, epsilon, dimensions=3, slices=8, rays=8)
    assert abs(found.estimate.value - whole) <= 4 * found.estimate.error and found.unbounded == 0
    scaled = slice_volume(c, epsilon, dimensions=3, slices=8, rays=8, scale=np.array([1.0, 2.0, -1.0]))
    assert abs(scaled.estimate.value - whole / 2) <= 4 * scaled.estimate.error


def test_volume_without_an_end():
    found = slice_volume(quadratic(np.zeros((3, 3))), 0.1, limit=50.0, slices=2)
    assert found.unbounded == 1 and found.estimate.value == 100


def test_filter_normalization():
    c = from_teacher(3, 4, 2)
    d = filter_normalized(normal(c.dim), c.weights, c.blocks)
    for block in c.blocks:
        own, other = (v[block.slice].reshape(block.shape) for v in (c.weights, d))
        np.testing.assert_allclose(np.linalg.norm(own, axis=0), np.linalg.norm(other, axis=0), rtol=1e-12)
    biased = curvature(sequential((3,), dense(2)), "mse", normal(5, 3), normal(5, 2))
    assert not random_directions(biased, 2)[6:].any()
    np.testing.assert_allclose(np.linalg.norm(random_directions(biased, 2, normalized=False), axis=0), 1)


def test_slices():
    c = quadratic(np.diag([1.0, 4.0]), centre=[1.0, 1.0])
    grid, losses = slice_losses(c, np.eye(2), radius=2, points=5)
    np.testing.assert_allclose(losses, grid[:, None] ** 2 / 2 + 2 * grid**2, atol=1e-12)
    np.testing.assert_allclose(slice_losses(c, np.eye(2)[:, 1:], points=3)[1], [2, 0, 2], atol=1e-12)
    with pytest.raises(UserError, match="directions have shape"):
        slice_losses(c, np.eye(3))
