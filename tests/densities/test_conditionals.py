"""Discretized logistics, alone and in mixtures: they sum to 1 at every scale, with gradients that are numbers."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import logistic

from nvp_tf.densities.conditionals import GaussianMixture, LogisticMixture, discretized_logistic

# Scales e^-7 .. e^3 of range 2, locations far outside it too.
LOCATION, LOG_SCALE = (
    a.ravel() for a in np.meshgrid([-40.0, -1.2, -1.0, 0.0, 0.37, 1.0, 40.0], np.linspace(-7, 3, 11))
)


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_sums_to_one_with_finite_gradients(levels, dtype, tolerance):
    location, log_scale = (tf.constant(v[:, None], dtype) for v in (LOCATION, LOG_SCALE))
    k = tf.range(levels, dtype=dtype)[None]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([location, log_scale])
        log_prob = discretized_logistic(location, log_scale, levels).log_prob(k)
        total = tf.reduce_sum(log_prob)
    assert np.isfinite(log_prob).all()
    np.testing.assert_allclose(np.exp(log_prob).sum(axis=1), 1, atol=tolerance)
    for value in (location, log_scale):
        assert np.isfinite(tape.gradient(total, value)).all()


def test_is_a_difference_of_sigmoids():
    half = 8.0
    edges = np.concatenate([[-np.inf], np.arange(16) + 0.5, [np.inf]])
    made = discretized_logistic(tf.constant(0.2, tf.float64), tf.constant(-1.5, tf.float64), 17)
    expected = np.diff(logistic.cdf(edges, 1.2 * half, np.exp(-1.5) * half))
    np.testing.assert_allclose(np.exp(made.log_prob(np.arange(17.0))), expected, rtol=1e-10)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_mixture_sums_to_one_over_all_colours(channels):
    mixture = LogisticMixture(5, components=3, channels=channels)
    outputs = 2 * np.random.default_rng(0).standard_normal((1, mixture.outputs))
    colours = np.array(list(itertools.product(range(5), repeat=channels)), float)
    log_prob = mixture.log_prob(tf.constant(colours), tf.constant(np.repeat(outputs, len(colours), axis=0)))
    assert np.exp(log_prob).sum() == pytest.approx(1, abs=1e-12)


def test_colours_hang_together_in_order():
    """The first channel's probability is that of a mixture of its own; the second's location moves with it."""
    mixture = LogisticMixture(5, components=2, channels=2)
    outputs = np.random.default_rng(1).standard_normal(mixture.outputs)
    colours = np.array(list(itertools.product(range(5), repeat=2)), float)
    joint = np.exp(mixture.log_prob(tf.constant(colours), tf.constant(np.tile(outputs, (25, 1))))).reshape(5, 5)
    alone = LogisticMixture(5, components=2)
    first = np.concatenate([outputs[:2], outputs[2:6:2], outputs[6:10:2]])  # shares, locations, scales
    expected = np.exp(alone.log_prob(tf.range(5.0, dtype=tf.float64)[:, None], tf.constant(np.tile(first, (5, 1)))))
    np.testing.assert_allclose(joint.sum(axis=1), expected, rtol=1e-10)
    conditional = joint / joint.sum(axis=1, keepdims=True)
    assert np.abs(conditional[0] - conditional[4]).max() > 0.02


def test_no_value_between_two_components_is_impossible():
    """In float32 the CDF of the mixture is flat there, that of each component is not."""
    mixture = LogisticMixture(256, components=2)
    outputs = tf.constant([0, 0, -1, 1, -5, -5], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        log_prob = mixture.log_prob(tf.constant([128.0]), outputs)
    assert -200 < float(log_prob) < -100
    assert np.isfinite(tape.gradient(log_prob, outputs)).all()


MIXTURES = {"logistics": LogisticMixture(6, 3, 2), "gaussians": GaussianMixture(3)}


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
def test_draws_follow_the_probabilities(mixture):
    n, rng = 20000, np.random.default_rng(2)
    outputs = tf.constant(np.tile(rng.standard_normal(mixture.outputs), (n, 1)))
    noise = mixture.noise([n], tf.constant([1, 2], tf.int64), "float64")
    drawn = mixture.draw(outputs, noise).numpy()
    np.testing.assert_array_equal(drawn, mixture.draw(outputs, noise))
    if mixture is MIXTURES["logistics"]:
        colours = np.array(list(itertools.product(range(6), repeat=2)), float)
        expected = np.exp(mixture.log_prob(tf.constant(colours), outputs[:36]))
        seen = np.bincount((6 * drawn[:, 0] + drawn[:, 1]).astype(int), minlength=36) / n
        assert (np.abs(seen - expected) < 5 * np.sqrt(expected / n) + 1e-3).all()
    else:
        at = np.linspace(-12, 12, 4001)[:, None]
        density = np.exp(mixture.log_prob(tf.constant(at), outputs[: len(at)]))
        assert density.sum() * 0.006 == pytest.approx(1, abs=1e-6)
        for power in (1, 2):
            expected, seen = (density * at[:, 0] ** power).sum() * 0.006, drawn[:, 0] ** power
            assert abs(seen.mean() - expected) < 5 * seen.std() / n**0.5


def test_initial_outputs_cover_the_range():
    for mixture in MIXTURES.values():
        assert mixture.initial().shape == (mixture.outputs,)
    x = tf.range(256, dtype=tf.float64)[:, None]
    mixture = LogisticMixture(256, 5)
    log_prob = mixture.log_prob(x, tf.constant(np.tile(mixture.initial(), (256, 1))))
    assert -float(tf.reduce_mean(log_prob)) / np.log(2) == pytest.approx(8, abs=0.35)  # a uniform guess has 8 bits
