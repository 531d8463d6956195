"""The one table of densities: each family over a toy of 4 pixels and 4 levels, and over vectors, its weights random.

All are in float64. `densities/conformance/test_coverage.py` fails when a family has no case.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from cases import NICE, SMALL, VECTOR, randomize

from nvp_tf.config.schema import ModelConfig, PixelsConfig, RealNVPConfig, TrainConfig
from nvp_tf.densities.autoregressive import MadeDensity, MadeSettings
from nvp_tf.densities.contract import Density, Domain
from nvp_tf.densities.contrastive import Contrastive, ContrastiveSettings
from nvp_tf.densities.factor_analysers import FactorMixture, FactorSettings
from nvp_tf.densities.flow import FlowDensity, FlowSettings
from nvp_tf.densities.maf import IafDensity, MafDensity, MafSettings
from nvp_tf.densities.mixture import DiagonalMixture, DiagonalSettings, FullMixture, FullSettings
from nvp_tf.densities.pixelcnn import PixelCnnDensity, PixelCnnSettings
from nvp_tf.densities.vae_density import VaeDensity, VaeSettings

TOY = Domain((2, 2, 1), 4)
PLANE = Domain((2,), None, (0.5, -1.0), (1.5, 0.5))
LINE = Domain((1,), None, (2.0,), (0.5,))
ALL_IMAGES = np.array(list(itertools.product(range(4), repeat=4)), np.uint8).reshape(-1, 2, 2, 1)


@dataclass
class DensityCase:
    """One density to test.

    make: () -> a new one, its weights random.
    """

    make: Callable[[], Density]

    @functools.cached_property
    def shared(self) -> Density:
        """One for all tests that leave it as it is."""
        return self.make()


def case(family, domain, settings, fill=None, seed=1) -> DensityCase:
    """fill: sets the weights of a density at random; the default suits networks."""

    def make():
        density = family(domain, settings, dtype="float64")
        (fill or fill_network)(density, np.random.default_rng(seed))
        return density

    return DensityCase(make)


def fill_network(density, rng, spread=0.2):
    for weight in density.model.trainable_weights:
        weight.assign(weight.numpy() + spread * rng.standard_normal(weight.shape))


def fill_gently(density, rng):
    """Of layers upon layers, whose scales a grid must resolve."""
    fill_network(density, rng, 0.1)


def fill_vae(density, rng):
    """The posterior is about as wide as the prior, so that weights are bounded."""
    model = density.model
    model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
    kernel, bias = model.encoder.layers[-1].get_weights()
    model.encoder.layers[-1].set_weights([0.1 * kernel, 0 * bias])


def fill_flow(density, rng):
    randomize(density.model, int(rng.integers(100)), 0.5)


def fill_contrastive(density, rng):
    fill_flow(density.noise, rng)
    for weight in density.model.classifier.trainable_weights:
        weight.assign(0.4 * rng.standard_normal(weight.shape))


def fill_mixture(density, rng):
    """Components over the range of the data, none of them round."""
    model, unit = density.model, density.domain.is_image
    components, dimensions = model.mean.shape
    model.log_share.assign(np.log(rng.dirichlet(np.ones(components))))
    model.mean.assign(rng.uniform(0.2, 0.8, model.mean.shape) if unit else rng.normal(0, 1, model.mean.shape))
    scale = 0.15 if unit else 0.7
    if hasattr(model, "deviation"):
        model.deviation.assign(scale * rng.uniform(0.5, 1.5, model.deviation.shape))
    elif hasattr(model, "factor"):
        lower = np.tril(rng.normal(0, 0.3, model.factor.shape), -1) + np.eye(dimensions)
        model.factor.assign(scale * lower * rng.uniform(0.5, 1.5, (components, dimensions, 1)))
    else:
        model.loadings.assign(scale * rng.normal(0, 1, model.loadings.shape))
        model.noise.assign(scale**2 * rng.uniform(0.5, 1.5, model.noise.shape))


def flow_settings(shape, flow, pixels=None) -> FlowSettings:
    return FlowSettings(ModelConfig(shape, flow, pixels), TrainConfig(batch_size=8))


P4 = PixelsConfig(4, alpha=0.05)
MADE = {"layers": 2, "units": 8, "components": 2, "batch_size": 8}
VAE = {"latents": 2, "layers": 1, "units": 8, "filters": 2, "draws": 8}
MAF = {"flows": 2, "layers": 1, "units": 8, "batch_size": 8}


def contrastive(noise: FlowSettings) -> ContrastiveSettings:
    return ContrastiveSettings(noise=noise, units=8, filters=2, batch_size=8)


IMAGES = {
    "mixture_diagonal": case(DiagonalMixture, TOY, DiagonalSettings(3), fill_mixture),
    "mixture_diagonal_noise": case(DiagonalMixture, TOY, DiagonalSettings(3, mass="noise"), fill_mixture),
    "mixture_full": case(FullMixture, TOY, FullSettings(3), fill_mixture),
    "mixture_factors": case(FactorMixture, TOY, FactorSettings(3, 2), fill_mixture),
    "made": case(MadeDensity, TOY, MadeSettings(**MADE)),
    "made_reversed": case(MadeDensity, TOY, MadeSettings(**MADE, order="reversed")),
    "made_without_hidden_layers": case(MadeDensity, TOY, MadeSettings(layers=0, order="random")),
    "maf": case(MafDensity, TOY, MafSettings(**MAF, noises=2)),
    "iaf": case(IafDensity, TOY, MafSettings(**MAF, order="random")),
    "pixelcnn": case(PixelCnnDensity, TOY, PixelCnnSettings(8, filters=4, layers=3, first_size=3, hidden=8)),
    "vae": case(VaeDensity, TOY, VaeSettings(**VAE), fill_vae),
    "vae_gaussian": case(VaeDensity, TOY, VaeSettings(**VAE, decoder="gaussian", network="dense"), fill_vae),
    "contrastive": case(Contrastive, TOY, contrastive(flow_settings((2, 2, 1), NICE, P4)), fill_contrastive),
    "nice": case(FlowDensity, TOY, flow_settings((2, 2, 1), NICE, P4), fill_flow),
    "realnvp": case(FlowDensity, TOY, flow_settings((2, 2, 1), RealNVPConfig(scales=1, **SMALL), P4), fill_flow),
}  # fmt: skip

VECTORS = {
    "mixture_diagonal": case(DiagonalMixture, PLANE, DiagonalSettings(3), fill_mixture),
    "mixture_full": case(FullMixture, PLANE, FullSettings(3), fill_mixture),
    "mixture_factors": case(FactorMixture, PLANE, FactorSettings(3, 1), fill_mixture),
    "mixture_in_one_dimension": case(FullMixture, LINE, FullSettings(2), fill_mixture),
    "made": case(MadeDensity, PLANE, MadeSettings(**MADE)),
    "made_in_one_dimension": case(MadeDensity, LINE, MadeSettings(**MADE, order="reversed")),
    "maf": case(MafDensity, PLANE, MafSettings(**MAF), fill_gently),
    "maf_in_one_dimension": case(MafDensity, LINE, MafSettings(**MAF)),
    "iaf": case(IafDensity, PLANE, MafSettings(**MAF), fill_gently),
    "vae": case(VaeDensity, PLANE, VaeSettings(**VAE), fill_vae),
    "contrastive": case(Contrastive, PLANE, contrastive(flow_settings((2,), VECTOR)), fill_contrastive),
    "realnvp": case(FlowDensity, PLANE, flow_settings((2,), VECTOR), fill_flow),
}

ALL = {f"{name} of images": c for name, c in IMAGES.items()} | {f"{name} of vectors": c for name, c in VECTORS.items()}


def some(domain: Domain, n: int = 7, seed: int = 0) -> np.ndarray:
    """Examples as the domain has them: uint8 images, or float64 vectors."""
    rng = np.random.default_rng(seed)
    if domain.is_image:
        return rng.integers(0, domain.levels, (n, *domain.shape)).astype(np.uint8)
    return rng.normal(domain.shift, domain.scale, (n, *domain.shape))
