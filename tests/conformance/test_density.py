"""Densities integrate to 1 and samples follow them: sums on grids, and histograms of many draws."""

import numpy as np
import pytest
import tensorflow as tf
from cases import P17, PRIORS, Case, ModelCase, randomize
from oracles import grid, histogram, log_density

from nvp_tf.config.schema import NICEConfig, PixelsConfig, VectorRealNVPConfig
from nvp_tf.layers.chain import Chain
from nvp_tf.layers.scaling import Scaling
from nvp_tf.models.flow import Flow

SAMPLES = 100_000


def one_dimension(seed):
    """No coupling can be had in one dimension."""
    chain = Chain([Scaling(dtype="float64")], dtype="float64")
    chain.build((None, 1))
    return Flow(randomize(chain, seed), PRIORS["logistic"](), dtype="float64")


REAL_NVP = ModelCase((2,), VectorRealNVPConfig(4, 2, 8))
BATCH_NORM = ModelCase((2,), VectorRealNVPConfig(3, 1, 8, batch_norm=True))
NICE = ModelCase((2,), NICEConfig(4, 2, 8), prior="logistic")
VECTORS = {
    "one_dimension": (Case(one_dimension, (1,)), 40),
    "real_nvp": (REAL_NVP, 20),
    "real_nvp_batch_norm": (BATCH_NORM, 40),
    "nice_logistic": (NICE, 40),
}
PIXELS = ModelCase((2,), VectorRealNVPConfig(4, 2, 8), P17)


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name):
    case, reach = VECTORS[name]
    flow, dimensions = case.make(seed=1), case.event_shape[0]
    points, volume = grid(-reach, reach, 800 if dimensions == 2 else 5000, dimensions)
    density = np.exp(flow.log_prob(points))
    np.testing.assert_allclose(density.sum() * volume, 1, atol=0.01)
    # Cells of 1/2 or more near the centre, each with its share of the density.
    fine, volume = grid(-4, 4, 160, dimensions)
    shares = (np.exp(flow.log_prob(fine)) * volume).reshape([16, 10] * dimensions)
    shares = shares.sum(axis=tuple(range(1, 2 * dimensions, 2))).ravel()
    assert distance(histogram(flow.sample(SAMPLES).numpy(), -4, 4, 16), shares) < 0.02


def distance(a, b):
    """Total variation over the cells. For 100,000 samples of 256 cells about 0.02 at most by chance."""
    return 0.5 * np.abs(a - b).sum()


def test_pixels_integrate_to_one():
    """Over all reals that the logit can see: alpha / (1 - 2 alpha) of the levels lie beyond each end."""
    flow = PIXELS.make(seed=1)
    # Cells that get narrower towards the ends, where the density may be steep.
    edges = 17 * (1 / (1 + np.exp(-np.linspace(-16, 16, 801))) - 0.05) / 0.9
    centres, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    points = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1).reshape(-1, 2)
    z, log_det = flow.bijector.forward(points)
    density = np.exp(log_density("normal", z) + log_det)
    np.testing.assert_allclose(density @ np.outer(widths, widths).ravel(), 1, atol=0.01)


def test_all_images_sum_to_one():
    """Where alpha leaves next to nothing outside [0, levels): the sum over images x of the mean over noise of p(x + u).

    The noise is not drawn evenly but where the logit is steep, each with its share of the cell.
    """
    alpha = 1e-6
    flow = ModelCase((2,), VectorRealNVPConfig(4, 2, 8), PixelsConfig(17, alpha=alpha)).make(seed=3)
    end = np.log((1 - alpha) / alpha)
    edges = 17 * (1 / (1 + np.exp(-np.linspace(-end, end, 801))) - alpha) / (1 - 2 * alpha)  # from 0 to 17
    centres, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    points = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1).reshape(-1, 2)
    images = np.floor(points)
    assert len(np.unique(images, axis=0)) == 17**2
    probabilities = np.exp(flow.log_prob(images.astype("uint8"), noise=points - images))
    np.testing.assert_allclose(probabilities @ np.outer(widths, widths).ravel(), 1, atol=0.01)


def test_probabilities_of_all_images():
    """P(x) is the density's integral over the cell of x: all 289 of them are what the samples show."""
    flow = PIXELS.make(seed=1)
    images = grid(0, 17, 17)[0].astype("uint8")
    noises, _ = grid(0, 1, 8)
    probabilities = np.mean([np.exp(flow.log_prob(images, noise=noise[None])) for noise in noises], axis=0)
    v, _ = flow.bijector.inverse(flow.sample_latents(SAMPLES))
    found = histogram(v.numpy(), 0, 17, 17)
    np.testing.assert_allclose(probabilities.sum(), found.sum(), atol=0.01)  # the rest lies outside the range
    assert distance(found, probabilities) < 0.025
    # `sample` gives the same integers where it need not clip.
    inside = ((images > 0) & (images < 16)).all(axis=1)
    integers = histogram(flow.sample(SAMPLES).numpy() + 0.5, 0, 17, 17)
    np.testing.assert_allclose(integers[inside], found[inside])


def test_the_bound_is_below_the_probability():
    """E[log p(x + u)] <= log P(x)."""
    flow = PIXELS.make(seed=1)
    images = grid(0, 17, 17)[0].astype("uint8")
    scores = np.stack([flow.log_prob(images, noise=noise[None]) for noise in grid(0, 1, 8)[0]])
    assert (scores.mean(axis=0) <= np.log(np.exp(scores).mean(axis=0))).all()


@pytest.mark.parametrize("name", PRIORS)
def test_priors(name):
    prior = PRIORS[name]()
    points, volume = grid(-40, 40, 8000, 1)
    density = np.exp(prior.log_prob(tf.constant(points)))
    np.testing.assert_allclose(density.sum() * volume, 1, rtol=1e-9)
    np.testing.assert_allclose(density, np.exp(log_density(name, points)), atol=1e-12)
    z = np.random.default_rng(0).standard_normal((3, 2, 2, 1))
    np.testing.assert_allclose(prior.log_prob(tf.constant(z)), log_density(name, z), rtol=1e-12)
    draws = prior.sample([SAMPLES, 1], [1, 2]).numpy()
    shares = (density * volume)[3600:4400].reshape(32, 25).sum(axis=1)
    assert distance(histogram(draws, -4, 4, 32), shares) < 0.01
    np.testing.assert_array_equal(prior.sample([SAMPLES, 1], [1, 2]), draws)
    np.testing.assert_allclose(prior.sample([SAMPLES, 1], [1, 2], temperature=0.5), 0.5 * draws, rtol=1e-6)
    assert not np.allclose(prior.sample([SAMPLES, 1], [1, 3]), draws)
