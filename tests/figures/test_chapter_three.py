"""Figures 3.1 to 3.6: what is written in them is what a closed form says."""

import itertools

import numpy as np
import pytest

from nvp_tf.figures import disjoint_boxes, flatness, homogeneity, nearer_axis, registry, reparametrized
from nvp_tf.figures.radial import DELTA, MAPS, radial


def test_the_box_of_figure_3_1():
    left, right = flatness.connected_set(flatness.EPSILON)
    assert left < 0 < right and -left > right  # steeper to the right
    inside = np.linspace(left, right, 1001)[1:-1]
    assert flatness.loss(inside).max() < flatness.EPSILON
    np.testing.assert_allclose(flatness.loss(np.array([left, right])), flatness.EPSILON, rtol=1e-9)


def test_the_functions_of_figure_3_2():
    """The loss depends on the product alone, as (p - 1)^2 times the mean square of relu(x)."""
    square = (np.maximum(np.linspace(-1, 1, 101), 0) ** 2).mean()
    for product in homogeneity.PRODUCTS:
        first = np.array([0.1, 0.7, 3.0])
        np.testing.assert_allclose(homogeneity.loss(first, product / first), (product - 1) ** 2 * square, atol=1e-14)


def test_the_boxes_of_figure_3_3():
    boxes = disjoint_boxes.boxes()
    areas = [np.prod(upper - lower) for lower, upper in boxes]
    np.testing.assert_allclose(areas, (2 * disjoint_boxes.RADIUS) ** 2)
    for (_, upper), (lower, _) in itertools.pairwise(boxes):
        assert lower[0] == pytest.approx(2 * upper[0])
    losses = [disjoint_boxes.highest_loss(*box) for box in boxes]
    np.testing.assert_allclose(losses, losses[0])


def test_the_balls_of_figure_3_4():
    """The moved ball reaches output 0, the first does not; its sharpness is at least that loss."""
    theta, moved = nearer_axis.THETA, nearer_axis.THETA * [nearer_axis.ALPHA, 1 / nearer_axis.ALPHA]
    assert moved[1] < nearer_axis.EPSILON < theta[1]
    assert nearer_axis.loss(*moved) == pytest.approx(0)
    assert nearer_axis.highest(moved)[1] >= nearer_axis.loss(0.0, 0.0) > nearer_axis.highest(theta)[1]


@pytest.mark.parametrize("name", reparametrized.PANELS)
def test_the_curvatures_of_figure_3_5(name):
    a, b = reparametrized.PANELS[name]
    layer = reparametrized.reparametrized(a, b)
    for minimum in reparametrized.MINIMA:
        v = minimum - reparametrized.CENTRE
        slope = (v**2 + b) ** (a - 1) * ((2 * a + 1) * v**2 + b)
        assert reparametrized.curvature(layer, minimum) == pytest.approx(9 / slope**2, rel=2e-3)


def test_the_map_of_figure_3_6():
    for rhat, rho in MAPS.values():
        ends = radial(rhat, rho, 1).forward(np.array([[0.0], [rhat], [DELTA], [2 * DELTA]]))[0].numpy()[:, 0]
        np.testing.assert_allclose(ends, [0, rho, DELTA, 2 * DELTA], atol=1e-12)


def test_they_are_the_thesis_figures_and_need_no_run():
    found = {figure.thesis: figure.needs_run for figure in registry.FIGURES.values() if figure.thesis.startswith("3.")}
    assert found == {f"3.{i}": False for i in range(1, 7)}
