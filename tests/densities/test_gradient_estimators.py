"""Score-function and reparametrized gradients of the ELBO."""

import numpy as np
import pytest
import tensorflow as tf
from known_vaes import X, conjugate, digits, ppca

from nvp_tf.densities.gradient_estimators import ESTIMATORS, measure


def of_the_bias(estimator, draws=200_000):
    """Mean, deviation and error of d ELBO / d mu and d ELBO / d log sigma at reference's numbers."""
    vae = conjugate()
    found = measure(vae, estimator, tf.constant([[X]], tf.float64), draws, seed=1, block=20_000)
    return found.mean[2:], found.deviation[2:], found.error[2:]  # after the kernel, X times the same


DEVIATIONS = {"score_function": 2.93, "reparametrized": 1.60}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_of_the_conjugate_gaussian(estimator):
    mean, deviation, error = of_the_bias(estimator)
    # ELBO = E[-(x - z)^2 / 2] - (mu^2 + s^2 - 1) / 2 + log s: by mu, x - 2 mu; by log s, 1 - 2 s^2.
    assert np.all(np.abs(mean - [X - 2 * 0.45, 1 - 2 * 0.8**2]) < 4 * error)
    assert deviation[0] == pytest.approx(DEVIATIONS[estimator], abs=0.02)


def test_they_agree():
    """On real data, for every weight of the encoder."""
    columns = digits()[:, 20:26]
    x = columns[:4]
    vae, _, _ = ppca(columns, 2, shift=0.5, widen=1.2)
    one, other = (measure(vae, name, tf.constant(x), 40_000, seed=2, block=4000) for name in ESTIMATORS)
    errors = np.hypot(one.error, other.error)
    assert np.all(np.abs(one.mean - other.mean) <= 4.5 * errors)  # the largest of 28
    assert np.any(np.abs(one.mean) > 10 * one.error)
    assert np.mean(other.deviation > one.deviation) > 0.9


def test_the_decoders_gradient_is_the_same():
    vae = conjugate()
    x, noise = tf.constant([[X]] * 5, tf.float64), tf.random.stateless_normal([5, 1], [0, 1], dtype=tf.float64)
    weights = [w.value for w in vae.decoder.trainable_variables]
    found = []
    for objective in ESTIMATORS.values():
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(objective(vae, x, noise))
        found.append(tape.gradient(value, weights))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
