"""EM for mixtures of Gaussians: against scikit-learn, scipy and closed forms; degenerate data."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal, norm
from sklearn.decomposition import FactorAnalysis
from sklearn.mixture import GaussianMixture

from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.split import ArraySplit
from nvp_tf.densities.budget import Budget
from nvp_tf.densities.contract import Domain
from nvp_tf.densities.factor_analysers import FactorMixture, FactorSettings
from nvp_tf.densities.factor_em import FactorEM
from nvp_tf.densities.mixture import DiagonalMixture, DiagonalSettings, FullMixture, FullSettings, Sklearn

FAMILIES = {
    "diagonal": (DiagonalMixture, DiagonalSettings),
    "full": (FullMixture, FullSettings),
    "factors": (FactorMixture, FactorSettings),
}


def blobs(n=300, dimensions=3, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(0, 1, (3, dimensions, dimensions))
    centres = 3 * rng.normal(0, 1, (3, dimensions))
    return np.concatenate(
        [centre + rng.normal(0, 1, (n // 3, dimensions)) @ m for centre, m in zip(centres, mixing, strict=True)]
    )


def algorithm(kind, x, components, ridge=0.0):
    if kind == "factors":
        return FactorEM(x, components, 2, ridge, seed=0)
    settings = FAMILIES[kind][1](components, ridge)
    return Sklearn(x, {"diagonal": "diag", "full": "full"}[kind], settings, seed=0)


def fitted(kind, x, iterations, **settings):
    """A density of vectors with the weights after some iterations on x as it is."""
    family, made = FAMILIES[kind]
    settings |= {"factors": 2} if kind == "factors" else {}
    density = family(Domain((x.shape[1],)), made(**settings))
    em = algorithm(kind, x, density.settings.components, density.settings.ridge)
    em.iterate(iterations)
    density.model.set_weights(em.weights())
    return density


def assign(density, weights):
    density.model.set_weights([np.array(weight) for weight in weights])


@pytest.mark.parametrize("kind", FAMILIES)
def test_likelihood_never_falls(kind):
    x = blobs()
    likelihoods = np.array(algorithm(kind, x, 3).iterate(60))
    assert (np.diff(likelihoods) > -1e-10).all()
    assert likelihoods[-1] > likelihoods[0] + 1e-3


@pytest.mark.parametrize("kind", FAMILIES)
def test_likelihood_of_em_is_that_of_the_density(kind):
    """The weights that EM hands over are those of which it says the likelihood at its next iteration."""
    x = blobs()
    density = fitted(kind, x, 5, components=3, ridge=0.0)
    em = algorithm(kind, x, 3)
    assert density.log_prob(x).value.mean() == pytest.approx(em.iterate(6)[5], abs=1e-9)


@pytest.mark.parametrize("kind", FAMILIES)
def test_responsibilities_sum_to_one(kind):
    x = blobs()
    shares = fitted(kind, x, 5, components=4, ridge=1e-9).responsibilities(tf.constant(x)).numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    assert (shares.max(axis=0) > 0.3).all()


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_one_component_is_the_sample(kind):
    x = blobs()
    log_share, mean, spread = fitted(kind, x, 2, components=1, ridge=0.0).model.get_weights()
    np.testing.assert_allclose(log_share, [0], atol=1e-12)
    np.testing.assert_allclose(mean[0], x.mean(axis=0), atol=1e-10)
    covariance = np.cov(x.T, bias=True)
    if kind == "diagonal":
        np.testing.assert_allclose(spread[0] ** 2, np.diag(covariance), rtol=1e-10)
    else:
        np.testing.assert_allclose(spread[0] @ spread[0].T, covariance, atol=1e-9)


def test_scores_are_scikit_learns():
    x = blobs()
    density = fitted("full", x, 8, components=3, ridge=0.0)
    log_share, mean, factor = density.model.get_weights()
    expected = np.stack([multivariate_normal(m, f @ f.T).pdf(x) for m, f in zip(mean, factor, strict=True)], axis=1)
    np.testing.assert_allclose(density.log_prob(x).value, np.log(expected @ np.exp(log_share)), atol=1e-9)


def test_one_factor_analyser_is_scikit_learns():
    """To 1e-4 nats an example, where both have converged."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (400, 2)) @ rng.normal(0, 2, (2, 6)) + rng.normal(0, 1, (400, 6)) * rng.uniform(0.3, 2, 6) + 5
    density = fitted("factors", x, 3000, components=1, ridge=0.0)
    sklearn = FactorAnalysis(2, tol=1e-12, max_iter=20000, svd_method="lapack").fit(x)
    np.testing.assert_allclose(density.log_prob(x).value.mean(), sklearn.score(x), atol=1e-4)
    np.testing.assert_allclose(density.log_prob(x).value, sklearn.score_samples(x), atol=0.02)


