"""Budgets and what trains under them: honoured, the best weights kept, the same each time."""

import numpy as np
import pytest
import tensorflow as tf

from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.split import ArraySplit
from nvp_tf.densities.autoregressive import MadeDensity, MadeSettings
from nvp_tf.densities.budget import Budget
from nvp_tf.densities.contract import Domain, examples

SETTINGS = MadeSettings(layers=1, units=8, components=2, batch_size=20, learning_rate=0.02)


@pytest.fixture(scope="module")
def data():
    return from_arrays(np.random.default_rng(0).normal(3, 2, (300, 2)).astype(np.float32))


def test_budget_by_a_clock():
    now = [100.0]
    budget = Budget(seconds=10, clock=lambda: now[0])
    assert (budget.used, budget.left, budget.spent(10**6), budget.fraction(5)) == (0, 10, False, 0)
    now[0] = 104.0
    assert (budget.used, budget.left, budget.fraction(5)) == (4, 6, 0.4)
    now[0] = 111.0
    assert budget.spent(0) and budget.fraction(0) == 1


def test_budget_by_steps():
    budget = Budget(steps=8)
    assert budget.left == float("inf") and budget.fraction(2) == 0.25
    assert not budget.spent(7) and budget.spent(8)
    both = Budget(seconds=1e9, steps=8)
    assert both.fraction(2) == 0.25 and both.spent(8)
    with pytest.raises(ValueError, match="neither seconds nor steps"):
        Budget()


def test_same_seed_same_scores(data):
    def trained(seed):
        density = MadeDensity(Domain.of(data), SETTINGS, seed)
        fit = density.fit(data.train, data.valid, Budget(steps=60), seed)
        return density, fit

    (one, fit), (again, fit_again), (other, _) = trained(1), trained(1), trained(2)
    x = examples(data.test, 30)
    np.testing.assert_array_equal(one.log_prob(x).value, again.log_prob(x).value)
    assert (one.log_prob(x).value != other.log_prob(x).value).all()
    assert [row["valid"] for row in fit.rows] == [row["valid"] for row in fit_again.rows]
    assert fit.steps == 60 and fit.ended == "budget" and fit.rows[-1]["steps"] == 60
    assert fit.best == max(row["valid"] for row in fit.rows) > fit.rows[0]["valid"] + 0.1
    # In the vectors' own scale: the entropy of N(3, 2^2) twice is 4.22 nats.
    assert one.log_prob(examples(data.valid, 1000)).value.mean() == pytest.approx(fit.best, abs=1e-5)
    assert -4.9 < fit.best < -3.9


def test_divergence_is_an_end(data):
    density = MadeDensity(Domain.of(data), MadeSettings(layers=1, units=8, batch_size=20, learning_rate=1e30))
    fit = density.fit(data.train, data.valid, Budget(steps=200))
    assert "loss" in fit.ended and fit.steps < 200
    assert np.isfinite(density.log_prob(examples(data.test, 5)).value).all() == (fit.best is not None)


def test_a_budget_that_is_spent_already(data):
    now = iter(range(0, 10**6, 50))
    density = MadeDensity(Domain.of(data), SETTINGS)
    fit = density.fit(data.train, data.valid, Budget(seconds=1, clock=lambda: next(now)))
    assert (fit.steps, fit.best, fit.rows) == (0, None, [])


def test_one_example(data):
    split = ArraySplit(np.full((1, 2, 2, 1), 3, np.uint8))
    density = MadeDensity(Domain((2, 2, 1), 256), SETTINGS)
    density.fit(split, split, Budget(steps=30))
    assert np.isfinite(density.log_mass(np.full((1, 2, 2, 1), 3, np.uint8)).value).all()


def test_domain_of_vectors(data):
    """Standardized by the training split; a constant column stays as it is."""
    x = np.column_stack([np.random.default_rng(1).normal(5, 3, 200), np.full(200, 7.0)]).astype(np.float32)
    domain = Domain.of(from_arrays(x, x[:9], x[:9]))
    assert domain.scale[1] == 1 and domain.shift[1] == 7
    assert domain.scale[0] == pytest.approx(3, rel=0.2) and domain.log_scale == pytest.approx(np.log(domain.scale[0]))
    density = MadeDensity(domain, SETTINGS)
    seen = density._standardized(tf.constant(x))
    np.testing.assert_allclose(np.std(seen, axis=0), [1, 0], atol=1e-4)


def test_examples_are_spread():
    split = ArraySplit(np.arange(100, dtype=np.float32)[:, None])
    np.testing.assert_array_equal(examples(split, 5)[:, 0], [0, 25, 50, 74, 99])
    assert len(examples(split, 1000)) == 100
