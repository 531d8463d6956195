"""The VAE as a density: each decoder and network against quadrature over its latents; folder, training, refusals."""

import numpy as np
import pytest
import tensorflow as tf
from known_vaes import digits, ppca
from scipy.stats import logistic, multivariate_normal, norm

from nvp_tf.data.split import ArraySplit
from nvp_tf.densities import saved
from nvp_tf.densities.budget import Budget
from nvp_tf.densities.conditionals import LEAST_LOG_SCALE
from nvp_tf.densities.contract import Domain, Unfit
from nvp_tf.densities.likelihoods import DiscretizedLogistic
from nvp_tf.densities.vae_density import VaeDensity, VaeSettings

TOY = Domain((2, 2, 1), 4)
SMALL = {"latents": 2, "layers": 1, "units": 8, "filters": 2, "draws": 20}
CASES = {f"{d}_{n}": (d, n) for d in ("logistic", "gaussian") for n in ("dense", "convolutional", "linear")}


def made(decoder, network, domain=TOY, **more) -> VaeDensity:
    """With weights that no initializer gives; the posterior is as wide as the prior, so that weights are bounded."""
    density = VaeDensity(domain, VaeSettings(decoder=decoder, network=network, **(SMALL | more)), dtype="float64")
    rng = np.random.default_rng(3)
    density.model.set_weights([rng.normal(0, 0.4, w.shape) for w in density.model.get_weights()])
    kernel, bias = density.model.encoder.layers[-1].get_weights()
    density.model.encoder.layers[-1].set_weights([0.1 * kernel, 0 * bias])
    return density


def all_images() -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(4)] * 4, indexing="ij"), -1).reshape(-1, 2, 2, 1).astype(np.uint8)


def mass_by_quadrature(density, images):
    """P(x) = sum over a Gauss-Hermite grid of latents of weight * prod of CDF differences; shares the networks only."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / weights.sum() ** 2
    outputs = density.model.decoder(tf.constant(z)).numpy().reshape(len(z), 1, 4, 2)
    mean, scale = outputs[..., 0], np.exp(outputs[..., 1])
    k = images.reshape(1, len(images), 4).astype(float)
    if density.decoder == "gaussian":  # the cells of a line of [-1, 1)
        cell = norm.cdf((k + 1) / 2 - 1, mean, scale) - norm.cdf(k / 2 - 1, mean, scale)
    else:  # cells about -1, -1/3, 1/3, 1; the outer two are half lines
        upper = np.where(k == 3, 1, logistic.cdf((k + 0.5) / 1.5 - 1, mean, scale))
        cell = upper - np.where(k == 0, 0, logistic.cdf((k - 0.5) / 1.5 - 1, mean, scale))
    return np.log(weight @ cell.prod(axis=-1))


@pytest.mark.parametrize(("decoder", "network"), CASES.values(), ids=CASES)
def test_mass_of_every_toy_image(decoder, network):
    density = made(decoder, network)
    exact = mass_by_quadrature(density, all_images())
    found = density.log_mass(all_images(), draws=2000)
    assert np.all(np.abs(found.value - exact) < 4.5 * found.error + 0.003)  # ReLU's kinks are not a polynomial
    total = np.exp(exact).sum()
    assert total == pytest.approx(1, abs=1e-9) if decoder == "logistic" else 0 < total < 1
    assert found.kind == "bound" and ("dequantization" in density.how) == (decoder == "gaussian")
    # Of one draw, over seeds: below in the mean, within its scatter.
    single = [density.log_mass(all_images(), 1, seed).value.mean() for seed in range(40)]
    assert np.mean(single) < exact.mean() + 4 * np.std(single) / 40**0.5


@pytest.mark.parametrize("log_scale", [-7.0, -2.0, 0.0, 3.0])
@pytest.mark.parametrize("mean", [-30.0, -1.0, 0.1, 1.0, 30.0])
def test_discretized_logistic(mean, log_scale):
    """In the networks' float32: probabilities of 0 .. 16 sum to 1, and every gradient is finite."""
    k = tf.range(17, dtype=tf.float32)[:, None]
    with tf.GradientTape() as tape:
        outputs = tf.constant([[mean, log_scale]] * 17)
        tape.watch(outputs)
        log_p = DiscretizedLogistic(17).log_prob(k / 8 - 1, outputs)
    assert float(tf.reduce_sum(tf.exp(log_p))) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(log_p).all() and np.isfinite(tape.gradient(log_p, outputs)).all()
    edges = (k.numpy()[:, 0] + 0.5) / 8 - 1
    exact = np.diff(logistic.cdf(np.concatenate([[-np.inf], edges[:-1], [np.inf]]), mean, np.exp(log_scale)))
    np.testing.assert_allclose(np.exp(log_p), exact, atol=1e-5)


