"""Eigenvalues against dense ones, with their residuals; the density of known spectra."""

import numpy as np
import pytest
from subjects import from_teacher, normal, symmetric, with_eigenvalues

from nvp_tf.errors import UserError
from nvp_tf.flatness.operators import hessian, of_matrix
from nvp_tf.flatness.spectral_density import stochastic_lanczos
from nvp_tf.flatness.spectrum import basis_bytes, bottom, minimum, top

FLAT = with_eigenvalues(np.r_[np.zeros(200), -0.01, np.linspace(0.5, 3, 40)])  # many zeros, one below


@pytest.mark.parametrize(
    "matrix",
    [symmetric(60), with_eigenvalues(np.geomspace(1e-6, 1e6, 60)), -with_eigenvalues(np.arange(1.0, 61)), FLAT],
    ids=["indefinite", "ill-conditioned", "negative", "many zeros"],
)
def test_ends_of_the_spectrum(matrix):
    known = np.linalg.eigvalsh(matrix)
    size = np.abs(known).max()
    high = top(of_matrix(matrix), 5)
    low = bottom(of_matrix(matrix), 1, largest=high.values[0])
    np.testing.assert_allclose(high.values, known[::-1][:5], atol=1e-8 * size)
    np.testing.assert_allclose(low.values, known[:1], atol=1e-7 * size)  # its tolerance is 1e-6 of the range
    for found in (high, low):
        assert found.residuals.max() <= 1e-6 * size and found.method == "lanczos"
        actual = np.linalg.norm(matrix @ found.vectors - found.values * found.vectors, axis=0)
        np.testing.assert_allclose(found.residuals, actual, atol=1e-12 * size)


def test_of_a_network():
    c = from_teacher(5, 7, 1)
    h = hessian(c)
    known = np.linalg.eigvalsh(h.dense())
    high = top(h, 10)
    low = bottom(h, largest=high.values[0])
    np.testing.assert_allclose(high.values, known[::-1][:10], rtol=1e-8)
    assert abs(low.values[0]) < 1e-6 * high.values[0]
    assert minimum(c.loss(), c.gradient(), high, low).is_minimum
    elsewhere = c.weights + 0.5 * normal(c.dim)
    h = hessian(c, elsewhere)
    high = top(h)
    low = bottom(h, largest=high.values[0])
    verdict = minimum(c.loss(elsewhere), c.gradient(elsewhere), high, low)
    assert not verdict.is_minimum and "curves down" in verdict.text and "its gradient is" in verdict.text


@pytest.mark.parametrize("sign", [1, -1])
def test_power_iteration_where_the_basis_would_not_fit(sign):
    matrix = sign * with_eigenvalues(np.r_[np.linspace(-1, 2, 50), 5])
    known, told = np.linalg.eigvalsh(matrix), []
    high = top(of_matrix(matrix), memory=1000, tolerance=1e-10, say=told.append)
    low = bottom(of_matrix(matrix), largest=high.values[0], memory=1000, tolerance=1e-10)
    assert high.method == low.method == "power"
    np.testing.assert_allclose([high.values[0], low.values[0]], known[[-1, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(matrix @ high.vectors[:, 0] - high.values[0] * high.vectors[:, 0]), high.residuals[0], atol=1e-10
    )
    assert f"basis {basis_bytes(51, 1) / 1e6:.4g} MB" in told[0] and "power iteration" in told[0]
    with pytest.raises(UserError, match="expected k = 1, by power iteration, or more memory"):
        top(of_matrix(matrix), 2, memory=1000)
    with pytest.raises(UserError, match="k is 52, expected 1 to 51"):
        top(of_matrix(matrix), 52)


def test_basis_of_the_largest_flow_here():
    assert round(basis_bytes(19_158_352, 1) / 1e9, 1) == 3.5


def test_density_of_two_clusters():
    rng = np.random.default_rng(0)
    matrix = with_eigenvalues(np.r_[1 + 0.05 * rng.standard_normal(30), 5 + 0.05 * rng.standard_normal(30)])
    density = stochastic_lanczos(of_matrix(matrix), steps=40, probes=40)
    for low, high in ((0, 3), (3, 9)):
        mass = density.mass(low, high)
        assert abs(mass.value - 0.5) <= 0.05 and abs(mass.value - 0.5) <= 4 * mass.error
    grid = density.grid(2000)
    assert abs(np.trapezoid(density.density(grid), grid) - 1) <= 1e-3
    moment = density.mean(np.square)
    assert abs(moment.value - np.square(matrix).sum() / 60) <= 4 * moment.error


@pytest.mark.parametrize(("values", "steps"), [([2.0] * 20, 1), ([1.0] * 10 + [5.0] * 10, 2), (range(1, 21), 20)])
def test_lanczos_ends_when_its_space_does(values, steps):
    density = stochastic_lanczos(of_matrix(with_eigenvalues(np.array(values, float))), steps=30, probes=3)
    for nodes, weights in zip(density.nodes, density.weights, strict=True):
        np.testing.assert_allclose(nodes, np.unique(list(map(float, values))), rtol=1e-9)
        assert len(nodes) == steps and abs(weights.sum() - 1) < 1e-12


def test_orthogonal_after_many_steps():
    """Without reorthogonalization the largest would come up again, and its neighbours late."""
    known = np.r_[np.linspace(0, 1, 150), 100.0]
    density = stochastic_lanczos(of_matrix(with_eigenvalues(known)), steps=60, probes=2)
    for nodes in density.nodes:
        assert (nodes > 50).sum() == 1


def test_d_h_d_and_reflection():
    a, d = symmetric(6), normal(6, seed=2)
    np.testing.assert_allclose(of_matrix(a).scaled(d).dense(), np.diag(d) @ a @ np.diag(d), atol=1e-12)
    np.testing.assert_allclose(of_matrix(a).reflected(3.0).dense(), 3 * np.eye(6) - a, atol=1e-12)
    counts = []
    of_matrix(a).counting(counts.append).dense()
    assert counts == [1, 2, 3, 4, 5, 6]
    with pytest.raises(UserError, match="d has shape"):
        of_matrix(a).scaled(np.ones(5))
