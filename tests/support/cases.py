"""The one table of what is tested: each public layer, network, prior and kind of flow, in several regimes.

A case makes a built float64 object with random weights that are far from the identity: a wrong sign
hides where every scale is 1. `conformance/test_coverage.py` fails when a public class has no case.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nvp_tf.config.schema import (
    ModelConfig,
    NICEConfig,
    PixelsConfig,
    RealNVPConfig,
    StandardizationConfig,
    VectorRealNVPConfig,
    WhiteningConfig,
)
from nvp_tf.flatness.bijective import Power, Radial
from nvp_tf.layers import masks
from nvp_tf.layers.chain import Chain, FactorOut
from nvp_tf.layers.convolution import WeightNormConv2D
from nvp_tf.layers.coupling import Additive, Affine, Coupling
from nvp_tf.layers.fixed_networks import FixedBlock, FixedConv2D, FixedConvNet
from nvp_tf.layers.keras_private import all_layers
from nvp_tf.layers.mlp import MLP
from nvp_tf.layers.network_norm import BatchNorm
from nvp_tf.layers.normalization import BatchNormalization
from nvp_tf.layers.pixels import Pixels
from nvp_tf.layers.reshape import Flatten
from nvp_tf.layers.residual_network import ResidualBlock, ResidualConvNet
from nvp_tf.layers.scaling import Scaling
from nvp_tf.layers.squeeze import Squeeze, Unsqueeze
from nvp_tf.layers.standardization import Standardization
from nvp_tf.layers.whitening import Whitening
from nvp_tf.models.build import build
from nvp_tf.models.priors import Logistic, Normal

F64 = {"dtype": "float64"}


@dataclass
class Case:
    """One object to test.

    make: seed -> a new one, built, its weights random; `shared` is one for all tests that leave it as it is.
    low, high: the range that inputs are drawn from.
    """

    make: Callable
    event_shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    keeps_volume: bool = False

    @functools.cached_property
    def shared(self):
        return self.make(seed=1)

    def inputs(self, n=3, seed=0, dtype="float64"):
        return np.random.default_rng(seed).uniform(self.low, self.high, (n, *self.event_shape)).astype(dtype)


def randomize(layer, seed=0, spread=1.0):
    """Sets every weight to a random value: variances around 1 but not at it, scales not 0, kernels by their fan-in."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        name, shape = weight.path.rsplit("/", 1)[-1], weight.shape
        value = rng.standard_normal(shape, dtype="float32") * spread
        if "variance" in name:
            value = np.exp(0.3 * value + 0.2)
        elif name in ("gamma", "magnitude"):
            value = 0.2 * value + 0.5 * spread
        elif name == "kernel":
            value *= (2 / shape[0]) ** 0.5
        elif name != "direction":
            value *= 0.3
        weight.assign(value)
    for part in parts(layer):
        if isinstance(part, Whitening):
            (size,) = part.event_shape
            if size < 50:
                rows = rng.standard_normal((2 * size, size)) @ rng.standard_normal((size, size))
                part.fit(rows.mean(axis=0), np.cov(rows.T))
            else:  # The eigenvectors of a whole photograph take a minute.
                factor = rng.uniform(0.5, 2, (size, 1))
                part.matrix.assign(np.eye(size) * factor)
                part.inverse_matrix.assign(np.eye(size) / factor)
                part.log_det.assign(np.log(factor).sum())
    return layer


def case(layer, shape, *args, **kwargs):
    """layer: a function without arguments, since each test wants a new one."""

    def make(seed):
        made = layer()
        made.build((None, *shape))
        return randomize(made, seed)

    return Case(make, shape, *args, **kwargs)


def mlp_coupling(mask, transform=Affine):
    outputs = transform.outputs_per_entry * int((~mask).sum())
    return Coupling(mask, MLP(2, 8, outputs, **F64), transform(**F64), **F64)


def conv_coupling(mask, transform=Affine, blocks=0):
    splits = not mask[..., 0].any() or mask[..., 0].all()
    entries = int((~mask[0, 0]).sum()) if splits else mask.shape[-1]
    network_mask = None if splits else mask
    net = ResidualConvNet(4, blocks, transform.outputs_per_entry * entries, mask=network_mask, **F64)
    return Coupling(mask, net, transform(**F64), **F64)


