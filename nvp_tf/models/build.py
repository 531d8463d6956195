"""Recipes: from a config to a built Flow."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import keras
import numpy as np

from nvp_tf.config.schema import ModelConfig, NICEConfig, RealNVPConfig, VectorRealNVPConfig
from nvp_tf.layers import masks
from nvp_tf.layers.base import Bijective, Shape
from nvp_tf.layers.chain import Chain, FactorOut
from nvp_tf.layers.coupling import Additive, Affine, Coupling
from nvp_tf.layers.mlp import MLP
from nvp_tf.layers.normalization import BatchNormalization
from nvp_tf.layers.pixels import Pixels
from nvp_tf.layers.reshape import Flatten
from nvp_tf.layers.residual_network import ResidualConvNet
from nvp_tf.layers.scaling import Scaling
from nvp_tf.layers.squeeze import Squeeze, Unsqueeze
from nvp_tf.layers.standardization import Standardization
from nvp_tf.layers.whitening import Whitening
from nvp_tf.models.flow import Flow
from nvp_tf.models.priors import PRIORS
from nvp_tf.runtime import unnamed_variables

Dtype: TypeAlias = str | keras.DTypePolicy
Layer = TypeVar("Layer", bound=keras.layers.Layer)


@unnamed_variables()
def build(config: ModelConfig, dtype: str = "float32", network_dtype: str | None = None) -> Flow:
    """A Flow with fresh weights; nothing of it is built lazily.

    Args:
      config: what to build.
      dtype: of values, log-determinants, statistics and weights; "float64" for checks of the mathematics.
      network_dtype: "bfloat16" for training: what the couplings' networks compute in. A flow to be trusted has None,
        dtype: in bfloat16 the two directions see inputs that differ in their last digit and are rounded far apart,
        and up to one image in ten comes back from its latents with a pixel changed.
    """
    layers: list[Bijective] = []
    networks = keras.DTypePolicy("mixed_bfloat16") if network_dtype == "bfloat16" else dtype
    if config.pixels is not None:
        pixels = config.pixels
        layers.append(Pixels(pixels.levels, pixels.range, pixels.alpha, dtype=dtype, name="pixels"))
    if len(config.event_shape) > 1 and not isinstance(config.flow, RealNVPConfig):
        layers.append(Flatten(dtype=dtype))
    if config.standardization is not None:
        layers.append(Standardization(dtype=dtype, name="standardization"))
    if config.whitening is not None:
        layers.append(Whitening(config.whitening.share, dtype=dtype, name="whitening"))
    layers += RECIPES[type(config.flow)](config.flow, config.event_shape, dtype, networks)
    bijector = Chain(layers, dtype=dtype, name="bijector")
    bijector.build((None, *config.event_shape))
    return Flow(bijector, PRIORS[config.prior](), dtype=dtype, name="flow")


def nice(config: NICEConfig, event_shape: Shape, dtype: str, network_dtype: Dtype) -> list[Bijective]:
    """Additive couplings on alternating parities of the flat vector, then a scaling (thesis 5.2)."""
    size = math.prod(event_shape)
    layers = []
    for i in range(config.couplings):
        mask = masks.parity(size, swap=i % 2 == 1)
        network = MLP(config.hidden_layers, config.hidden_units, int((~mask).sum()), dtype=network_dtype)
        layers.append(Coupling(mask, network, Additive(dtype=dtype), dtype=dtype, name=f"coupling_{i}"))
    return [*layers, Scaling(dtype=dtype, name="scaling")]


def vector_real_nvp(
    config: VectorRealNVPConfig, event_shape: Shape, dtype: str, network_dtype: Dtype
) -> list[Bijective]:
    """Affine couplings on alternating parities of a vector (thesis 5.1, figure 5.1)."""
    layers = []
    for i in range(config.couplings):
        mask = masks.parity(event_shape[0], swap=i % 2 == 1)
        network = MLP(config.hidden_layers, config.hidden_units, 2 * int((~mask).sum()), dtype=network_dtype)
        layers.append(Coupling(mask, network, Affine(dtype=dtype), dtype=dtype, name=f"coupling_{i}"))
        if config.batch_norm:
            layers.append(BatchNormalization(mask, dtype=dtype, name=f"batch_norm_{i}"))
    return layers


def real_nvp(config: RealNVPConfig, event_shape: Shape, dtype: str, network_dtype: Dtype) -> list[Bijective]:
    """The multi-scale architecture (thesis 5.3, figures 5.10 and 5.11)."""
    return _RealNVP(config, dtype, network_dtype).scale(event_shape, level=0)


class _RealNVP:
    """The recursion over scales, with what stays the same at each."""

    def __init__(self, config: RealNVPConfig, dtype: str, network_dtype: Dtype) -> None:
        self.config, self.dtype, self.network_dtype = config, dtype, network_dtype

    def scale(self, shape: Shape, level: int) -> list[Bijective]:
        height, width, channels = shape
        filters = self.config.filters * 2**level
        last = level == self.config.scales - 1
        layers = self.checkerboards(shape, filters, self.config.couplings + last, f"scale_{level}_checkerboard")
        if last:
            return layers
        squeezed = (height // 2, width // 2, 4 * channels)
        layers += [
            self.layer(Squeeze, "plain"),
            *self.channels(squeezed, 2 * filters, self.config.couplings, f"scale_{level}_channel"),
            self.layer(Unsqueeze, "plain"),
        ]
        inner = self.scale((height // 2, width // 2, 2 * channels), level + 1)
        layers.append(self.layer(FactorOut, self.layer(Chain, inner), name=f"scale_{level}_factor_out"))
        return layers

    def checkerboards(self, shape: Shape, filters: int, count: int, name: str) -> list[Bijective]:
        height, width, channels = shape
        # A side that is odd cannot be packed: the last scale of 28x28 at three scales is 7x7.
        if self.config.checkerboard == "packed" and height % 2 == 0 and width % 2 == 0:
            packed = self.channels((height // 2, width // 2, 4 * channels), filters, count, name)
            return [self.layer(Squeeze, "ordered"), *packed, self.layer(Unsqueeze, "ordered")]
        layers: list[Bijective] = []
        for i in range(count):
            mask = masks.checkerboard(height, width, channels, swap=i % 2 == 1)
            layers += self.coupling(mask, filters, 2 * channels, f"{name}_{i}", network_mask=mask)
        return layers

    def channels(self, shape: Shape, filters: int, count: int, name: str) -> list[Bijective]:
        height, width, channels = shape
        layers: list[Bijective] = []
        for i in range(count):
            mask = masks.channel(height, width, channels, swap=i % 2 == 1)
            layers += self.coupling(mask, filters, 2 * int((~mask[0, 0]).sum()), f"{name}_{i}")
        return layers

    def coupling(
        self, mask: np.ndarray, filters: int, outputs: int, name: str, network_mask: np.ndarray | None = None
    ) -> list[Bijective]:
        config = self.config
        network = ResidualConvNet(
            filters, config.blocks, outputs, config.momentum, network_mask, dtype=self.network_dtype
        )
        layers = [self.layer(Coupling, mask, network, self.layer(Affine), name=name)]
        if config.batch_norm:
            norm = self.layer(BatchNormalization, mask, config.momentum, config.epsilon, name=f"{name}_norm")
            layers.append(norm)
        return layers

    def layer(self, cls: type[Layer], *args: Any, **kwargs: Any) -> Layer:
        return cls(*args, dtype=self.dtype, **kwargs)


RECIPES: dict[type, Callable[..., list[Bijective]]] = {
    NICEConfig: nice,
    VectorRealNVPConfig: vector_real_nvp,
    RealNVPConfig: real_nvp,
}
