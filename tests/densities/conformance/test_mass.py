"""Probabilities of all 256 images of the toy sum to 1 where they are exact, and to no more where they are bounds."""

import numpy as np
import pytest
from density_cases import ALL_IMAGES, IMAGES

EXACT = [name for name, case in IMAGES.items() if case.shared.kind == "exact"]
BOUNDS = [name for name, case in IMAGES.items() if case.shared.kind == "bound"]
SEEDS, DRAWS = 16, 16


@pytest.mark.parametrize("name", EXACT)
def test_exact_ones_sum_to_one(name):
    scores = IMAGES[name].shared.log_mass(ALL_IMAGES)
    assert scores.kind == "exact" and not scores.error.any()
    assert np.exp(scores.value).sum() == pytest.approx(1, abs=1e-10)
    assert np.exp(scores.value).std() > 1e-4, "a uniform density tests nothing"


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_sum_to_at_most_one(name):
    """exp of the bound of M draws has the mean P(x), whatever M."""
    density = IMAGES[name].shared
    totals = [np.exp(density.log_mass(ALL_IMAGES, DRAWS, seed).value).sum() for seed in range(SEEDS)]
    error = np.std(totals, ddof=1) / SEEDS**0.5
    assert np.mean(totals) <= 1 + 4 * error + 1e-9
    assert np.mean(totals) > 0.1 and error < 0.1 * np.mean(totals)  # what lies beyond the pixels' range is lost


@pytest.mark.parametrize("name", BOUNDS)
def test_more_draws_are_a_tighter_bound(name):
    """Within 4 standard errors: the mean of one draw, of many, and the logarithm of the mean of all."""
    density = IMAGES[name].shared
    x = ALL_IMAGES[::37]
    one = np.stack([density.log_mass(x, 1, seed).value for seed in range(200, 200 + 3 * SEEDS)])
    many = np.stack([density.log_mass(x, DRAWS, seed).value for seed in range(SEEDS)])
    difference = many.mean(axis=0) - one.mean(axis=0)
    error = np.hypot(many.std(axis=0) / SEEDS**0.5, one.std(axis=0) / len(one) ** 0.5)
    assert (difference > -4 * error - 1e-9).all()


@pytest.mark.parametrize("name", BOUNDS)
def test_error_of_the_draws(name):
    """What a score says of its own error is what other draws show."""
    density, x = IMAGES[name].shared, np.array([1, 2, 2, 1], np.uint8).reshape(1, 2, 2, 1)
    scores = [density.log_mass(x, 64, seed) for seed in range(SEEDS)]
    scatter, said = np.std([s.value[0] for s in scores]), np.median([s.error[0] for s in scores])
    assert 0.4 * scatter - 1e-9 <= said <= 2.5 * scatter + 1e-9
    assert np.isnan(density.log_mass(x, 1).error).all()
