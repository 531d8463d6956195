"""Noise-contrastive densities: against log-ratios that are known, and what a row says where they cannot be learned."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import norm

from nvp_tf.config.schema import ModelConfig, NICEConfig, PixelsConfig, TrainConfig
from nvp_tf.data.split import ArraySplit
from nvp_tf.densities import saved
from nvp_tf.densities.budget import Budget
from nvp_tf.densities.contract import Domain, Unfit
from nvp_tf.densities.contrastive import Contrastive, ContrastiveSettings
from nvp_tf.densities.conversion import cell_noise
from nvp_tf.densities.flow import FlowDensity, FlowSettings

NICE = NICEConfig(couplings=2, hidden_layers=1, hidden_units=4)
TRAIN = TrainConfig()


def standard_normal() -> FlowDensity:
    """An untrained NICE in the plane: every network's last layer is 0, so that x is its own latent."""
    return FlowDensity(Domain((2,)), FlowSettings(ModelConfig((2,), NICE), TRAIN))


def shifted(divergence, n, seed) -> np.ndarray:
    """n draws of N(m, I) with KL(N(m, I) || N(0, I)) = |m|^2 / 2."""
    return np.random.default_rng(seed).normal([(2 * divergence) ** 0.5, 0], size=(n, 2)).astype(np.float32)


def fitted(divergence, ratio=1, rate=0.03, steps=600) -> Contrastive:
    """The right classifier, a linear one, of 20,000 examples of N(m, I) against N(0, I)."""
    settings = ContrastiveSettings(
        noise=standard_normal().settings,
        network="linear",
        ratio=ratio,
        batch_size=1000,
        learning_rate=rate,
        proposals=400,
    )
    density = Contrastive.against(standard_normal(), settings)
    train, valid = (ArraySplit(shifted(divergence, n, seed)) for seed, n in enumerate((20_000, 5000)))
    density.told = density.fit(train, valid, Budget(steps=steps))
    return density


@pytest.mark.parametrize(
    ("divergence", "ratio", "rate", "rmse"),
    [(1, 1, 0.03, 0.05), pytest.param(1, 4, 0.03, 0.05, marks=pytest.mark.slow), (5, 1, 0.1, 0.25)],
)
def test_known_ratio(divergence, ratio, rate, rmse):
    density, x = fitted(divergence, ratio, rate), shifted(divergence, 2000, 2)
    exact = -0.5 * np.square(x - [(2 * divergence) ** 0.5, 0]).sum(axis=1) - np.log(2 * np.pi)
    found = density.log_prob(x)
    assert found.kind == "estimate" and np.sqrt(np.mean(np.square(found.value - exact))) <= rmse
    checks = density.checks
    assert abs(checks["log_normalizer"]) < 4 * checks["log_normalizer_error"]
    assert checks["auroc"] == pytest.approx(norm.cdf(divergence**0.5), abs=0.005)  # of two normals sqrt(2 KL) apart
    assert density.unusable is None and "AUROC 0." in density.told.notes[0]
    assert len(density.told.notes) == 1
    # Samples are of p, not of the noise, whose mean is 0.
    if divergence == 1:
        np.testing.assert_allclose(density.sample(4000).mean(axis=0), [2**0.5, 0], atol=0.1)


def test_too_far_apart_is_unusable():
    density = fitted(36)
    assert density.checks["auroc"] > 0.99
    assert density.told.notes[1] == density.unusable and density.unusable.startswith("unusable: AUROC ")


def test_log_normalizer_is_the_integral():
    """Of a classifier that learned nothing: the mass of p over the plane, by a grid."""
    density = Contrastive.against(
        standard_normal(), ContrastiveSettings(noise=standard_normal().settings, layers=1, units=8, ratio=3)
    )
    rng = np.random.default_rng(5)
    density.model.classifier.set_weights([rng.normal(0, 0.4, w.shape) for w in density.model.classifier.get_weights()])
    checks = density.check(ArraySplit(shifted(0, 500, 0)))
    line = np.linspace(-8, 8, 161, dtype=np.float32)
    log_p = density.log_prob(np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)).value
    mass = np.exp(log_p).sum() * (line[1] - line[0]) ** 2
    assert abs(np.log(mass) - checks["log_normalizer"]) < 4 * checks["log_normalizer_error"]
    assert abs(np.log(mass)) > 0.5


def toy() -> tuple[Contrastive, FlowDensity]:
    """Over images, with a flow that is trained for a moment."""
    domain, pixels = Domain((2, 2, 1), 4), PixelsConfig(4, "unit", 0.05)
    noise = FlowDensity(domain, FlowSettings(ModelConfig((2, 2, 1), NICE, pixels), TRAIN, noises=3))
    return Contrastive.against(noise, ContrastiveSettings(noise=noise.settings, units=8, filters=2)), noise


def test_images():
    """Before the classifier knows anything p is the flow's; then each noise has its own logit."""
    density, noise = toy()
    images = np.random.default_rng(0).integers(0, 4, (20, 2, 2, 1)).astype(np.uint8)
    np.testing.assert_allclose(density.log_mass(images).value, noise.log_mass(images).value, rtol=1e-6)
    density.model.classifier.layers[-1].set_weights([np.ones((8, 1)) * 0.3, np.array([0.1])])
    u = cell_noise(3, (2, 2, 1), tf.constant([7, 0], tf.int64), "float32").numpy()
    log_w = [density.logit(images + u[m]).numpy() + noise.model.log_prob(images, u[m]).numpy() for m in range(3)]
    found = density.log_mass(images, seed=7)
    np.testing.assert_allclose(found.value, logsumexp(log_w, axis=0) - np.log(3), rtol=1e-5)
    assert found.kind == "estimate" and (found.error > 0).all()
    assert set(np.unique(density.sample(200))) <= {0, 1, 2, 3}


def test_fits_its_own_noise_and_is_saved(tmp_path):
    rng = np.random.default_rng(1)
    image = np.repeat(rng.integers(0, 4, (500, 1, 2, 1)), 2, axis=1).astype(np.uint8)  # rows are equal
    settings, domain = toy()[0].settings, Domain((2, 2, 1), 4)
    made = [Contrastive(domain, settings) for _ in range(2)]
    fits = [d.fit(ArraySplit(image[:400]), ArraySplit(image[400:]), Budget(steps=100), seed=3) for d in made]
    assert fits[0].steps == 100 and fits[0].best is not None
    assert [row["steps"] for row in fits[0].rows] == sorted(row["steps"] for row in fits[0].rows)
    np.testing.assert_array_equal(*(d.log_mass(image[:50]).value for d in made))  # the same seed, the same scores
    saved.save(made[0], tmp_path / "it")
    again = saved.load(tmp_path / "it")
    np.testing.assert_array_equal(again.log_mass(image[:50]).value, made[0].log_mass(image[:50]).value)
    assert again.checks == made[0].checks and 0 < again.checks["auroc"] < 1


def test_refusal():
    with pytest.raises(Unfit, match="over images, these are vectors"):
        Contrastive(Domain((2,)), ContrastiveSettings(noise=standard_normal().settings, network="convolutional"))
