"""A flow whose kernels are float16 numbers: files of half the size then hold it exactly."""

import keras
import numpy as np

from nvp_tf.layers.keras_private import all_layers
from nvp_tf.layers.networks import BatchNorm, ResidualBlock, ResidualConvNet, WeightNormConv2D
from nvp_tf.models.flow import Flow

_STEPS = 8


def in_half_precision(flow: Flow) -> Flow:
    """A copy with every kernel of its networks rounded to float16; all else, and what is computed in, stays float32.

        kernel = g v / ||v||  ->  v' = float16(s kernel),  g' = ||v'|| / s

    s is the scale of the batch normalization that follows a convolution, which LiteRT makes one with it, or else 1.
    Without a learned g the norm of v' must be s: rounding to the other side changes single entries until it is.
    The copy is a density as exact as the flow, of other weights.
    """
    rounded = type(flow).from_config(flow.get_config())
    rounded.set_weights(flow.get_weights())
    layers = all_layers(rounded)
    norms = dict(pair for layer in layers for pair in _followed(layer))
    for layer in layers:
        if isinstance(layer, WeightNormConv2D):
            _round(layer, norms.get(layer))
        elif isinstance(layer, keras.layers.Dense):
            layer.kernel.assign(layer.kernel.numpy().astype(np.float16))
    return rounded


def _followed(layer: keras.layers.Layer) -> list[tuple[WeightNormConv2D, BatchNorm]]:
    """The convolutions of a network's part that a batch normalization follows with nothing in between."""
    if isinstance(layer, ResidualBlock):
        return [(layer.conv_1, layer.norm_2)]
    if isinstance(layer, ResidualConvNet) and not layer.blocks:
        return [(layer.skip_in, layer.norm_out)]
    return []


def _round(layer: WeightNormConv2D, norm: BatchNorm | None) -> None:
    direction = layer.direction.numpy().astype(np.float64)
    scale = np.ones(layer.filters)
    if norm is not None:
        scale = (norm.running_variance.numpy().astype(np.float64) + BatchNorm.EPSILON) ** -0.5
    flat = direction.reshape(-1, layer.filters)
    kernel = flat / _norm(flat) * scale
    if layer.scale is not None:
        kernel *= layer.magnitude.numpy()
        flat = kernel.astype(np.float16).astype(np.float64)
        layer.magnitude.assign(_norm(flat) / scale)
    else:
        flat = with_norm(kernel, scale)
    layer.direction.assign(flat.reshape(direction.shape))


def _norm(columns: np.ndarray) -> np.ndarray:
    """As the layer has it, so that what it makes of a rounded kernel is that kernel."""
    return np.sqrt(np.square(columns).sum(axis=0) + WeightNormConv2D.EPSILON)


def with_norm(columns: np.ndarray, norm: np.ndarray) -> np.ndarray:
    """Columns, float64 [k, m], rounded to float16 such that their norms are `norm`, [m], as nearly as can be."""
    halves, every = columns.astype(np.float16), np.arange(columns.shape[1])
    for _ in range(_STEPS):
        values = halves.astype(np.float64)
        lack = np.square(norm) - np.square(values).sum(axis=0)
        outwards = np.copysign(np.float16(np.inf), halves)
        moved = np.nextafter(halves, np.where(lack > 0, outwards, np.float16(0))).astype(np.float64)
        left = np.abs(lack - (np.square(moved) - np.square(values)))
        best = left.argmin(axis=0)
        better = left[best, every] < np.abs(lack)
        halves[best[better], every[better]] = moved[best[better], every[better]]
    return halves.astype(np.float64)
