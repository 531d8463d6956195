"""The mathematics of the figures that move in latent space, against formulas written out here."""

import math

import numpy as np
import pytest
from tiny_source import tiny_source

from nvp_tf.data.arrays import from_arrays
from nvp_tf.figures import interpolation, manifold, moons, sphere, temperature

IMAGES = ["realnvp_grey", "realnvp_three_scales", "realnvp_packed_colour", "nice_image"]


@pytest.fixture
def panel_of(monkeypatch):
    """The one panel that a figure puts on its page."""

    def drawn(figure, source, **options):
        panels = []
        monkeypatch.setattr(figure, "page", lambda made, **_: panels.extend(made))
        figure.draw(source, **options)
        [panel] = panels
        return panel

    return drawn


@pytest.mark.parametrize("angles", [1, 4, 7])
def test_sphere_coefficients(angles):
    phi, psi = sphere.grid_angles(angles)
    points = sphere.coefficients(phi, psi)
    assert points.shape == (angles, angles, 3)
    np.testing.assert_allclose((points**2).sum(axis=-1), 1)
    for i in range(angles):
        up = math.pi * (2 * i + 1 - angles) / (2 * angles)
        for j in range(angles):
            around = 2 * math.pi * j / angles
            expected = [math.cos(up) * math.cos(around), math.cos(up) * math.sin(around), math.sin(up)]
            np.testing.assert_allclose(points[i, j], expected, atol=1e-12)


@pytest.mark.parametrize("name", IMAGES)
def test_sphere_images(name, monkeypatch, panel_of):
    source = tiny_source(monkeypatch, name, seed=3)
    panel = panel_of(sphere, source, angles=2)
    u1, _, u3 = source.flow.sample_latents(3, 3).numpy()
    half = math.sqrt(0.5)  # at 45 degrees up and down, azimuths 0 and 180
    z = np.stack([half * u1 - half * u3, -half * u1 - half * u3, half * u1 + half * u3, -half * u1 + half * u3])
    differences = np.abs(panel.images.astype(int) - source.flow.decode(z).numpy())
    assert np.mean(differences > 1) < 0.01  # the same to rounding, which a stretching flow may enlarge
    assert panel.rows == ["−45°", "45°"] and panel.heads == ["0°", "180°"]


def test_manifold_coefficients():
    around = 2 * np.pi * np.arange(8) / 8
    weights = manifold.coefficients(around)
    np.testing.assert_allclose((weights**2).sum(axis=-1), 1)
    for i, j in np.ndindex(8, 8):
        a, b = math.tau * i / 8, math.tau * j / 8
        ca, sa, cb, sb = math.cos(a), math.sin(a), math.cos(b), math.sin(b)
        np.testing.assert_allclose(weights[i, j], [ca * cb, ca * sb, sa * cb, sa * sb], atol=1e-12)


@pytest.mark.parametrize("name", IMAGES)
def test_manifold_goes_through_its_images(name, monkeypatch, panel_of):
    source = tiny_source(monkeypatch, name)
    panel = panel_of(manifold, source, angles=4)
    assert panel.framed == [0, 1, 4, 5, 10, 11, 14, 15]
    np.testing.assert_array_equal(panel.images[panel.framed], np.concatenate([source.examples(4)] * 2))


def test_arc():
    z0, z1 = np.random.default_rng(0).standard_normal((2, 50))
    z1 *= 3
    t = np.linspace(0, 1, 6)
    points = interpolation.arc(z0, z1, t)
    np.testing.assert_allclose(points[[0, -1]], [z0, z1], rtol=1e-12)
    norms = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(norms, (1 - t) * np.linalg.norm(z0) + t * np.linalg.norm(z1))
    # Equal angles from one point to the next, which add up to the whole: a great circle.
    unit = points / norms[:, None]
    steps = np.arccos((unit[1:] * unit[:-1]).sum(axis=1))
    np.testing.assert_allclose(steps, np.arccos(unit[0] @ unit[-1]) / 5)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_arc_along_a_line(factor):
    z = np.random.default_rng(0).standard_normal(5)
    np.testing.assert_allclose(interpolation.arc(z, factor * z, np.array([0.0, 0.5, 1.0]))[1], (1 + factor) / 2 * z)


@pytest.mark.parametrize("name", IMAGES)
def test_interpolation_ends_are_the_images(name, monkeypatch, panel_of):
    source = tiny_source(monkeypatch, name)
    panel = panel_of(interpolation, source, num=5, stops=4)
    rows = panel.images.reshape(5, 4, *source.flow.event_shape)
    images = source.examples(10)
    np.testing.assert_array_equal(rows[:, 0], images[0::2])
    np.testing.assert_array_equal(rows[:, -1], images[1::2])


@pytest.mark.parametrize("name", IMAGES)
def test_temperature_rows(name, monkeypatch, panel_of):
    source = tiny_source(monkeypatch, name, seed=2)
    panel = panel_of(temperature, source, num=3)
    assert panel.rows == ["0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]
    for row, t in enumerate([0.5, 0.6, 0.7, 0.8, 0.9, 1.0]):
        drawn = source.flow.sample(3, seed=2, temperature=t).numpy().astype(int)
        assert np.mean(np.abs(drawn - panel.images[3 * row : 3 * row + 3]) > 1) < 0.01


def test_moons_grid():
    points = np.array([[0.0, -1.0], [2.0, 3.0], [1.0, 1.0]])
    lines = moons.grid_lines(points)
    assert lines.shape == (2 * moons.LINES, moons.FINE, 2)
    across, up = lines[: moons.LINES], lines[moons.LINES :]
    assert np.ptp(across[..., 1], axis=1).max() == 0 and np.ptp(up[..., 0], axis=1).max() == 0
    np.testing.assert_allclose(across[:, 0, 1], np.linspace(-1, 3, moons.LINES), rtol=1e-6)
    np.testing.assert_allclose(up[:, 0, 0], np.linspace(0, 2, moons.LINES), rtol=1e-6)


def test_moons_panels_show_both_maps(monkeypatch):
    source = tiny_source(monkeypatch, "vector_batch_norm")
    points = np.random.default_rng(5).standard_normal((30, 2)).astype(np.float32)
    source.dataset = from_arrays(points, points, points)
    monkeypatch.setattr(moons, "to_picture", lambda figure: figure)
    axes = moons.draw(source, num=20).axes
    z, x = source.flow.sample_latents(20, 0).numpy(), source.examples(20)
    expected = {0: z, 2: source.flow.decode(z), 3: x, 5: source.flow.encode(x)}
    for k, points in expected.items():
        np.testing.assert_allclose(axes[k].collections[-1].get_offsets(), points, rtol=1e-4, atol=1e-4)
    # The middle panels show the grids of the left ones, mapped.
    for left, middle, function in ((0, 1, source.flow.decode), (3, 4, source.flow.encode)):
        straight, bent = axes[left].lines[7].get_xydata(), axes[middle].lines[7].get_xydata()
        np.testing.assert_allclose(function(straight.astype(np.float32)), bent, rtol=1e-3, atol=1e-3)