def recomputing(layer):
    """The layer, whose couplings are computed again in the backward pass."""
    for part in parts(layer):
        if isinstance(part, Coupling):
            part.recompute = True
    return layer


def chain_of_all():
    mask = masks.checkerboard(4, 4, 1)
    return [
        Pixels(levels=17, **F64),
        conv_coupling(mask),
        BatchNormalization(mask, **F64),
        Squeeze("plain", **F64),
        Scaling(**F64),
        Unsqueeze("plain", **F64),
        Flatten(**F64),
    ]


def factored():
    """Two scales by hand."""
    inner = [conv_coupling(masks.checkerboard(2, 2, 2)), Scaling(**F64)]
    return FactorOut(Chain(inner, **F64), **F64)


HALF, PARITY = masks.half(5), masks.parity(5, swap=True)
BOARD, ODD_BOARD = masks.checkerboard(4, 4, 2), masks.checkerboard(3, 5, 1, swap=True)
CHANNEL, ODD_CHANNEL = masks.channel(2, 2, 4), masks.channel(2, 2, 3, swap=True)

LAYERS = {
    "additive_half": case(lambda: mlp_coupling(HALF, Additive), (5,), keeps_volume=True),
    "additive_parity": case(lambda: mlp_coupling(PARITY, Additive), (5,), keeps_volume=True),
    "additive_checkerboard": case(lambda: conv_coupling(BOARD, Additive), (4, 4, 2), keeps_volume=True),
    "affine_half": case(lambda: mlp_coupling(HALF), (5,)),
    "affine_half_swap": case(lambda: mlp_coupling(masks.half(5, swap=True)), (5,)),
    "affine_parity": case(lambda: mlp_coupling(masks.parity(6)), (6,)),
    "affine_parity_swap": case(lambda: mlp_coupling(PARITY), (5,)),
    "affine_smallest": case(lambda: mlp_coupling(masks.half(2)), (2,)),
    "affine_checkerboard": case(lambda: conv_coupling(BOARD, blocks=1), (4, 4, 2)),
    "affine_checkerboard_swap": case(lambda: conv_coupling(~BOARD), (4, 4, 2)),
    "affine_checkerboard_odd": case(lambda: conv_coupling(masks.checkerboard(3, 3, 1), blocks=1), (3, 3, 1)),
    "affine_checkerboard_odd_swap": case(lambda: conv_coupling(ODD_BOARD), (3, 5, 1)),
    "affine_channel": case(lambda: conv_coupling(CHANNEL, blocks=1), (2, 2, 4)),
    "affine_channel_odd_swap": case(lambda: conv_coupling(ODD_CHANNEL), (2, 2, 3)),
    "affine_parity_recomputed": case(lambda: recomputing(mlp_coupling(PARITY)), (5,)),
    "affine_checkerboard_recomputed": case(lambda: recomputing(conv_coupling(BOARD, blocks=1)), (4, 4, 2)),
    "additive_channel_recomputed": case(
        lambda: recomputing(conv_coupling(CHANNEL, Additive)), (2, 2, 4), keeps_volume=True
    ),
    "squeeze_plain": case(lambda: Squeeze("plain", **F64), (4, 2, 3), keeps_volume=True),
    "squeeze_plain_grey": case(lambda: Squeeze("plain", **F64), (4, 4, 1), keeps_volume=True),
    "squeeze_ordered": case(lambda: Squeeze("ordered", **F64), (4, 2, 3), keeps_volume=True),
    "unsqueeze_plain": case(lambda: Unsqueeze("plain", **F64), (2, 1, 12), keeps_volume=True),
    "unsqueeze_ordered": case(lambda: Unsqueeze("ordered", **F64), (1, 2, 12), keeps_volume=True),
    "scaling_vector": case(lambda: Scaling(**F64), (5,)),
    "scaling_image": case(lambda: Scaling(**F64), (2, 3, 2)),
    "batch_norm_vector": case(lambda: BatchNormalization(PARITY, **F64), (5,)),
    "batch_norm_checkerboard": case(lambda: BatchNormalization(ODD_BOARD, **F64), (3, 5, 1)),
    "batch_norm_channel": case(lambda: BatchNormalization(CHANNEL, momentum=0.5, **F64), (2, 2, 4)),
    "flatten": case(lambda: Flatten(**F64), (2, 3, 2), keeps_volume=True),
    "whitening": case(lambda: Whitening(**F64), (5,)),
    "standardization": case(lambda: Standardization(**F64), (4,)),
    "pixels_unit": case(lambda: Pixels(17, alpha=0.0, **F64), (2, 2, 1), 0, 17),
    "pixels_symmetric": case(lambda: Pixels(256, "symmetric", alpha=0.0, **F64), (3,), 0, 256),
    "pixels_logit": case(lambda: Pixels(17, **F64), (2, 2, 1), 0, 17),
    "pixels_logit_small_alpha": case(lambda: Pixels(256, alpha=1e-6, **F64), (3,), 0, 256),
    "chain": case(lambda: Chain(chain_of_all(), **F64), (4, 4, 1), 0, 17),
    "chain_empty": case(lambda: Chain([], **F64), (3,), keeps_volume=True),
    "factor_out": case(factored, (4, 4, 1)),
    "power_sharper": case(lambda: Power(0.7, 0.3, **F64), (4,)),
    "power_flatter": case(lambda: Power(-0.4, 0.05, **F64), (2, 3)),
    "power_without_b": case(lambda: Power(0.5, **F64), (4,)),
    "power_flattest": case(lambda: Power(-0.3, **F64), (4,)),
    "radial_sharper": case(lambda: Radial(1.5, 0.4, 2.5, **F64), (3,)),
    "radial_flatter": case(lambda: Radial(0.5, 1.5, 2.5, **F64), (2, 2)),
    "radial_line": case(lambda: Radial(0.5, 1.0, 1.5, **F64), (1,)),
}

