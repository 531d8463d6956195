"""Observation 1: the VAE as two coupling layers, its values and its training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from known_vaes import LOG_P, X, conjugate

from nvp_tf.densities import vae_networks
from nvp_tf.densities.likelihoods import DiscretizedLogistic, Gaussian
from nvp_tf.densities.vae import VAE
from nvp_tf.densities.vae_couplings import joint_flow
from nvp_tf.errors import UserError

ENTROPY = 0.5 * np.log(2 * np.pi * np.e)  # of one dimension of the noise
SHAPES = {"vectors": (5,), "images": (4, 3, 2)}


def random_vae(shape, latents=3, seed=0) -> VAE:
    """With weights that no initializer gives."""
    networks = vae_networks.dense if len(shape) == 1 else vae_networks.convolutional
    sizes = (2, 16) if len(shape) == 1 else (4, 16)
    vae = VAE(*networks(shape, latents, *sizes, "float64"), Gaussian(), shape, latents, dtype="float64")
    rng = np.random.default_rng(seed)
    vae.set_weights([rng.normal(0, 0.3, w.shape) for w in vae.get_weights()])
    return vae


def data(vae, n, seed):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(size=(n, *vae.event_shape))), tf.constant(rng.normal(size=(n, vae.latents)))


def joint(x, noise):
    return tf.concat([tf.reshape(x, [len(x), -1]), noise], axis=1)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_identity(shape):
    vae = random_vae(shape)
    flow, (x, noise) = joint_flow(vae), data(vae, 50, 1)
    log_noise = -0.5 * tf.reduce_sum(noise**2 + np.log(2 * np.pi), axis=1)
    np.testing.assert_allclose(flow.log_prob(joint(x, noise)), vae.integrand(x, noise) + log_noise, atol=1e-9)
    # It is a bijection like any other: its inverse, and its log-determinant by automatic differentiation.
    np.testing.assert_allclose(flow.decode(flow.encode(joint(x, noise))), joint(x, noise), atol=1e-9)
    point = tf.Variable(joint(x, noise)[:1])
    with tf.GradientTape() as tape:
        z, log_det = flow.bijector.forward(tf.convert_to_tensor(point))
    jacobian = tape.jacobian(z, point)[0, :, 0]
    assert np.linalg.slogdet(jacobian)[1] == pytest.approx(float(log_det[0]), abs=1e-9)


def test_mean_is_the_elbo_less_the_noises_entropy():
    vae = conjugate()
    flow = joint_flow(vae)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    values = flow.log_prob(tf.constant(np.stack([np.full(20, X), nodes], axis=1))).numpy()
    assert weights @ values / weights.sum() == pytest.approx(-1.93458 - ENTROPY, abs=5e-6)
    # The observation: the joint's likelihood falls short of the marginal's by the divergence and the entropy.
    assert weights @ values / weights.sum() < LOG_P - ENTROPY


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_trains_to_the_same_weights(shape):
    """100 steps of SGD on the ELBO's integrand and on the joint log-likelihood, the same noise for both."""
    one, other = random_vae(shape), random_vae(shape)
    flow = joint_flow(other)
    x, _ = data(one, 16, 2)

    def trained(variables, log_likelihood):
        optimizer = keras.optimizers.SGD(1e-3)
        optimizer.build(variables)

        @tf.function(autograph=False)
        def step(number):
            noise = tf.random.stateless_normal([16, one.latents], tf.stack([7, number]), dtype=tf.float64)
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(log_likelihood(x, noise))
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]))
            return loss

        return [float(step(tf.constant(i))) for i in range(100)]

    losses = trained(one.trainable_variables, one.integrand)
    trained(other.trainable_variables, lambda x, noise: flow.log_prob(joint(x, noise)))
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.1  # they did move
    assert len(flow.trainable_variables) == len(one.trainable_variables)


def test_a_decoder_of_integers_is_no_coupling():
    nets = vae_networks.dense((2, 2, 1), 2, 1, 4, "float32")
    with pytest.raises(UserError, match="DiscretizedLogistic, expected Gaussian"):
        joint_flow(VAE(*nets, DiscretizedLogistic(4), (2, 2, 1), 2))
