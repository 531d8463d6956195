"""Samples follow the density, and the same seed draws the same."""

import numpy as np
import pytest
from density_cases import ALL, ALL_IMAGES, IMAGES, VECTORS

MANY = 2000
EXACT = [name for name, case in VECTORS.items() if case.shared.kind == "exact"]
WITH_MASS = [name for name, case in IMAGES.items() if case.shared.kind != "estimate"]


@pytest.mark.parametrize("name", ALL)
def test_seeds(name):
    density = ALL[name].shared
    drawn = density.sample(9, seed=3)
    assert drawn.dtype == density.domain.dtype and drawn.shape == (9, *density.domain.shape)
    np.testing.assert_array_equal(drawn, density.sample(9, seed=3))
    assert (drawn != density.sample(9, seed=4)).any()
    assert density.sample(0).shape == (0, *density.domain.shape)


@pytest.mark.parametrize("name", WITH_MASS)
def test_images_follow_their_mass(name):
    """Each pair of neighbouring pixels has each pair of levels as often as the masses say.

    Of a bound the masses are those of many draws; a value beyond the cells falls into the outermost ones.
    """
    density = IMAGES[name].shared
    mass = np.exp(density.log_mass(ALL_IMAGES, draws=200).value)
    drawn = density.sample(MANY, seed=1)
    for a, b in ((0, 1), (2, 3), (0, 2)):
        expected, seen = (
            np.bincount(4 * x[:, a].astype(int) + x[:, b], weights, 16)
            for x, weights in ((ALL_IMAGES.reshape(-1, 4), mass), (drawn.reshape(-1, 4), np.full(MANY, 1 / MANY)))
        )
        error = np.sqrt(expected / MANY) + 1 / MANY
        assert (seen > expected - 5 * error - 0.01).all()
        if density.kind == "exact":
            assert (seen < expected + 5 * error).all()


@pytest.mark.parametrize("name", EXACT)
def test_vectors_follow_their_density(name):
    """A density is as likely on its own samples as on the average over itself: entropies by samples and by weights.

    E_p[g] for g = a logistic of each coordinate, by samples and by importance weights from a wide normal.
    """
    density = VECTORS[name].shared
    domain, rng = density.domain, np.random.default_rng(0)
    wide = 3 * rng.standard_t(4, (8 * MANY, domain.dimensions))
    log_wide = _student(wide / 3).sum(axis=1) - domain.dimensions * np.log(3)
    weights = np.exp(density.log_prob(wide * domain.scale + domain.shift).value + domain.log_scale - log_wide)
    drawn = (density.sample(MANY, seed=2) - domain.shift) / domain.scale
    for g in (lambda x: np.tanh(x), lambda x: np.tanh(x) ** 2):
        by_weights, by_samples = weights[:, None] * g(wide), g(drawn)
        error = np.hypot(by_weights.std(axis=0) / len(wide) ** 0.5, by_samples.std(axis=0) / MANY**0.5)
        assert (np.abs(by_weights.mean(axis=0) - by_samples.mean(axis=0)) < 4.5 * error).all()


def _student(t):
    """Log-density of Student's t with 4 degrees of freedom."""
    return np.log(3 / 8) - 2.5 * np.log1p(t**2 / 4)