NETWORKS = {
    "mlp": case(lambda: MLP(2, 8, 3, **F64), (4,)),
    "conv": case(lambda: WeightNormConv2D(3, 3, **F64), (4, 4, 2)),
    "conv_scaled": case(lambda: WeightNormConv2D(3, 1, scale=0.5, bias=True, **F64), (4, 4, 2)),
    "batch_norm": case(lambda: BatchNorm(**F64), (4, 4, 2)),
    "batch_norm_of_vectors": case(lambda: BatchNorm(**F64), (5,)),
    "residual_block": case(lambda: ResidualBlock(3, 0.9, **F64), (4, 4, 3)),
    "residual_net": case(lambda: ResidualConvNet(4, 2, 3, **F64), (4, 3, 2)),
    "fixed_conv": case(lambda: FixedConv2D(3, 3, bias=True, **F64), (4, 4, 2)),
    "fixed_block": case(lambda: FixedBlock(3, 0.9, last=False, **F64), (4, 4, 3)),
    "fixed_last_block": case(lambda: FixedBlock(3, 0.9, last=True, **F64), (4, 4, 3)),
    "fixed_net": case(lambda: FixedConvNet(4, 2, 3, **F64), (4, 3, 2)),
    "fixed_net_without_blocks": case(lambda: FixedConvNet(4, 0, 3, **F64), (4, 3, 2)),
    "residual_net_masked": case(lambda: ResidualConvNet(4, 1, 4, mask=BOARD, **F64), (4, 4, 2)),
}

PRIORS = {"normal": Normal, "logistic": Logistic}


class ModelCase(Case):
    """A flow from its config; its inputs are what its bijector takes."""

    def __init__(self, event_shape, flow, pixels=None, prior="normal", whitening=None, standardization=None):
        config = ModelConfig(event_shape, flow, pixels, prior, whitening, standardization)
        high = 1 if pixels is None else pixels.levels
        super().__init__(lambda seed: randomize(build(config, "float64"), seed), event_shape, 0, high)
        self.config = config