def test_factors_score_as_the_covariance_they_are():
    x = blobs(dimensions=5)
    density = fitted("factors", x, 4, components=3)
    log_share, mean, loadings, noise = density.model.get_weights()
    parts = zip(mean, loadings, noise, strict=True)
    expected = np.stack([multivariate_normal(m, w @ w.T + np.diag(p)).pdf(x) for m, w, p in parts], axis=1)
    np.testing.assert_allclose(density.log_prob(x).value, np.log(expected @ np.exp(log_share)), atol=1e-8)
    assert density.parameters == 3 * (1 + 5 + 5 + 5 * 2 - 1) - 1


def test_cells_by_hand():
    """A pixel's mass is a difference of CDFs; the outermost cells have the tails."""
    density = DiagonalMixture(Domain((1, 1, 1), 4), DiagonalSettings(2))
    assign(density, [np.log([0.3, 0.7]), [[0.1], [0.8]], [[0.2], [0.5]]])
    edges = np.array([-np.inf, 0.25, 0.5, 0.75, np.inf])
    expected = 0.3 * np.diff(norm.cdf(edges, 0.1, 0.2)) + 0.7 * np.diff(norm.cdf(edges, 0.8, 0.5))
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    np.testing.assert_allclose(np.exp(density.log_mass(images).value), expected, rtol=1e-10)


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_thousand_deviations_away(kind):
    x = blobs()
    density = fitted(kind, x, 5, components=3)
    far = x.mean(axis=0) + 1000 * x.std(axis=0)
    [value] = density.log_prob(far[None]).value
    assert np.isfinite(value) and value < -1e4


def test_a_thousand_deviations_away_as_pixels():
    density = DiagonalMixture(Domain((1, 1, 1), 256), DiagonalSettings(2))
    assign(density, [np.log([0.5, 0.5]), [[0.0], [0.01]], [[2e-4], [3e-4]]])
    [value] = density.log_mass(np.full((1, 1, 1, 1), 128, np.uint8)).value
    assert np.isfinite(value) and value < -1e5


@pytest.mark.parametrize("kind", FAMILIES)
def test_duplicates_and_constant_columns(kind):
    """The ridge is in the notes, and the scores are numbers."""
    x = np.repeat(blobs(30).astype(np.float32), 4, axis=0)
    x[:, 1] = 2.5
    data = from_arrays(x, x[:20], x[:20])
    family, settings = FAMILIES[kind]
    density = family(Domain.of(data), settings(components=5))
    fit = density.fit(data.train, data.valid, Budget(steps=20))
    assert any("ridge 1e-06" in note for note in fit.notes)
    assert "1 constant columns, whose density is the ridge's" in fit.notes
    assert np.isfinite(density.log_prob(x).value).all() and np.isfinite(density.sample(20)).all()


def test_fewer_examples_than_components():
    split = ArraySplit(blobs(6).astype(np.float32))
    density = DiagonalMixture(Domain((3,)), DiagonalSettings(50))
    density.fit(split, split, Budget(steps=3))
    assert np.isfinite(density.log_prob(blobs(6)).value).all()
    assert np.exp(density.model.log_share.numpy()).sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="1 training example, expected at least 2"):
        density.fit(ArraySplit(np.zeros((1, 3), np.float32)), split, Budget(steps=3))


def test_held_out_data_chooses():
    """EM goes on to overfit; what is kept is what scored best."""
    rng = np.random.default_rng(0)
    train, valid = (ArraySplit(rng.normal(0, 1, (40, 4)).astype(np.float32)) for _ in range(2))
    density = FullMixture(Domain((4,)), FullSettings(6))
    fit = density.fit(train, valid, Budget(steps=50))
    values = [row["valid"] for row in fit.rows]
    assert fit.best == max(values) > values[-1]
    held_out = np.asarray(valid.read(tf.range(40), None))
    assert density.log_prob(held_out).value.mean() == pytest.approx(fit.best)
    assert isinstance(Sklearn(held_out, "full", density.settings, 0).mixture, GaussianMixture)
