"""The ELBO and the importance-weighted bounds against closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from known_vaes import LOG_P, X, conjugate, digits, draws_of, ppca
from scipy.stats import multivariate_normal

from nvp_tf.densities.bounds import bound
from nvp_tf.densities.conversion import importance_weighted
from nvp_tf.densities.vae import divergence, log_posterior

ELBO = -1.93458
KNOWN = {1: (-1.9348, 3e-4), 5: (-1.8440, 2e-4), 50: (-1.8292, 2e-4), 500: (-1.8283, 2e-4)}


def gauss_hermite(function, points=20):
    """E[function(eps)] of one standard normal dimension; exact for polynomials."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    values = function(tf.constant(nodes[:, None])).numpy()
    return weights @ values / weights.sum()


def test_elbo_of_the_conjugate_gaussian():
    vae = conjugate()
    x = tf.fill([20, 1], tf.constant(X, tf.float64))
    assert pytest.approx(-1.82801, abs=5e-6) == LOG_P
    for term in (vae.integrand, vae.elbo):
        assert gauss_hermite(lambda noise, term=term: term(x, noise)) == pytest.approx(ELBO, abs=5e-6)
    # log p = ELBO + KL(q || posterior), the posterior being N(0.75, 1/2).
    scale = 0.8 / 0.5**0.5
    gap = 0.5 * ((0.45 - 0.75) ** 2 / 0.5 + scale**2 - 1) - np.log(scale)
    assert LOG_P - gap == pytest.approx(ELBO, abs=5e-6)


@pytest.mark.parametrize("samples", KNOWN)
def test_bounds_of_the_conjugate_gaussian(samples):
    vae, n = conjugate(), 4000 if samples > 5 else 200_000
    found = bound(draws_of(vae, tf.fill([n, 1], tf.constant(X, tf.float64)), 3), n, samples, block=100)
    values, (expected, its_error) = found.importance_weighted.numpy(), KNOWN[samples]
    error = values.std() / n**0.5
    assert abs(values.mean() - expected) < 4 * (error**2 + its_error**2) ** 0.5
    assert values.mean() < LOG_P + 4 * error
    # L_1 is the ELBO, and so is the mean of log w at any K.
    assert abs(found.elbo.numpy().mean() - ELBO) < 4 * found.elbo.numpy().std() / n**0.5
    if samples >= 50:  # what one draw of the bound says of its own scatter
        assert np.sqrt(np.mean(found.error.numpy() ** 2)) == pytest.approx(values.std(), rel=0.1)


def test_elbo_is_ppca_for_each_image():
    """A real data set. With the posterior as encoder every draw of w is p(x) itself."""
    x = digits()
    vae, covariance, mean = ppca(x, 8)
    exact = multivariate_normal(mean, covariance).logpdf(x)
    assert exact.mean() == pytest.approx(4.352302992, abs=1e-9)
    noise = tf.random.stateless_normal([3, len(x), 8], [1, 2], dtype=tf.float64)
    np.testing.assert_allclose(vae.integrands(x, noise), np.tile(exact, (3, 1)), atol=1e-11)
    # The ELBO's closed form of the divergence: points +-sqrt(d) e_i are exact for what is quadratic in the noise.
    points = np.sqrt(8) * np.concatenate([np.eye(8), -np.eye(8)])
    elbo = np.mean([vae.elbo(x, tf.constant(np.tile(p, (len(x), 1)))) for p in points], axis=0)
    np.testing.assert_allclose(elbo, exact, atol=1e-11)


def test_sampled_bounds_lie_below_and_close_in():
    """The same with an encoder that is off: L_1 falls short by KL(q || posterior), L_K by ever less."""
    x = digits()[:600]
    vae, covariance, mean = ppca(digits(), 8, shift=0.2, widen=1.3)
    exact = multivariate_normal(mean, covariance).logpdf(x)
    gaps, errors = [], []
    for samples in (1, 5, 50, 500):
        value = bound(draws_of(vae, x, samples), len(x), samples, block=10).importance_weighted.numpy()
        gaps.append((value - exact).mean())
        errors.append((value - exact).std() / len(x) ** 0.5)
        assert gaps[-1] < 4 * errors[-1]
    divergence_of_q = 8 * (0.5 * (1.3**2 + 0.2**2 - 1) - np.log(1.3))
    assert abs(gaps[0] + divergence_of_q) < 4 * errors[0]
    assert gaps == sorted(gaps) and abs(gaps[-1]) < 4 * errors[-1]


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_streamed_is_unblocked(block):
    """Against the bound of all weights at once, far from 0, with impossible draws and an impossible example."""
    log_w = np.random.default_rng(0).normal(-3000, 4, (64, 5))
    log_w[::3, 1] = log_w[:, 2] = -np.inf
    log_w[0, 0] += 50
    found = bound(lambda first, end: tf.constant(log_w)[first:end], 5, 64, block)
    value, error = importance_weighted(tf.constant(log_w))
    np.testing.assert_allclose(found.importance_weighted, value, rtol=1e-12)
    np.testing.assert_allclose(found.error, error, rtol=1e-9)
    finite = [0, 3, 4]
    found, log_w = [of_all.numpy()[finite] for of_all in found], log_w[:, finite]
    w = np.exp(log_w - log_w.max(axis=0))
    np.testing.assert_allclose(found[2], log_w.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found[3], log_w.std(axis=0, ddof=1) / 8, rtol=1e-9)
    np.testing.assert_allclose(found[4], w.sum(axis=0) ** 2 / np.square(w).sum(axis=0), rtol=1e-9)


def test_one_draw_has_no_error():
    found = bound(lambda first, end: tf.zeros([1, 3], tf.float64), 3, 1, 10)
    assert np.isnan(found.error).all() and np.isnan(found.elbo_error).all()
    assert (found.importance_weighted.numpy() == 0).all()


def test_closed_forms():
    rng = np.random.default_rng(1)
    mean, log_scale, noise = rng.normal(size=(3, 6, 4))
    q = [multivariate_normal(m, np.diag(np.exp(2 * s))) for m, s in zip(mean, log_scale, strict=True)]
    z = mean + np.exp(log_scale) * noise
    np.testing.assert_allclose(log_posterior(noise, log_scale), [d.logpdf(v) for d, v in zip(q, z, strict=True)])
    grid = np.linspace(-60, 60, 200_001)
    for m, s, expected in zip(mean[:, :1], log_scale[:, :1], divergence(mean[:, :1], log_scale[:, :1]), strict=True):
        log_q = -0.5 * np.square((grid - m) / np.exp(s)) - s - 0.5 * np.log(2 * np.pi)
        log_p = -0.5 * np.square(grid) - 0.5 * np.log(2 * np.pi)
        assert np.trapezoid(np.exp(log_q) * (log_q - log_p), grid) == pytest.approx(float(expected), abs=1e-9)
