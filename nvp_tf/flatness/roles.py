"""What each kind of Keras layer lets its neighbours do: pass a factor on, take one up, or neither."""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras

from nvp_tf.flatness.units import Change, Unit
from nvp_tf.flatness.weight_norm import WeightNormDense
from nvp_tf.layers.convolution import WeightNormConv2D

Numbers = Callable[[keras.Variable], int]


@dataclass(frozen=True)
class Role:
    """Of a layer in a rescaling.

    passes: positively homogeneous, layer(f x) = f layer(x): one factor for all that goes in and out.
    gives: what makes the output f times as large; None where nothing does.
    takes: what keeps the output as it is when the input is f times as large; None where nothing does.
    carried: what must move with the factor that is passed on (a batch norm without a scale of its own).
    own: what may be multiplied without the neighbours: the direction of a normalized weight.
    why: for a layer that does not pass, give and take; it begins with what the layer is.
    """

    passes: bool = False
    gives: list[Change] | None = None
    takes: list[Change] | None = None
    carried: list[Change] = field(default_factory=list)
    own: list[Unit] = field(default_factory=list)
    why: str = ""


HOMOGENEOUS = {keras.activations.linear, keras.activations.relu, keras.activations.leaky_relu}
PASSING = tuple(
    getattr(keras.layers, name)
    for name in [
        *("LeakyReLU", "PReLU", "Flatten", "Reshape", "Identity", "Dropout"),
        *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
        *("Add", "Subtract", "Average", "Maximum", "Minimum", "Concatenate"),
        *(f"{kind}Pooling{d}D" for kind in ("Max", "Average", "GlobalMax", "GlobalAverage") for d in (1, 2, 3)),
        *(f"{kind}{d}D" for kind in ("ZeroPadding", "Cropping", "UpSampling") for d in (1, 2, 3)),
    ]
)
TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
NORMALIZING = (keras.layers.LayerNormalization, keras.layers.GroupNormalization)


def role(layer: keras.Operation, number: Numbers) -> Role:
    """The role of a layer; unknown kinds do nothing.

    Args:
      number: of a weight, in the model's `weights`.
    """
    if getattr(layer, "data_format", None) == "channels_first":
        return Role(why="channels first")
    if isinstance(layer, (keras.layers.Activation, keras.layers.ReLU, *PASSING)):
        return _passing(layer)
    if isinstance(layer, keras.layers.BatchNormalization):
        return _batch_norm(layer, number)
    if isinstance(layer, NORMALIZING):
        gives = [Change(number(w), 1) for w in (layer.gamma, layer.beta) if w is not None]
        has_both = layer.gamma is not None and layer.axis in (-1, [-1], (-1,))
        return Role(gives=gives if has_both else None, why=f"a {type(layer).__name__} does not pass a factor on")
    if isinstance(layer, WeightNormConv2D):
        return weight_norm(layer, number)
    if isinstance(layer, WeightNormDense):
        return _weight_norm_dense(layer, number)
    if isinstance(layer, (keras.layers.Dense, *CONVOLUTIONS, *TRANSPOSED, *SEPARABLE, *DEPTHWISE)):
        return _linear(layer, number)
    return Role(why=f"a {type(layer).__name__} is not known to be homogeneous")


def _passing(layer: keras.Layer) -> Role:
    if isinstance(layer, keras.layers.ReLU):
        fits = layer.max_value is None and not layer.threshold
        return Role(passes=fits, why="a ReLU with a maximum or a threshold is not homogeneous")
    if isinstance(layer, keras.layers.Activation):
        return Role(passes=homogeneous(layer.activation), why=_activation(layer.activation))
    return Role(passes=True)


def _linear(layer: keras.Layer, number: Numbers) -> Role:
    """kernel and bias times f give; the kernel divided by f takes."""
    out: tuple[keras.Variable, tuple[int, ...]]
    into: tuple[keras.Variable, tuple[int, ...]]
    if isinstance(layer, SEPARABLE):
        out, into = (layer.pointwise_kernel, (-1,)), (layer.depthwise_kernel, (-2,))
    elif isinstance(layer, DEPTHWISE):
        out, into = (layer.kernel, (-2, -1)), (layer.kernel, (-2,))
    else:
        axes = (-2, -1) if isinstance(layer, TRANSPOSED) else (-1, -2)
        out, into = (layer.kernel, axes[:1]), (layer.kernel, axes[1:])
    gives = [Change(number(out[0]), 1, out[1])]
    if layer.bias is not None:
        gives.append(Change(number(layer.bias), 1))
    takes = [Change(number(into[0]), -1, into[1])]
    fits = homogeneous(layer.activation) if layer.activation is not None else True
    return Role(gives=gives if fits else None, takes=takes, why=_activation(layer.activation))


def _batch_norm(layer: keras.layers.BatchNormalization, number: Numbers) -> Role:
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with running statistics.

    With a gamma it gives by gamma and beta, and takes by mean and variance; without one it passes.
    """
    if layer.axis not in (-1, len(layer.input.shape) - 1):
        return Role(why=f"a batch norm along axis {layer.axis}")
    offsets = [Change(number(layer.beta), 1)] if layer.center else []
    mean = Change(number(layer.moving_mean), 1)
    if not layer.scale:
        return Role(passes=True, carried=[mean, *offsets])
    variance = Change(number(layer.moving_variance), 2, epsilon=layer.epsilon)
    return Role(gives=[Change(number(layer.gamma), 1), *offsets], takes=[mean, variance])


def weight_norm(layer: WeightNormConv2D, number: Numbers) -> Role:
    """kernel = g v / ||v||: v is free by itself (thesis 3.5.1), up to the 1e-12 beside ||v||^2; g gives and takes."""
    direction = Unit(f"{layer.name}.direction", layer.filters, (Change(number(layer.direction), 1),))
    if layer.scale is None:
        return Role(own=[direction], why="its weights are normalized and it has no scale of its own")
    magnitude = number(layer.magnitude)
    gives = [Change(magnitude, 1)] + ([Change(number(layer.offset), 1)] if layer.bias else [])
    return Role(gives=gives, takes=[Change(magnitude, -1, ())], own=[direction])


def _weight_norm_dense(layer: WeightNormDense, number: Numbers) -> Role:
    direction = Unit(f"{layer.name}.direction", layer.units, (Change(number(layer.direction), 1),))
    gives = [Change(number(layer.scale), 1)] + ([Change(number(layer.bias), 1)] if layer.use_bias else [])
    fits, takes = homogeneous(layer.activation), [Change(number(layer.scale), -1, ())]
    return Role(gives=gives if fits else None, takes=takes, own=[direction], why=_activation(layer.activation))


def homogeneous(activation: Callable) -> bool:
    """Whether an activation is one of max(x, 0), its leaky kin, or nothing."""
    if isinstance(activation, keras.layers.Layer):
        return isinstance(activation, PASSING) or _passing(activation).passes
    return activation in HOMOGENEOUS


def _activation(activation: Callable) -> str:
    name = getattr(activation, "__name__", getattr(activation, "name", activation))
    return f"the activation {name} is not positively homogeneous"
