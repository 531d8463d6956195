"""Figures 4.5 to 4.7, which need no run: what they show is what they say."""

import numpy as np
import pytest

from nvp_tf.figures import emission, helmholtz, registry, reparametrization


def test_emission_is_a_density():
    x, y, log_p, curve, samples = emission.values()
    assert np.exp(log_p).sum() * (x[1] - x[0]) * (y[1] - y[0]) == pytest.approx(1, abs=2e-3)
    np.testing.assert_allclose(np.hypot(*curve.T), 1)
    # Of draws: about the circle by the noise's scale, both sides alike.
    radius = np.hypot(*samples.T)
    assert radius.std() == pytest.approx(0.12, abs=0.01) and abs(samples[:, 0].mean()) < 0.1


def test_helmholtz_is_the_worked_example():
    (z, prior, posterior, q), (log_p, elbo), (bounds, errors) = helmholtz.values()
    assert (log_p, elbo) == pytest.approx((-1.82801, -1.93458), abs=5e-6)
    for density, mean, variance in ((prior, 0, 1), (posterior, 0.75, 0.5), (q, 0.45, 0.64)):
        np.testing.assert_allclose(density, np.exp(-0.5 * (z - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance))
    assert abs(bounds[0] - elbo) < 4 * errors[0] and abs(bounds[-1] - log_p) < 4 * errors[-1]


def test_both_gradients():
    for name, deviation in {"score_function": 2.93, "reparametrized": 1.60}.items():
        found = reparametrization.values()[name]
        assert abs(found.mean() - 0.6) < 4 * found.std() / len(found) ** 0.5
        assert found.std() == pytest.approx(deviation, abs=0.05)


@pytest.mark.parametrize("name", ["emission", "helmholtz", "reparametrization"])
def test_they_need_no_run(name):
    assert not registry.get(name).needs_run and registry.get("generator").needs_run
    assert registry.get(name).thesis.startswith("4.")
    assert min(registry.draw(name, None, {}).size) > 300