@pytest.mark.parametrize("decoder", ["logistic", "gaussian"])
def test_samples_are_of_the_model(decoder):
    """The share of each of the 256 images among many draws is its probability."""
    density = made(decoder, "dense")
    drawn = density.sample(40_000, seed=1)[..., 0].reshape(-1, 4) @ [64, 16, 4, 1]
    inside = np.exp(mass_by_quadrature(density, all_images())).reshape(4, 4, 4, 4)
    share = np.bincount(drawn, minlength=256).reshape(4, 4, 4, 4) / len(drawn)
    if decoder == "gaussian":  # what is drawn outside is put on the edge: compare within
        inside, share = inside[1:3, 1:3, 1:3, 1:3], share[1:3, 1:3, 1:3, 1:3]
    error = np.sqrt(inside / len(drawn))
    assert np.all(np.abs(share - inside) < 5 * error)
    assert (density.sample(5, seed=1) == density.sample(5, seed=1)).all()
    assert (density.sample(50, seed=1) != density.sample(50, seed=2)).any()


def test_linear_is_ppca_on_vectors():
    """Against the normal density of x, with the standardization of vectors undone."""
    domain = Domain((5,), None, (1.0,) * 5, (0.5, 2.0, 1.0, 3.0, 1.0))
    density = made("gaussian", "linear", domain)
    kernel, mean, log_scale = density.model.decoder.get_weights()
    scale = np.diag(domain.scale)
    covariance = scale @ (kernel.T @ kernel + np.exp(2 * log_scale) * np.eye(5)) @ scale
    law = multivariate_normal(domain.shift + scale @ mean, covariance)
    x = law.rvs(30, random_state=0)
    found = density.log_prob(x, draws=20_000)
    assert np.all(np.abs(found.value - law.logpdf(x)) < 4.5 * found.error) and found.error.max() < 0.2
    assert density.encode(x).shape == (30, 2)


def test_trained_bound():
    """Where q is the posterior every weight is p(x), so the bound that is trained is log p(x) with any noise."""
    x = digits()[:20]
    vae, covariance, mean = ppca(digits(), 8)
    settings = VaeSettings(decoder="gaussian", network="linear", latents=8, trained_draws=4)
    density = VaeDensity(Domain((52,)), settings, dtype="float64")
    density.model.set_weights(vae.get_weights())
    loss = density._loss(tf.constant(x), tf.constant([1, 2], tf.int64))
    np.testing.assert_allclose(-loss, multivariate_normal(mean, covariance).logpdf(x), atol=1e-10)


def test_trains_saves_and_loads(tmp_path):
    """A real data set, a few steps: the bound rises, and the folder gives the same scores, samples and latents."""
    from sklearn.datasets import load_digits

    images = load_digits().images.astype(np.uint8)[..., None]
    density = VaeDensity(
        Domain((8, 8, 1), 17), VaeSettings(latents=4, units=32, filters=4, draws=10, learning_rate=0.01)
    )
    before = density.log_mass(images[:200]).value.mean()
    fit = density.fit(ArraySplit(images[200:1200]), ArraySplit(images[1200:1400]), Budget(steps=60))
    assert fit.steps == 60 and density.log_mass(images[:200]).value.mean() > before + 10
    saved.save(density, tmp_path / "vae")
    other = saved.load(tmp_path / "vae")
    for of in (lambda d: d.log_mass(images[:50]).value, lambda d: d.sample(5, 3), lambda d: d.encode(images[:9])):
        np.testing.assert_array_equal(of(density), of(other))
    # A score is of its image alone, whatever stands beside it.
    np.testing.assert_allclose(density.log_mass(images[7:8]).value, density.log_mass(images[:50]).value[7:8], rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 5, 1), (8, 8, 3), (1, 1, 1), (28, 28, 1)])
def test_convolutions_take_any_size(shape):
    density = VaeDensity(Domain(shape, 256), VaeSettings(**SMALL))
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    assert np.isfinite(density.log_mass(images, draws=2).value).all()
    assert density.sample(2).shape == (2, *shape)


def test_refusals():
    with pytest.raises(Unfit, match="logistic decoder"):
        VaeDensity(Domain((3,)), VaeSettings(decoder="logistic"))
    with pytest.raises(Unfit, match="over images, these are vectors"):
        VaeDensity(Domain((3,)), VaeSettings(network="convolutional"))


def test_scales_have_a_floor():
    density = made("gaussian", "dense")
    floored = density.model.decoder.layers[-1](tf.constant([[0.0, -1e6], [0.0, 3.0]], tf.float64))
    np.testing.assert_allclose(floored, [[0, LEAST_LOG_SCALE], [0, 3]], atol=1e-4)