class BijectorOf(Case):
    """A model's case as one of a layer."""

    def __init__(self, model_case):
        super().__init__(
            lambda seed: model_case.make(seed).bijector, model_case.event_shape, model_case.low, model_case.high
        )
        self.model_case = model_case

    @functools.cached_property
    def shared(self):
        return self.model_case.shared.bijector


NICE = NICEConfig(couplings=3, hidden_layers=1, hidden_units=8)
VECTOR = VectorRealNVPConfig(couplings=3, hidden_layers=2, hidden_units=8)
SMALL = {"couplings": 1, "filters": 3, "blocks": 0}
PACKED = {**SMALL, "checkerboard": "packed"}
P17, P256 = PixelsConfig(17), PixelsConfig(256)

MODELS = {
    "nice_vector": ModelCase((5,), NICE, prior="logistic"),
    "nice_image": ModelCase((3, 2, 1), NICE, PixelsConfig(17, alpha=0.0), "logistic"),
    "nice_symmetric": ModelCase((2, 2, 1), NICE, PixelsConfig(256, "symmetric", 0.0)),
    "nice_whitened": ModelCase((2, 2, 1), NICE, PixelsConfig(17, alpha=0.0), "logistic", WhiteningConfig()),
    "vector": ModelCase((3,), VECTOR),
    "vector_standardized": ModelCase((3,), VECTOR, standardization=StandardizationConfig()),
    "vector_batch_norm": ModelCase((2,), VectorRealNVPConfig(4, 1, 8, batch_norm=True), prior="logistic"),
    "vector_pixels": ModelCase((2,), VECTOR, P17),
    "realnvp_one_scale": ModelCase((3, 3, 1), RealNVPConfig(scales=1, **SMALL), P17),
    "realnvp_grey": ModelCase((4, 4, 1), RealNVPConfig(scales=2, couplings=2, filters=3, blocks=1), P17),
    "realnvp_colour": ModelCase((4, 2, 3), RealNVPConfig(scales=2, **SMALL), P256),
    "realnvp_packed": ModelCase((4, 4, 1), RealNVPConfig(scales=2, **PACKED), P17),
    "realnvp_packed_colour": ModelCase((4, 4, 3), RealNVPConfig(scales=2, **PACKED), P256),
    "realnvp_three_scales": ModelCase((8, 8, 1), RealNVPConfig(scales=3, **SMALL), P17),
    "realnvp_odd_last_scale": ModelCase((12, 12, 1), RealNVPConfig(scales=3, **PACKED), P256),  # as 28x28: 3x3 at last
    "realnvp_no_batch_norm": ModelCase((4, 4, 1), RealNVPConfig(scales=2, batch_norm=False, **SMALL), P17),
}

BIJECTORS = LAYERS | {name: BijectorOf(c) for name, c in MODELS.items()}

# Trainable parameters of each preset: a preset that changes its model is a preset that changes its meaning.
PRESET_PARAMETERS = {
    "realnvp_two_moons": 35_352,
    "realnvp_table": 26_514,
    "nice_digits": 33_472,
    "realnvp_digits": 1_237_043,
    "realnvp_photos": 7_875_442,
    "realnvp_folder": 3_789_282,
    "nice_fashion_mnist": 19_158_352,
    "realnvp_fashion_mnist": 1_275_606,
    "nice_mnist": 19_158_352,
    "nice_tfd": 346_166_912,
    "nice_svhn": 72_617_216,
    "nice_cifar10": 72_617_216,
    "realnvp_cifar10": 19_589_961,
    "realnvp_imagenet32": 46_189_959,
    "realnvp_imagenet64": 96_325_029,
    "realnvp_lsun_bedroom": 96_325_029,
    "realnvp_lsun_tower": 96_325_029,
    "realnvp_lsun_church_outdoor": 96_325_029,
    "realnvp_celeba": 96_325_029,
}


def has_convolutions(layer):
    return any(isinstance(part, WeightNormConv2D | FixedConv2D) for part in parts(layer))


def parts(layer):
    """The layer and every layer below it."""
    return all_layers(layer)
